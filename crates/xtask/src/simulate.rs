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
    ]);
    // Only a build that is asked for them by name has the broken behaviours.
    if arguments.iter().any(|one| one.starts_with("--mutant")) {
        play.args(["--features", "mutants"]);
    }
    command::run(play.arg("--").args(arguments))
}
