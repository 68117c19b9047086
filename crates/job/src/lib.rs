//! What jobs run on their machines, without the SDKs that an operator's commands need: `reprise-job`, which a job's
//! machine has under the name `reprise`. The command line program has the same commands.

pub mod annotations;
pub mod checkpoint;
mod clock;
pub mod output;
pub mod resume;
mod write;

use std::collections::BTreeMap;
use std::process::ExitCode;

use self::output::{ReaderGone, note};

/// The exit code of a program whose reader has gone, as shells have it: 128 and SIGPIPE's number.
const READER_GONE: u8 = 141;

/// The environment, as far as it is text.
fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Tells why a command failed, and how the program is to end.
#[must_use]
pub fn failure(error: &anyhow::Error) -> ExitCode {
    if error.is::<ReaderGone>() {
        return ExitCode::from(READER_GONE);
    }
    // The question was wrong: told and ended as clap does with those that it finds itself.
    if let Some(usage) = error.downcast_ref::<clap::Error>() {
        usage.print().ok();
        return u8::try_from(usage.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
    }
    note(format_args!("error: {error:#}"));
    ExitCode::FAILURE
}
