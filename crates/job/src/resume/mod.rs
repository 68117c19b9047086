//! `reprise resume`: a re-run does only what is left to do.

mod exists;
mod get;
pub(crate) mod place;
mod plan;
mod progress;
mod prune;
mod put;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

/// What `reprise resume` is asked.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Decide which jobs of a run still have to run, by what they have left in object storage.
    Plan(plan::Arguments),
    /// Put a file into object storage; it is there whole or not at all.
    Put(put::Arguments),
    /// Fetch an object, checked against what was put.
    Get(get::Arguments),
    /// Tell whether an object is there: exit code 0 when it is, 1 when not, 2 when the store does not say.
    Exists(exists::Arguments),
    /// Remove what is old below a prefix.
    Prune(prune::Arguments),
}

/// Does it.
///
/// # Errors
///
/// Says what could not be done, and what helps.
pub async fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.command {
        Command::Plan(arguments) => plan::run(arguments).await,
        Command::Put(arguments) => put::run(arguments).await,
        Command::Get(arguments) => get::run(arguments).await,
        Command::Exists(arguments) => Ok(exists::run(arguments).await),
        Command::Prune(arguments) => prune::run(arguments).await,
    }
}
