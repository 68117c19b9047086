//! Servers and descriptions that nobody here wrote, pinned, in folders of our own under target/.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{exists, root, run};

/// Where everything is installed.
pub(crate) fn folder() -> PathBuf {
    root().join("target/peers")
}

/// Installs what is not there yet, and answers the folder.
pub(crate) fn install() -> Result<PathBuf> {
    let lacking = lacking();
    if !lacking.is_empty() {
        bail!(
            "the tests against other people's servers need {}; install it, or leave these tests out with \
             `cargo xtask test --hermetic`",
            lacking.join(" and ")
        );
    }
    let folder = folder();
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("failed to make {}", folder.display()))?;
    python(&folder)?;
    node(&folder)?;
    Ok(folder)
}

fn lacking() -> Vec<&'static str> {
    let needs = [
        ("python3 with venv", exists("python3", &["-c", "import venv, ensurepip"])),
        ("npm", exists("npm", &["--version"])),
    ];
    needs.into_iter().filter(|(_, there)| !there).map(|(name, _)| name).collect()
}

fn python(folder: &Path) -> Result<()> {
    let wanted = root().join("tests/peers/requirements.txt");
    let venv = folder.join("venv");
    unless_done(&wanted, &venv.join("installed-requirements.txt"), || {
        println!("installing Python peers into target/peers/venv");
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        run(Command::new(venv.join("bin/pip"))
            .args(["install", "--quiet", "--disable-pip-version-check", "--requirement"])
            .arg(&wanted))
    })
}

fn node(folder: &Path) -> Result<()> {
    let wanted = root().join("tests/peers/package.json");
    let node = folder.join("node");
    unless_done(&wanted, &node.join("installed-package.json"), || {
        println!("installing Node peers into target/peers/node");
        std::fs::create_dir_all(&node).context("failed to make target/peers/node")?;
        std::fs::copy(&wanted, node.join("package.json")).context("failed to copy package.json")?;
        run(Command::new("npm").current_dir(&node).args([
            "install",
            "--no-audit",
            "--no-fund",
            "--no-package-lock",
            "--loglevel=error",
        ]))
    })
}

/// Installs when the copy of the list made after the last installation differs from the list.
fn unless_done(wanted: &Path, mark: &Path, install: impl FnOnce() -> Result<()>) -> Result<()> {
    let list = std::fs::read(wanted).with_context(|| format!("failed to read {}", wanted.display()))?;
    if std::fs::read(mark).is_ok_and(|installed| installed == list) {
        return Ok(());
    }
    install()?;
    std::fs::write(mark, list).with_context(|| format!("failed to write {}", mark.display()))
}
