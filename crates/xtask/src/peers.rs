//! Servers and descriptions that nobody here wrote, pinned, in folders of our own under target/.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{exists, root, run};

/// Where everything is installed.
fn folder() -> PathBuf {
    root().join("target/peers")
}

/// Installs what is not there yet, and answers the folder.
pub(crate) fn install() -> Result<PathBuf> {
    let lacking = lacking();
    if !lacking.is_empty() {
        bail!(
            "missing: {}\n\
             The tests against servers and descriptions of other people need that. Install it (on\n\
             Debian: apt-get install python3-venv npm), or run all the other tests:\n\
             \n    cargo xtask test --hermetic\n",
            lacking.join(", ")
        );
    }
    let folder = folder();
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("failed to make {}", folder.display()))?;
    python(&folder)?;
    node(&folder)?;
    Ok(folder)
}

/// Installs only those that need no Python.
pub(crate) fn install_node() -> Result<PathBuf> {
    let folder = folder();
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("failed to make {}", folder.display()))?;
    node(&folder)?;
    Ok(folder)
}

fn lacking() -> Vec<&'static str> {
    let venv = ["-c", "import venv, ensurepip"];
    let needs = [
        ("python3 with its module venv", exists("python3", &venv)),
        ("npm", exists("npm", &["--version"])),
    ];
    let lacking = needs.into_iter().filter(|(_, there)| !there);
    lacking.map(|(name, _)| name).collect()
}

fn python(folder: &Path) -> Result<()> {
    let wanted = root().join("tests/peers/requirements.txt");
    install_python(&wanted, &folder.join("venv"))
}

/// Installs a list of Python packages into an environment of their own, unless that was done.
pub(crate) fn install_python(wanted: &Path, venv: &Path) -> Result<()> {
    unless_done(wanted, &venv.join("installed.txt"), || {
        let shown = venv.strip_prefix(root()).unwrap_or(venv);
        println!("installing Python packages into {}", shown.display());
        run(Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(venv))?;
        run(Command::new(venv.join("bin/pip"))
            .args(["install", "--quiet", "--disable-pip-version-check"])
            .args(["--no-cache-dir", "--requirement"])
            .arg(wanted))
    })
}

fn node(folder: &Path) -> Result<()> {
    let wanted = root().join("tests/peers/package.json");
    let node = folder.join("node");
    unless_done(&wanted, &node.join("installed.txt"), || {
        println!("installing Node peers into target/peers/node");
        std::fs::create_dir_all(&node).context("failed to make target/peers/node")?;
        std::fs::copy(&wanted, node.join("package.json")).context("failed to copy package.json")?;
        let cache = folder.join("npm-cache");
        run(Command::new("npm")
            .current_dir(&node)
            .args(["install", "--no-audit", "--no-fund", "--no-package-lock"])
            .args(["--loglevel=error", "--cache"])
            .arg(&cache))
    })
}

/// Installs unless the mark left by the last installation says that it was of the same list and at
/// the same place: the programs of a venv hold its path.
fn unless_done(wanted: &Path, mark: &Path, install: impl FnOnce() -> Result<()>) -> Result<()> {
    let list = std::fs::read_to_string(wanted)
        .with_context(|| format!("failed to read {}", wanted.display()))?;
    let state = format!("at {}\n{list}", mark.display());
    if std::fs::read_to_string(mark).is_ok_and(|installed| installed == state) {
        return Ok(());
    }
    install()?;
    std::fs::write(mark, state).with_context(|| format!("failed to write {}", mark.display()))
}
