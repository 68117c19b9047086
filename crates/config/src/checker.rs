//! Mistakes of a configuration, collected.

use crate::error::Problem;

/// Collects mistakes while values are read, so that an operator sees them all at once.
#[derive(Default)]
pub(crate) struct Checker {
    pub(crate) problems: Vec<Problem>,
}

impl Checker {
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

    pub(crate) fn wrong(&mut self, key: &str, message: impl Into<String>) {
        self.problems.push(Problem::new(key, message));
    }
}
