//! Findings, for people and for programs.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use reprise_engine::doctor::{Finding, Health};
use serde_json::json;

use crate::output::harmless;

/// What was told so far.
pub(super) struct Page {
    is_json: bool,
    /// Advice that a reader has seen.
    advised: BTreeSet<String>,
}

impl Page {
    pub(super) fn new(is_json: bool) -> Self {
        Self {
            is_json,
            advised: BTreeSet::new(),
        }
    }

    /// One finding.
    pub(super) fn line(&mut self, finding: &Finding) -> Result<String> {
        if self.is_json {
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
        let advice = self.advice(finding).unwrap_or_default();
        let says = format!("{word:6} {:14} {}{advice}", finding.check, finding.says);
        Ok(harmless(&says))
    }

    /// Once in full: a wall of the same words hides the others.
    fn advice(&mut self, finding: &Finding) -> Option<String> {
        let advice = finding.advice.as_ref()?;
        let is_new = self.advised.insert(advice.clone());
        let shown = if is_new { advice } else { "as said above" };
        Some(format!("\n{:22}-> {shown}", ""))
    }
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
