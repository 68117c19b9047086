//! Label values that come from outside: the first so many are shown, and all others are one.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// What stands for all values past the cap.
pub(super) const OTHER: &str = "other";

/// The values of one label. A clone shares them.
#[derive(Debug, Clone)]
pub(super) struct Capped {
    most: usize,
    seen: Arc<Mutex<BTreeSet<String>>>,
}

impl Capped {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            seen: Arc::default(),
        }
    }

    /// The value, or the one that stands for what is past the cap. Who came first stays until the end of
    /// the process, so that no series changes its meaning.
    pub(super) fn of<'a>(&self, value: &'a str) -> &'a str {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.contains(value) {
            value
        } else if seen.len() < self.most {
            seen.insert(value.to_owned());
            value
        } else {
            OTHER
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_values_keep_their_names_and_all_others_are_one() {
        let capped = Capped::new(2);
        for (value, shown) in [
            ("acme/shop", "acme/shop"),
            ("acme/site", "acme/site"),
            ("acme/api", OTHER),
            ("acme/shop", "acme/shop"),
            ("acme/app", OTHER),
        ] {
            assert_eq!(capped.clone().of(value), shown);
        }
    }
}
