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

/// What a newcomer needs besides the arguments.
const STORES: &str = "\
A store is file:///FOLDER, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX.
Who you are is found in environment variables (AWS_ACCESS_KEY_ID and the like), the profile of
AWS_PROFILE, web identities and the machine's own role. AWS_ENDPOINT_URL names another S3 than
Amazon's.

  reprise resume put ruby.deb s3://our-artifacts/build/17/ruby.deb
  reprise resume get s3://our-artifacts/build/17/ruby.deb ruby.deb
  reprise resume prune s3://our-artifacts/build --older-than 14d --dry-run";

#[derive(Debug, Subcommand)]
enum Command {
    /// Decide which jobs of a run still have to run, by what they have left in object storage.
    Plan(plan::Arguments),
    /// Put a file into object storage; it is there whole or not at all.
    #[command(after_help = STORES)]
    Put(put::Arguments),
    /// Fetch an object, checked against what was put.
    #[command(after_help = STORES)]
    Get(get::Arguments),
    /// Tell whether an object is there: exit code 0 when it is, 1 when not, 2 when the store does not say.
    #[command(after_help = STORES)]
    Exists(exists::Arguments),
    /// Remove what is old below a prefix.
    #[command(after_help = STORES)]
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
