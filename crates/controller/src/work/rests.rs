//! Records whose work failed: each rests here, longer each time, whatever the others do.
//!
//! Kept in memory only. After a restart everything is tried at once again, which is what an operator
//! who has mended something wants.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reprise_engine::backoff::{self, Jitter, after};
use reprise_store::DueKey;

/// How often a record may be worked on, or found changed, in quick succession: a launch that falls
/// back to on-demand is due again at once, and so is a run whose event came meanwhile.
const QUICK: u32 = 5;

/// The pause of a record that is worked on more often than that. It comes of a defect, and must not
/// keep a processor busy.
const PAUSE: SignedDuration = SignedDuration::from_secs(1);

/// What makes a succession quick.
const QUICKLY: SignedDuration = SignedDuration::from_secs(2);

/// After so long without another failure, a record's earlier ones are forgotten.
const REMEMBERED_FOR: SignedDuration = SignedDuration::from_mins(15);

#[derive(Debug, Default)]
pub(super) struct Rests(BTreeMap<DueKey, Rest>);

#[derive(Debug)]
struct Rest {
    until: Timestamp,
    failures: u32,
    moves: u32,
    forget_at: Timestamp,
}

impl Rests {
    /// How many records rest.
    pub(super) fn len(&self, now: Timestamp) -> usize {
        self.0.values().filter(|rest| rest.until > now).count()
    }

    pub(super) fn holds(&self, key: &DueKey, now: Timestamp) -> bool {
        self.0.get(key).is_some_and(|rest| rest.until > now)
    }

    /// When the first rest ends that has not ended yet.
    pub(super) fn next_end(&self, now: Timestamp) -> Option<Timestamp> {
        let ends = self.0.values().map(|rest| rest.until);
        ends.filter(|until| *until > now).min()
    }

    pub(super) fn failed(
        &mut self,
        key: DueKey,
        retry_after: Option<SignedDuration>,
        now: Timestamp,
        jitter: Jitter,
    ) {
        let failures = self.0.get(&key).map_or(0, |rest| rest.failures);
        let pause = backoff::wait_step(failures, jitter).max(retry_after.unwrap_or_default());
        let until = after(now, pause);
        let rest = Rest {
            until,
            failures: failures.saturating_add(1),
            moves: 0,
            forget_at: after(until, REMEMBERED_FOR),
        };
        self.0.insert(key, rest);
    }

    /// The record was worked on, or somebody else wrote it first: either way it has moved on, and
    /// may be due again at once. If that goes on and on, it has not.
    pub(super) fn moved_on(&mut self, key: DueKey, now: Timestamp) {
        let moves = self.0.get(&key).map_or(0, |rest| rest.moves);
        let pause = if moves < QUICK {
            SignedDuration::ZERO
        } else {
            PAUSE
        };
        let until = after(now, pause);
        let rest = Rest {
            until,
            failures: 0,
            moves: moves.saturating_add(1),
            forget_at: after(until, QUICKLY),
        };
        self.0.insert(key, rest);
    }

    pub(super) fn forget_old(&mut self, now: Timestamp) {
        self.0.retain(|_, rest| rest.forget_at > now);
    }
}

#[cfg(test)]
mod tests {
    use reprise_model::ids::JobId;
    use reprise_model::ledger::ClaimKey;

    use super::*;

    const MIDDLE: Jitter = Jitter(0.5);

    #[test]
    fn each_failure_makes_the_rest_longer() {
        let mut rests = Rests::default();
        for (now, end) in [(0, 10), (10, 40), (40, 130)] {
            rests.failed(key(), None, at(now), MIDDLE);
            assert!(rests.holds(&key(), at(end - 1)));
            assert!(!rests.holds(&key(), at(end)), "at {end}");
            assert_eq!(rests.next_end(at(now)), Some(at(end)));
        }
    }

    #[test]
    fn a_rest_is_not_shorter_than_what_was_asked_for() {
        let mut rests = Rests::default();
        rests.failed(key(), Some(SignedDuration::from_secs(600)), at(0), MIDDLE);
        assert!(rests.holds(&key(), at(599)));
    }

    #[test]
    fn a_record_that_moves_on_does_not_rest_unless_that_goes_on_and_on() {
        let mut rests = Rests::default();
        for _ in 0..5 {
            rests.moved_on(key(), at(0));
            assert!(!rests.holds(&key(), at(0)));
        }
        rests.moved_on(key(), at(0));
        assert!(rests.holds(&key(), at(0)));
        assert!(!rests.holds(&key(), at(1)));
    }

    #[test]
    fn failures_and_successions_are_forgotten() {
        let mut rests = Rests::default();
        rests.failed(key(), None, at(0), MIDDLE);
        rests.forget_old(at(10 + 899));
        assert_eq!(rests.0.len(), 1);
        rests.forget_old(at(10 + 900));
        assert_eq!(rests.0.len(), 0);
        rests.moved_on(key(), at(0));
        rests.forget_old(at(2));
        assert_eq!(rests.0.len(), 0);
    }

    #[test]
    fn only_what_rests_is_counted() {
        let mut rests = Rests::default();
        rests.failed(key(), None, at(0), MIDDLE);
        assert_eq!((rests.len(at(9)), rests.len(at(10))), (1, 0));
    }

    fn key() -> DueKey {
        DueKey::Claim(ClaimKey {
            repository: "acme/shop".parse().expect("valid"),
            job_id: JobId(7),
        })
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).expect("within range")
    }
}
