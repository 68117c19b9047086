//! `reprise labels`: what workflows say in `runs-on`, before anything runs.
//!
//! Exit codes: 0 when nothing is wrong, 1 when something is, 2 when it could not be looked at.

mod check;
mod lint;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::output::{ReaderGone, note};

/// The exit code when the question itself was wrong, as for arguments that do not fit.
const NOT_LOOKED_AT: u8 = 2;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell what a job with these labels would get.
    Check(check::Arguments),
    /// Find bad, mistyped and shared labels in workflow files.
    Lint(lint::Arguments),
}

pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    let looked = match arguments.command {
        Command::Check(arguments) => check::run(&arguments),
        Command::Lint(arguments) => lint::run(&arguments),
    };
    looked.or_else(|error| {
        if error.is::<ReaderGone>() {
            return Err(error);
        }
        note(format_args!("error: {error:#}"));
        Ok(ExitCode::from(NOT_LOOKED_AT))
    })
}
