//! Check runs of ours on a commit: what GitHub is asked for, what it has, and the record of the one that
//! tells of a run.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{CheckRunId, JobId, RunAttempt, Sha};
use crate::ledger::{Due, RunKey};
use crate::reason::SettleReason;

/// What people see a check run of ours by.
pub const CHECK_NAME: &str = "Reprise";

/// What the name of a merge gate's check run begins with; the workflow's file follows.
pub const GATE_NAME: &str = "Reprise merge queue";

/// Where a check run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckState {
    /// Something is still to come.
    InProgress,
    /// It has completed, well.
    Success,
    /// It has completed, and failed.
    Failure,
    /// It has completed, and is neither good nor bad.
    Neutral,
}

impl CheckState {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::InProgress,
        Self::Success,
        Self::Failure,
        Self::Neutral,
    ];

    /// GitHub's `status`.
    pub fn status(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Success | Self::Failure | Self::Neutral => "completed",
        }
    }

    /// GitHub's `conclusion`, where it has completed.
    pub fn conclusion(self) -> Option<&'static str> {
        match self {
            Self::InProgress => None,
            Self::Success => Some("success"),
            Self::Failure => Some("failure"),
            Self::Neutral => Some("neutral"),
        }
    }

    /// The label value for metrics and logs.
    pub fn as_str(self) -> &'static str {
        self.conclusion().unwrap_or("in-progress")
    }

    /// Whether nothing more is to come.
    pub fn is_concluded(self) -> bool {
        self.conclusion().is_some()
    }

    /// Reads GitHub's two words. `None` for those that we never write.
    pub fn read(status: &str, conclusion: Option<&str>) -> Option<Self> {
        let is_it = |one: &Self| one.status() == status && one.conclusion() == conclusion;
        Self::ALL.into_iter().find(is_it)
    }
}

/// What a check run says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckText {
    /// Where it stands.
    pub state: CheckState,
    /// One line.
    pub title: String,
    /// Markdown.
    pub summary: String,
}

/// A check run that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRunOrder {
    /// The commit.
    pub head: Sha,
    /// What people see it by.
    pub name: String,
    /// By which it is found again.
    pub external_id: String,
    /// What it is to say.
    pub text: CheckText,
}

/// A check run of ours that GitHub has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRunSeen {
    /// GitHub's number for it.
    pub id: CheckRunId,
    /// What it was made with.
    pub external_id: Option<String>,
    /// What it says; `None` where it is nothing that we write.
    pub text: Option<CheckText>,
}

/// What GitHub shows of a run, and is to show: one check run, on the run's commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckEntry {
    /// Which run.
    pub key: RunKey,
    /// The run's commit.
    pub head: Sha,
    /// The merge gate that it is; `None` where it merely tells what was interrupted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
    /// Interrupted jobs for which no re-run is asked, and which the run's record does not hold.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left: BTreeMap<JobId, LeftJob>,
    /// GitHub's number for it, once that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<CheckRunId>,
    /// What GitHub is known to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<CheckText>,
    /// When to look whether it must say something else; `None` when its last word is said.
    pub due: Option<Due>,
    /// Until when it is left to whoever may be writing to GitHub. Where that one does not live to say what it
    /// wrote, GitHub is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_until: Option<Timestamp>,
}

/// A merge queue waits for this check run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// Since when it is counted how long that takes.
    pub opened_at: Timestamp,
    /// The workflow's file, as `ci.yml`, once GitHub has shown that the run is of a merge queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<GateEnd>,
}

/// How a merge gate ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateEnd {
    /// The run passed.
    Passed,
    /// The run ended otherwise, in GitHub's word, and no retry is due.
    Failed(String),
    /// Its time was over before that was known.
    TooLate,
}

impl GateEnd {
    /// The label value for metrics and logs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed(_) => "failed",
            Self::TooLate => "too-late",
        }
    }
}

/// An interrupted job for which no re-run is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftJob {
    /// Its name, with matrix values.
    pub name: String,
    /// The attempt in which it was interrupted.
    pub attempt: RunAttempt,
    /// Why.
    pub reason: SettleReason,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn githubs_two_words_are_read_back_as_the_state_that_they_were_written_for() {
        for state in CheckState::ALL {
            let read = CheckState::read(state.status(), state.conclusion());
            assert_eq!(read, Some(state));
        }
        assert_eq!(CheckState::read("completed", None), None);
        assert_eq!(CheckState::read("queued", None), None);
        assert_eq!(CheckState::read("completed", Some("stale")), None);
    }

    #[test]
    fn a_stored_gate_keeps_its_form() {
        let gate = Gate {
            opened_at: Timestamp::UNIX_EPOCH,
            workflow: Some("ci.yml".to_owned()),
            end: Some(GateEnd::Failed("cancelled".to_owned())),
        };
        let text = serde_json::to_string(&gate).expect("writable");
        assert_eq!(
            text,
            "{\"opened_at\":\"1970-01-01T00:00:00Z\",\"workflow\":\"ci.yml\",\
             \"end\":{\"failed\":\"cancelled\"}}"
        );
        let back: Gate = serde_json::from_str(&text).expect("readable");
        assert_eq!(back, gate);
    }
}
