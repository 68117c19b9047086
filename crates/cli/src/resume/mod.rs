//! `reprise resume`: a re-run does only what is left to do.

mod plan;
mod store;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Decide which jobs of a run still have to run, by what they have left in object storage.
    Plan(plan::Arguments),
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.command {
        Command::Plan(arguments) => plan::run(arguments).await,
    }
}
