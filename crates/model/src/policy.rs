//! What a job asks to be done about its failures.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What follows when a queued job gets no machine, beside the check run that says so.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum OnLaunchExhausted {
    /// It waits on; another runner may take it, and GitHub ends it after a day.
    #[default]
    LeaveQueued,
    /// Its run is cancelled.
    CancelRun,
}

/// The `retry=` label's meaning, or a `[[policy]]` entry's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RetryPolicy {
    /// Re-run a job that lost its spot instance; the default on spot.
    WhenInterrupted,
    /// Never re-run.
    Never,
}

impl RetryPolicy {
    /// The highest execution of a job key that is still re-run: 1 means that a job which lost its
    /// instance twice stays failed. 0 re-runs nothing.
    pub fn last_retried_execution(self) -> u32 {
        match self {
            Self::WhenInterrupted => 1,
            Self::Never => 0,
        }
    }

    /// The value as it is written in a label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WhenInterrupted => "when-interrupted",
            Self::Never => "false",
        }
    }
}

impl fmt::Display for RetryPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which attempts above 1 are kept off spot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnDemandRetries {
    /// Every attempt above 1, whatever its labels say.
    #[default]
    Always,
    /// Every attempt above 1 but those of jobs with `retry=false`, which keep their spot label.
    UnlessOptedOut,
    /// Only attempts that Reprise itself asked for; a person's re-run keeps its spot label.
    AutomaticOnly,
}
