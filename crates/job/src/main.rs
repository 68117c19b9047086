//! `reprise-job`: the commands of `reprise` that jobs run, in a small program.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use reprise_job::{checkpoint, failure, resume};

/// What jobs run, so that a re-run does only what is left to do.
#[derive(Debug, Parser)]
#[command(name = "reprise", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Have a re-run do only what is left to do.
    Resume(resume::Arguments),
    /// Save what a job has made before its machine goes, and bring it back to its next attempt.
    Checkpoint(checkpoint::Arguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    let ended = match Arguments::parse().command {
        Command::Resume(arguments) => resume::run(arguments).await,
        Command::Checkpoint(arguments) => checkpoint::run(arguments).await,
    };
    ended.unwrap_or_else(|error| failure(&error))
}
