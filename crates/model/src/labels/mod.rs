//! The grammar of `runs-on` labels: what the author of a workflow may ask for.
//!
//! `runs-on=ID/cpu=4/...` (one label, slashes), `runs-on=ID,cpu=4` (commas), an array of labels,
//! and mixtures of all three mean the same; `+` makes a list of a value, a bare key means true,
//! and of duplicates the last wins. Keys of other fleets that change nothing of the machine are
//! ignored and listed in [`JobLabels::ignored`]; those that choose it in a way of their own (`disk`,
//! `hdd`) are mistakes, since to ignore them would launch the wrong one.
//!
//! Labels are input from strangers: this module only says what they mean, never whether it is
//! allowed.

mod family;
mod keys;
mod name;
mod others;
mod parse;
mod runner;
mod spot;
mod values;
mod volume;
mod wish;
mod word;

use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

pub use self::family::{FamilyPattern, InvalidFamily};
pub use self::keys::nearest;
pub use self::name::{InvalidName, Name};
pub use self::others::{InvalidLabelPattern, LabelPattern};
pub use self::parse::{env_of, parse, read_wish, retry_of};
pub use self::runner::PredefinedRunner;
pub use self::spot::SpotChoice;
pub use self::wish::{ImageChoice, MachineWish};
use crate::policy::RetryPolicy;

/// What the labels of a job of ours ask for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct JobLabels {
    /// The text after `runs-on=`, which makes the label unique to a run and job.
    pub id: Option<String>,
    /// `runner=`, a configured or a predefined name; what it stands for holds where
    /// [`JobLabels::machine`] says nothing.
    pub runner: Option<Name>,
    /// `env=`; absent means the default environment.
    pub env: Option<Name>,
    /// `retry=`; absent means that policy decides.
    pub retry: Option<RetryPolicy>,
    /// Everything else that is said of the machine.
    pub machine: MachineWish,
    /// Settings of other fleets that change nothing here, as they were written.
    pub ignored: Vec<String>,
    /// Labels beside ours that say nothing to us, in whole or in part, as they were written. A runner
    /// that bears them takes the jobs of others who ask for them.
    pub others: Vec<String>,
}

/// An inclusive range of vCPUs or GiB; `cpu=4+16` is 4 to 16. As text it is what a label says.
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

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.min == self.max {
            self.min.fmt(f)
        } else {
            write!(f, "{}+{}", self.min, self.max)
        }
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
