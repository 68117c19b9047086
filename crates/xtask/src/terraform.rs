//! The checks of the Terraform modules: a script of theirs, in an environment that has what it needs.

use std::process::Command;

use anyhow::{Result, bail};

use crate::command::{exists, root, run};
use crate::peers;

/// Installs the checks and runs them. What they need beside Python, they say themselves.
pub(crate) fn check() -> Result<()> {
    let venv = [
        "-c",
        "import sys, venv, ensurepip; assert sys.version_info >= (3, 11)",
    ];
    if !exists("python3", &venv) {
        bail!(
            "missing: python3, 3.11 or later, with its module venv (on Debian: apt-get install python3-venv)"
        );
    }
    let checks = root().join("terraform/checks");
    let venv = root().join("target/terraform/venv");
    peers::install_python(&checks.join("requirements.txt"), &venv)?;
    run(Command::new(venv.join("bin/python"))
        .arg("-B")
        .arg(checks.join("run.py")))
}
