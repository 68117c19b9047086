//! `cargo xtask test`: one selection of crates and features, so that the EC2 SDK is built once.

use std::process::Command;

use anyhow::Result;

use crate::command::{self, cargo};
use crate::peers;

/// Builds the programs that the end-to-end tests start, then runs every test.
pub(crate) fn run(hermetic: bool, no_run: bool) -> Result<()> {
    let mut build = selected(&["build", "--all-targets"]);
    let mut test = selected(&["test", "--no-fail-fast"]);
    // An error of a test says what happened; where it was made adds fifty lines to each.
    test.env("RUST_LIB_BACKTRACE", "0");
    if !hermetic {
        let folder = peers::install()?;
        build.args(["--features", "reprise-tests/peers"]);
        test.args(["--features", "reprise-tests/peers"]);
        test.env("REPRISE_PEERS", folder);
    }
    command::run(&mut build)?;
    if no_run {
        return Ok(());
    }
    command::run(&mut test)?;
    if hermetic {
        println!(
            "left out by --hermetic: the tests against moto, ministack and GitHub's own descriptions"
        );
    }
    Ok(())
}

fn selected(words: &[&str]) -> Command {
    let mut command = cargo(words);
    command.args(["--workspace", "--locked"]);
    command
}
