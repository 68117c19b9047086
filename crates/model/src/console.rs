//! The last lines of an instance's console, kept because EC2 forgets them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What an instance had written to its console at last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsoleTail {
    /// When EC2 was asked.
    pub at: Timestamp,
    /// Why.
    pub cause: ConsoleCause,
    /// The last lines, the oldest first. None where EC2 had none, however often it was asked.
    pub lines: Vec<String>,
}

/// Why an instance's console is of interest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConsoleCause {
    /// EC2 took or lost it.
    Died,
    /// It was launched for a job that it did not take.
    NeverRegistered,
}

impl ConsoleCause {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Died, Self::NeverRegistered];

    /// The word for logs, metrics and stories.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Died => "died",
            Self::NeverRegistered => "never-registered",
        }
    }
}
