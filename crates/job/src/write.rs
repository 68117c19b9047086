//! The files that GitHub gives each step to write to.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;

use anyhow::{Context, Result};

use crate::output::say_exactly;

/// For the workflow; outside of GitHub, for whoever reads the log.
pub(crate) fn outputs(environment: &BTreeMap<String, String>, text: &str) -> Result<()> {
    match environment.get("GITHUB_OUTPUT") {
        Some(path) => append(path, text),
        None => say_exactly(&format!("\n{text}")),
    }
}

/// For the page of the run; outside of GitHub there is none.
pub(crate) fn summary(environment: &BTreeMap<String, String>, text: &str) -> Result<()> {
    environment
        .get("GITHUB_STEP_SUMMARY")
        .map_or(Ok(()), |path| append(path, text))
}

/// Other programs of the step may have written to it before, and left their last line without an end.
fn append(path: &str, text: &str) -> Result<()> {
    let before = std::fs::read(path).unwrap_or_default();
    let joint = if before.last().is_none_or(|last| *last == b'\n') {
        ""
    } else {
        "\n"
    };
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.and_then(|mut file| file.write_all(format!("{joint}{text}").as_bytes()))
        .with_context(|| format!("failed to write to {path}, as GitHub asks"))
}
