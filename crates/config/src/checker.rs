//! Mistakes of a configuration, collected.

use crate::ReadFile;
use crate::error::Problem;

/// Whether the secrets count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrecy {
    /// They must be there.
    Needed,
    /// Whoever reads has no use for them, and perhaps no right to.
    LeftOut,
}

/// Collects mistakes while values are read, so that an operator sees them all at once.
pub(crate) struct Checker<'a> {
    pub(crate) problems: Vec<Problem>,
    /// Reads the files with secrets.
    pub(crate) read: ReadFile<'a>,
    pub(crate) secrecy: Secrecy,
}

impl<'a> Checker<'a> {
    pub(crate) fn new(read: ReadFile<'a>, secrecy: Secrecy) -> Self {
        Self {
            problems: Vec::new(),
            read,
            secrecy,
        }
    }

    pub(crate) fn need<T>(&mut self, key: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.problems.push(Problem::missing(key));
        }
        value
    }

    pub(crate) fn good<T, E: std::fmt::Display>(
        &mut self,
        key: &str,
        value: Result<T, E>,
    ) -> Option<T> {
        value
            .map_err(|error| self.wrong(key, error.to_string()))
            .ok()
    }

    /// A text that may not be empty; `right` is what to write.
    pub(crate) fn filled(&mut self, key: &str, text: &str, right: &str) {
        if text.trim().is_empty() {
            self.wrong(key, format!("is empty; {right}"));
        }
    }

    pub(crate) fn wrong(&mut self, key: &str, message: impl Into<String>) {
        self.problems.push(Problem::new(key, message));
    }
}
