//! Records whose work failed without writing anything: each rests, longer each time.
//!
//! Kept in memory only. After a restart everything is tried at once again, which is what an operator
//! who has mended something wants.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reprise_engine::backoff::{self, Jitter};
use reprise_store::DueKey;

/// How many conflicts in a row are taken for the chance that they are.
const CHANCE_CONFLICTS: u32 = 3;

/// The pause after more conflicts than that.
const CONFLICT_PAUSE: SignedDuration = SignedDuration::from_secs(1);

/// After so long without another failure, a record's earlier ones are forgotten.
const REMEMBERED_FOR: SignedDuration = SignedDuration::from_mins(15);

#[derive(Debug, Default)]
pub(super) struct Rests(BTreeMap<DueKey, Rest>);

#[derive(Debug)]
struct Rest {
    until: Timestamp,
    failures: u32,
}

impl Rests {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn holds(&self, key: &DueKey, now: Timestamp) -> bool {
        self.0.get(key).is_some_and(|rest| rest.until > now)
    }

    /// When the first rest ends that has not ended yet.
    pub(super) fn next_end(&self, now: Timestamp) -> Option<Timestamp> {
        self.0
            .values()
            .map(|rest| rest.until)
            .filter(|until| *until > now)
            .min()
    }

    pub(super) fn failed(
        &mut self,
        key: DueKey,
        retry_after: Option<SignedDuration>,
        now: Timestamp,
        jitter: Jitter,
    ) {
        let failures = self.failures(&key);
        let pause = backoff::wait_step(failures, jitter).max(retry_after.unwrap_or_default());
        self.rest(key, failures, pause, now);
    }

    /// Somebody else wrote the record first, so it has moved on: read again at once, unless that
    /// goes on and on.
    pub(super) fn conflicted(&mut self, key: DueKey, now: Timestamp) {
        let failures = self.failures(&key);
        let pause = if failures < CHANCE_CONFLICTS {
            SignedDuration::ZERO
        } else {
            CONFLICT_PAUSE
        };
        self.rest(key, failures, pause, now);
    }

    pub(super) fn forget(&mut self, key: &DueKey) {
        self.0.remove(key);
    }

    pub(super) fn forget_old(&mut self, now: Timestamp) {
        self.0
            .retain(|_, rest| now.duration_since(rest.until) < REMEMBERED_FOR);
    }

    fn failures(&self, key: &DueKey) -> u32 {
        self.0.get(key).map_or(0, |rest| rest.failures)
    }

    fn rest(&mut self, key: DueKey, failures: u32, pause: SignedDuration, now: Timestamp) {
        let until = now.saturating_add(pause).unwrap_or(Timestamp::MAX);
        self.0.insert(
            key,
            Rest {
                until,
                failures: failures.saturating_add(1),
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use reprise_model::ids::JobId;
    use reprise_model::ledger::ClaimKey;

    use super::*;

    const MIDDLE: Jitter = Jitter(0.5);

    #[test]
    fn each_failure_makes_the_rest_longer_and_success_forgets_them() {
        let mut rests = Rests::default();
        for (now, end) in [(0, 10), (10, 40), (40, 130)] {
            rests.failed(key(), None, at(now), MIDDLE);
            assert!(rests.holds(&key(), at(end - 1)));
            assert!(!rests.holds(&key(), at(end)), "at {end}");
            assert_eq!(rests.next_end(at(now)), Some(at(end)));
        }
        rests.forget(&key());
        rests.failed(key(), None, at(200), MIDDLE);
        assert_eq!(rests.next_end(at(200)), Some(at(210)));
    }

    #[test]
    fn a_rest_is_not_shorter_than_what_was_asked_for() {
        let mut rests = Rests::default();
        rests.failed(key(), Some(SignedDuration::from_secs(600)), at(0), MIDDLE);
        assert!(rests.holds(&key(), at(599)));
    }

    #[test]
    fn a_conflict_is_no_reason_to_rest_unless_it_goes_on_and_on() {
        let mut rests = Rests::default();
        for _ in 0..3 {
            rests.conflicted(key(), at(0));
            assert!(!rests.holds(&key(), at(0)));
        }
        rests.conflicted(key(), at(0));
        assert!(rests.holds(&key(), at(0)));
        assert!(!rests.holds(&key(), at(1)));
    }

    #[test]
    fn a_record_that_failed_long_ago_is_forgotten() {
        let mut rests = Rests::default();
        rests.failed(key(), None, at(0), MIDDLE);
        rests.forget_old(at(10 + 899));
        assert_eq!(rests.len(), 1);
        rests.forget_old(at(10 + 900));
        assert_eq!(rests.len(), 0);
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
