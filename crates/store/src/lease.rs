//! Leases: which process alone may do a thing for a while, and how a late one is fenced off.
//!
//! A lease is not a record. It never expires from the table, so that its fence never goes back; the
//! time until which it is held stands in it and is judged by whoever asks next.

use std::fmt;

/// What only one process at a time may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeaseName {
    /// The periodic reconciliation of everything.
    Sweep,
}

impl LeaseName {
    /// The name as it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sweep => "sweep",
        }
    }
}

impl fmt::Display for LeaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One process among all that share a store. A restarted process is another one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HolderId(String);

impl HolderId {
    /// From text that no other process has.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HolderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The number of a lease's holder in the order of holders, counted from 1. Whoever holds a lease
/// with a smaller one than the store knows is late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fence(pub u64);
