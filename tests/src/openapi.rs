//! GitHub's own description of itself as the judge of what the simulated GitHub says.
//!
//! The judging is done by `peers/check_openapi.py` with a schema library that nobody here wrote;
//! this only hands it what was said, all at once, since it reads 13 MB before the first verdict.

use std::io::{Seek, Write};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use crate::peers;

const DESCRIPTION: &str = "@octokit/openapi/generated/api.github.com.json";

/// What the description says of something that was said.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Judgement {
    /// The method and the path as described, or the name of the webhook.
    pub route: String,
    /// In one word.
    pub verdict: Verdict,
    /// What differs, the first few.
    pub problems: Vec<String>,
}

/// In one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As described.
    Ok,
    /// No such path, method or webhook.
    Unknown,
    /// A status that is not described for the path, with the body of GitHub's basic error.
    Undocumented,
    /// A body that is not as described.
    Invalid,
}

/// Judges what was said, in order; `peers/check_openapi.py` says how a line looks.
pub fn judge(said: &[Value]) -> Result<Vec<Judgement>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/check_openapi.py");
    let mut lines = tempfile::tempfile().context("failed to make a file")?;
    for line in said {
        writeln!(lines, "{line}")?;
    }
    lines.rewind()?;
    let output = Command::new(peers::python_program("python")?)
        .arg(script)
        .arg(peers::node_file(DESCRIPTION)?)
        .stdin(lines)
        .output()
        .context("failed to start the judge")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the judge failed:\n{complaint}");
    let judgements: Vec<Judgement> = serde_json::Deserializer::from_slice(&output.stdout)
        .into_iter()
        .collect::<Result<_, _>>()?;
    ensure!(
        judgements.len() == said.len(),
        "{} lines were judged by {} verdicts",
        said.len(),
        judgements.len()
    );
    Ok(judgements)
}
