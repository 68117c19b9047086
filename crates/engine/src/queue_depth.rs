//! When a queue is asked how many messages it holds, and what is said where it does not tell.
//!
//! Nothing is decided by the numbers: they are for people. So a right that is missing is said once, and asked for
//! again as seldom as somebody may have granted it.

use jiff::{SignedDuration, Timestamp};

use crate::backoff::after;

/// The pause between two questions. Each costs a request: four queues at two replicas make 350,000 a month, which
/// is 0.14 dollars (docs/cost.md).
pub const ASKED_EVERY: SignedDuration = SignedDuration::from_secs(60);

/// After a no for lack of a right.
const ASKED_AGAIN_AFTER_A_NO: SignedDuration = SignedDuration::from_hours(1);

/// Why a queue did not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untold {
    /// The right is missing, or the queue: somebody must act.
    Denied,
    /// It may pass by itself; whoever receives from the queue says so, too.
    Passing,
}

/// How to tell of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// To everybody.
    Aloud,
    /// To who looks for it: it passes, or was said already.
    Quietly,
}

/// What is remembered of the questions to one queue.
#[derive(Debug, Clone, Default)]
pub struct QueueDepth {
    not_before: Option<Timestamp>,
    said: bool,
}

impl QueueDepth {
    /// Whether it is to be asked now.
    pub fn is_asked(&self, now: Timestamp) -> bool {
        self.not_before.is_none_or(|not_before| not_before <= now)
    }

    /// It told. What is missing later is said anew.
    pub fn answered(&mut self) {
        *self = Self::default();
    }

    /// It did not tell.
    #[must_use]
    pub fn unanswered(&mut self, why: Untold, now: Timestamp) -> Told {
        match why {
            Untold::Denied => {
                self.not_before = Some(after(now, ASKED_AGAIN_AFTER_A_NO));
                if std::mem::replace(&mut self.said, true) {
                    Told::Quietly
                } else {
                    Told::Aloud
                }
            }
            Untold::Passing => Told::Quietly,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::at;

    #[test]
    fn a_missing_right_is_said_once_and_asked_for_again_in_an_hour() {
        let mut depth = QueueDepth::default();
        assert!(depth.is_asked(at(0)));
        assert_eq!(depth.unanswered(Untold::Denied, at(0)), Told::Aloud);
        assert!(!depth.is_asked(at(3_599)));
        assert!(depth.is_asked(at(3_600)));
        assert_eq!(depth.unanswered(Untold::Denied, at(3_600)), Told::Quietly);
    }

    #[test]
    fn a_right_that_is_taken_back_is_said_anew() {
        let mut depth = QueueDepth::default();
        assert_eq!(depth.unanswered(Untold::Denied, at(0)), Told::Aloud);
        depth.answered();
        assert!(depth.is_asked(at(60)));
        assert_eq!(depth.unanswered(Untold::Denied, at(60)), Told::Aloud);
    }

    #[test]
    fn what_passes_is_asked_again_with_the_next_question() {
        let mut depth = QueueDepth::default();
        assert_eq!(depth.unanswered(Untold::Passing, at(0)), Told::Quietly);
        assert!(depth.is_asked(at(60)));
    }
}
