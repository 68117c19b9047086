//! Whether what GitHub was asked for one claim tells another one enough.
//!
//! Thousands of claims of one run may become due at once, and each wants the same list of jobs. A claim
//! becomes due after whatever was asked for it before is over, and whoever works on it has it until its next
//! due time. So a look that was begun since it became due shows all that was done for it, as one of its own
//! would.

use jiff::{SignedDuration, Timestamp};
use reprise_model::ledger::Due;

/// How long a look tells. A list of 2,000 jobs takes six seconds or so to read.
const YOUNG: SignedDuration = SignedDuration::from_secs(30);

/// Whether a look that was begun at `begun_at` tells enough about a claim that was due then.
pub fn serves(begun_at: Timestamp, due: Option<Due>, now: Timestamp) -> bool {
    due.is_some_and(|due| due.at <= begun_at) && is_young(begun_at, now)
}

/// Whether a look may serve anybody (any more).
pub fn is_young(begun_at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(begun_at) < YOUNG
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::at;

    fn due(seconds: i64) -> Option<Due> {
        Some(Due::now(at(seconds)))
    }

    #[test]
    fn a_look_serves_those_that_were_due_when_it_was_begun() {
        assert!(serves(at(10), due(10), at(12)));
        assert!(serves(at(10), due(3), at(12)));
    }

    #[test]
    fn what_became_due_later_is_looked_at_anew() {
        assert!(!serves(at(10), due(11), at(12)));
        assert!(!serves(at(10), None, at(12)), "nobody knows since when");
    }

    #[test]
    fn a_look_gets_old() {
        assert!(serves(at(0), due(0), at(29)));
        assert!(!serves(at(0), due(0), at(30)));
    }
}
