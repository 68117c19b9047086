//! The grammar of `runs-on` labels: what the author of a workflow may ask for.
//!
//! `runs-on=ID/cpu=4/...` (one label, slashes), `runs-on=ID,cpu=4` (commas), an array of labels,
//! and mixtures of all three mean the same; `+` makes a list of a value, a bare key means true,
//! and of duplicates the last wins. Keys of other fleets that choose the machine (`runner`, `ami`,
//! `volume`, `disk`, `hdd`, `region`) are mistakes, since to ignore them would launch the wrong one;
//! their other keys are ignored and listed in [`JobLabels::ignored`].
//!
//! Labels are input from strangers: this module only says what they mean, never whether it is
//! allowed.

mod family;
mod keys;
mod parse;
mod values;
mod word;

use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

pub use self::family::{FamilyPattern, InvalidFamily};
pub use self::parse::{parse, retry_of};
use crate::policy::RetryPolicy;

/// What the labels of a job of ours ask for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct JobLabels {
    /// The text after `runs-on=`, which makes the label unique to a run and job.
    pub id: Option<String>,
    /// `spot=`.
    pub spot: SpotChoice,
    /// `retry=`; absent means that policy decides.
    pub retry: Option<RetryPolicy>,
    /// `family=`, in order; empty means any.
    pub family: Vec<FamilyPattern>,
    /// `cpu=`, in vCPUs.
    pub cpu: Option<Range>,
    /// `ram=`, in GiB.
    pub ram: Option<Range>,
    /// `image=`, a configured name.
    pub image: Option<String>,
    /// Settings of other fleets that change nothing here, as they were written.
    pub ignored: Vec<String>,
}

/// `spot=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpotChoice {
    /// Spot on the first attempt; the default.
    #[default]
    On,
    /// Always on-demand.
    Off,
}

/// An inclusive range of vCPUs or GiB; `cpu=4+16` is 4 to 16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The least.
    pub min: u32,
    /// The most; never below `min`.
    pub max: u32,
}

impl Range {
    /// Whether `value` lies within.
    pub fn contains(self, value: u32) -> bool {
        RangeInclusive::new(self.min, self.max).contains(&value)
    }
}

/// A mistake in a label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("label {label:?}, at character {position}: {problem}; {hint}")]
pub struct LabelError {
    /// The label as GitHub sent it.
    pub label: String,
    /// Where in the label the mistake begins: characters from 1.
    pub position: usize,
    /// What is wrong.
    pub problem: String,
    /// What would be right.
    pub hint: String,
}

/// All mistakes of a job's labels; never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LabelErrors(pub Vec<LabelError>);

impl fmt::Display for LabelErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for LabelErrors {}

#[cfg(test)]
mod tests;
