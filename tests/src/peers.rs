//! Where the servers and descriptions that nobody here wrote are installed.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

/// Set by `cargo xtask test`.
const FOLDER: &str = "REPRISE_PEERS";

/// A program of the private Python environment.
pub fn python_program(name: &str) -> Result<PathBuf> {
    installed(&format!("venv/bin/{name}"))
}

/// A file of an npm package.
pub fn node_file(path: &str) -> Result<PathBuf> {
    installed(&format!("node/node_modules/{path}"))
}

fn installed(path: &str) -> Result<PathBuf> {
    let folder = std::env::var_os(FOLDER).with_context(|| {
        format!(
            "{FOLDER} is not set, so that nobody knows where other people's servers are installed; \
             run the tests by `cargo xtask test`, or install them by `cargo xtask peers` and set \
             {FOLDER} to the folder target/peers of the workspace"
        )
    })?;
    let file = PathBuf::from(folder).join(path);
    ensure!(
        file.exists(),
        "{} is missing; install it by `cargo xtask peers`",
        file.display()
    );
    Ok(file)
}
