//! cargo-deny, installed with the other peers, offline.

use std::process::Command;

use anyhow::Result;

use crate::command::{root, run};
use crate::peers;

/// Checks bans, licences and sources.
pub(crate) fn check() -> Result<()> {
    let deny = peers::install()?.join("venv/bin/cargo-deny");
    run(Command::new(deny)
        .current_dir(root())
        .args(["--offline", "--locked", "check", "bans", "licenses", "sources"]))
}
