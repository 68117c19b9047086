//! `reprise queue dead`: looks at messages that were given up, and sends them back.
//!
//! The controller's own configuration says which queues there are. Nothing is ever deleted that was
//! not sent on before.

mod letter;
mod list;
mod places;
mod reading;
mod redrive;
mod report;
mod show;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use reprise_config::{DEFAULT_PATH, Outline, PATH_VARIABLE, environment};

use crate::signals::Stop;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Debug, Subcommand)]
enum Kind {
    /// Messages in the dead-letter queues: those that cannot be read, and those that failed too often.
    Dead(DeadArguments),
}

#[derive(Debug, Args)]
struct DeadArguments {
    /// The controller's configuration.
    #[arg(
        long,
        global = true,
        default_value = DEFAULT_PATH,
        env = PATH_VARIABLE
    )]
    config: PathBuf,
    /// Only the dead letters of this queue [default: of both].
    #[arg(long, global = true)]
    queue: Option<Name>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell what lies there, oldest first, and leave it there.
    List(list::Arguments),
    /// Show one message whole, and leave it there.
    Show(show::Arguments),
    /// Send messages back to the queue they came from, then delete them here.
    Redrive(redrive::Arguments),
}

/// One of the controller's queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Name {
    /// GitHub's webhooks.
    Webhooks,
    /// EC2's events.
    Ec2Events,
}

impl Name {
    fn as_str(self) -> &'static str {
        match self {
            Self::Webhooks => "webhooks",
            Self::Ec2Events => "ec2-events",
        }
    }
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let Kind::Dead(arguments) = arguments.kind;
    if let Command::Redrive(what) = &arguments.command {
        what.are_complete()?;
    }
    let config = Outline::load(&arguments.config, &environment())?;
    let places = places::connect(&config, arguments.queue).await?;
    let stop = Stop::listen();
    match arguments.command {
        Command::List(what) => list::run(&what, &places, &stop).await,
        Command::Show(what) => show::run(&what, &places, &stop).await,
        Command::Redrive(what) => redrive::run(what, &places, &stop).await,
    }
}
