//! The steps of a drill, for people and for programs.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use reprise_engine::drill::{Step, Taken};
use serde_json::json;

use super::target::Target;
use crate::output::harmless;

/// What somebody is asked before it is done.
pub(super) fn question(target: &Target) -> String {
    harmless(&format!(
        "EC2 takes {target}, in two minutes and for good. The job fails, and is to come back by itself."
    ))
}

/// What was told already.
pub(super) struct Told {
    started: Timestamp,
    json: bool,
    steps: BTreeSet<Step>,
}

impl Told {
    pub(super) fn new(started: Timestamp, json: bool) -> Self {
        Self {
            started,
            json,
            steps: BTreeSet::new(),
        }
    }

    /// A step's line, once.
    pub(super) fn step(&mut self, taken: &Taken, now: Timestamp) -> Result<Option<String>> {
        if !self.steps.insert(taken.step) {
            return Ok(None);
        }
        let at = taken.at.unwrap_or(now);
        let after = at.duration_since(self.started);
        if self.json {
            let line = json!({
                "step": taken.step.as_str(),
                "at": at,
                "seconds": after.as_millis() as f64 / 1_000.0,
                "exact": taken.at.is_some(),
                "text": taken.says,
            });
            return serde_json::to_string(&line)
                .map(Some)
                .context("failed to write JSON");
        }
        // Where only the look has a time, it was at some moment before.
        let sign = if taken.at.is_some() { ' ' } else { '<' };
        let line = format!(
            "{sign}{}  {:18}  {}",
            clock(after),
            taken.step.as_str(),
            taken.says
        );
        Ok(Some(harmless(&line)))
    }

    /// The last line.
    pub(super) fn end(&self, says: &str, green: bool) -> Result<String> {
        if self.json {
            let line = json!({ "step": "end", "green": green, "text": says });
            return serde_json::to_string(&line).context("failed to write JSON");
        }
        Ok(says.to_owned())
    }
}

/// Minutes and seconds since the beginning.
fn clock(after: SignedDuration) -> String {
    let sign = if after.is_negative() { '-' } else { '+' };
    let seconds = after.as_secs().unsigned_abs();
    format!("{sign}{:02}:{:02}", seconds / 60, seconds % 60)
}
