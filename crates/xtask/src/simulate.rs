//! `cargo xtask simulate`: the simulator's own program, built as it is tuned for (the dev profile).

use anyhow::Result;

use crate::command::{self, cargo};

/// Builds the simulator and plays what the arguments say.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut play = cargo(&[
        "run",
        "--locked",
        "--quiet",
        "--package",
        "reprise-simulator",
        "--",
    ]);
    command::run(play.args(arguments))
}
