//! Findings, for people and for programs.

use anyhow::{Context, Result};
use reprise_engine::doctor::{Finding, Health};
use serde_json::json;

use crate::output::harmless;

/// One finding.
pub(super) fn line(finding: &Finding, is_json: bool) -> Result<String> {
    if is_json {
        let line = json!({
            "check": finding.check,
            "health": finding.health.as_str(),
            "text": finding.says,
            "advice": finding.advice,
        });
        return serde_json::to_string(&line).context("failed to write JSON");
    }
    let word = match finding.health {
        Health::Ok => "ok",
        Health::Unknown => "?",
        Health::Wrong => "WRONG",
    };
    let advice = finding.advice.iter();
    let advice: String = advice.map(|one| format!("\n{:22}-> {one}", "")).collect();
    let says = format!("{word:6} {:14} {}{advice}", finding.check, finding.says);
    Ok(harmless(&says))
}

/// The last line.
pub(super) fn summary(findings: &[Finding]) -> String {
    let count = |health: Health| findings.iter().filter(|one| one.health == health).count();
    match (count(Health::Wrong), count(Health::Unknown)) {
        (0, 0) => "All is well.".to_owned(),
        (0, unknown) => format!("Nothing is wrong; {unknown} could not be told."),
        (wrong, _) => format!("{wrong} to be seen to."),
    }
}
