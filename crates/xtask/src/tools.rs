//! Programs of other people that cargo builds, pinned, once, into `target/tools`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::command::{cargo, output, root, run};

/// The program, in exactly this version; `more` is what cargo is told beside it.
pub(crate) fn installed(package: &str, version: &str, more: &[&str]) -> Result<PathBuf> {
    let tools = root().join("target/tools");
    let program = tools.join("bin").join(package);
    let said = output(Command::new(&program).arg("--version"));
    if said.is_ok_and(|said| said.trim_end().ends_with(version)) {
        return Ok(program);
    }
    println!("installing {package} {version} into target/tools");
    let mut install = cargo(&["install", package, "--locked", "--version", version]);
    let build = tools.join("build");
    install.args(more).arg("--root").arg(&tools);
    run(install.env("CARGO_TARGET_DIR", &build))?;
    std::fs::remove_dir_all(build)?;
    Ok(program)
}
