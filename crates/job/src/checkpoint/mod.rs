//! `reprise checkpoint`: what a job has made, over the end of its machine.

mod facts;
mod restore;
mod save;
mod size;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};
use reprise_resume::checkpoint::LeftOut;

use crate::environment;
use crate::output::{harmless, note};

/// What `reprise checkpoint` is asked.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Bring back what an earlier attempt of this job saved, and declare what is to be saved of this one.
    Restore(restore::Arguments),
    /// Save what the job has declared; the agent's hook does it when the machine is about to go.
    Save(save::Arguments),
}

/// Does it.
///
/// # Errors
///
/// Says what could not be done, and what helps.
pub async fn run(arguments: Arguments) -> Result<ExitCode> {
    let environment = environment();
    match arguments.command {
        Command::Restore(arguments) => restore::run(arguments, &environment).await,
        Command::Save(arguments) => save::run(arguments, &environment).await,
    }
}

/// More than that are counted, not named.
const MOST_NAMED: usize = 20;

fn tell_left_out(left_out: &[LeftOut]) {
    for LeftOut { path, why } in left_out.iter().take(MOST_NAMED) {
        let path = path.display().to_string();
        note(format_args!("left out: {}: {why}", harmless(&path)));
    }
    if left_out.len() > MOST_NAMED {
        note(format_args!(
            "left out: {} more",
            left_out.len() - MOST_NAMED
        ));
    }
}
