//! `reprise resume exists`: whether an object is in the store, by the exit code.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::place::StoreArguments;
use crate::output::note;

/// The exit code where the store does not say: 1 would be an answer.
const UNKNOWN: u8 = 2;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What it is called: a key in the store, or an address with the store.
    object: String,
    #[command(flatten)]
    store: StoreArguments,
}

pub(super) async fn run(arguments: Arguments) -> ExitCode {
    match look(&arguments).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            note(format_args!("error: {error:#}"));
            ExitCode::from(UNKNOWN)
        }
    }
}

async fn look(arguments: &Arguments) -> Result<bool> {
    let (depot, key) = arguments.store.object(&arguments.object)?;
    Ok(depot.exists(&key).await?)
}
