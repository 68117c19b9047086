//! What `spot=` says.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::launch::SpotStrategy;

/// `spot=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpotChoice {
    /// Spot on the first attempt, chosen so.
    On(SpotStrategy),
    /// Always on-demand.
    Off,
}

impl Default for SpotChoice {
    fn default() -> Self {
        Self::On(SpotStrategy::default())
    }
}

/// As a label says it.
impl fmt::Display for SpotChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::On(strategy) => f.pad(strategy.as_str()),
            Self::Off => f.pad("false"),
        }
    }
}
