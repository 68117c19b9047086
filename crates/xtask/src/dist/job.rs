//! What jobs run, as a static program that a step downloads and checks.

use anyhow::Result;

use super::{Build, TARGETS};
use crate::command;

/// What is built.
const JOB: Build = Build {
    package: "reprise-job",
    profile: "job",
    // Each job that has no image of its own downloads it.
    largest: 15_000_000,
};

/// What tells the program from the folders beside it.
pub(super) const EXTENSION: &str = "linux";

/// Builds and checks the programs, under `target/dist`; with `native` for this machine's kind of processor alone.
pub(crate) fn make(native: bool) -> Result<()> {
    let folder = command::root().join("target/dist");
    std::fs::create_dir_all(&folder)?;
    for target in &TARGETS {
        if native && !target.is_native() {
            continue;
        }
        let program = JOB.make(target)?;
        let name = format!("reprise-job_{}.{EXTENSION}", target.debian);
        std::fs::copy(program, folder.join(name))?;
    }
    Ok(())
}
