//! What the re-runs of a repository cost lately: one record a repository, forgotten soon.
//!
//! It names the newest re-runs, so that what is granted twice is paid for once. Of earlier ones it keeps
//! how many jobs they were, in slots of five minutes, and so it stays below a kilobyte however much is
//! re-run. How much may be granted is decided in `reprise-engine`.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ids::{Repository, RunAttempt, RunId};

/// What a repository's re-runs cost lately, in jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Which repository.
    pub repository: Repository,
    /// The newest that were granted, oldest first; at most [`Budget::MOST_NAMED`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub granted: Vec<Grant>,
    /// How many jobs were granted before these.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub earlier: BTreeMap<Slot, u32>,
}

/// A re-run that may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Its run.
    pub run: RunId,
    /// The attempt that it starts from. GitHub makes one attempt of it at most.
    pub from: RunAttempt,
    /// When, in whole seconds.
    pub at: Timestamp,
    /// How many jobs it re-runs.
    pub jobs: u32,
}

/// Five minutes, by their number since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Slot(i64);

impl Budget {
    /// How many re-runs are known by name. Between a grant and the moment at which the run's own record
    /// tells of it lie milliseconds; only a crash in them needs the name.
    pub const MOST_NAMED: usize = 6;

    /// How long the record is kept after it was written last: longer than anything in it counts.
    pub const REMEMBERED_FOR: SignedDuration = SignedDuration::from_hours(2);

    /// One of which nothing was spent.
    pub fn unspent(repository: Repository) -> Self {
        Self {
            repository,
            granted: Vec::new(),
            earlier: BTreeMap::new(),
        }
    }
}

impl Slot {
    /// How long one is, in seconds.
    const SECONDS: i64 = 300;

    /// That of a time.
    pub fn of(at: Timestamp) -> Self {
        Self(at.as_second().div_euclid(Self::SECONDS))
    }

    /// The one before it.
    #[must_use]
    pub fn before(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// When it is over.
    pub fn end(self) -> Timestamp {
        let second = self.0.saturating_add(1).saturating_mul(Self::SECONDS);
        Timestamp::from_second(second).unwrap_or(Timestamp::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    #[test]
    fn a_slot_is_five_minutes_and_knows_its_end() {
        let slot = Slot::of(at(1_790_000_100));
        assert_eq!(slot, Slot::of(at(1_790_000_399)));
        assert_eq!(slot.end(), at(1_790_000_400));
        assert_eq!(Slot::of(slot.end()).before(), slot);
        assert!(Slot(i64::MAX).end() > at(0));
    }

    #[test]
    fn the_largest_record_leaves_room_in_a_write_unit() {
        let mut full =
            Budget::unspent("a-company/a-repository-of-a-long-name".parse().expect("ok"));
        for number in 0..Budget::MOST_NAMED {
            full.granted.push(Grant {
                run: RunId(19_000_000_001 + number as u64),
                from: RunAttempt::FIRST,
                at: at(1_790_000_000),
                jobs: 256,
            });
        }
        for slot in 0..15 {
            full.earlier
                .insert(Slot::of(at(1_790_000_000 + 300 * slot)), 2_560);
        }
        let stored = serde_json::to_string(&full).expect("writable");
        // A unit is 1,024 bytes, and a record's other attributes take some 200.
        assert!(stored.len() < 820, "{} bytes", stored.len());
        let read: Budget = serde_json::from_str(&stored).expect("readable");
        assert_eq!(read, full);
    }
}
