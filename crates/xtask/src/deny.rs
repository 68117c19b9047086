//! cargo-deny, installed with the other peers. It checks offline; only crates are fetched before.

use std::process::Command;

use anyhow::Result;

use crate::command::{cargo, root, run};
use crate::peers;

/// Checks bans, licences and sources.
pub(crate) fn check() -> Result<()> {
    let deny = peers::install()?.join("venv/bin/cargo-deny");
    // It reads the manifests of all platforms' crates, and a build fetches this platform's alone.
    run(&mut cargo(&["fetch", "--locked"]))?;
    run(Command::new(deny).current_dir(root()).args([
        "--offline",
        "--locked",
        "check",
        "bans",
        "licenses",
        "sources",
    ]))
}
