//! Turns: whatever asks EC2 for a change, or GitHub for anything, takes one first.
//!
//! When, the engine says ([`reprise_engine::pace`]); here it is waited for, shortly, and what AWS and GitHub
//! answer is handed back to it. A turn that does not come soon is refused with the time at which to ask again:
//! the caller commits that as a due time, or hands its message back. Nothing is dropped for want of one.

mod ec2;
mod github;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use reprise_engine::backoff::after;
use reprise_engine::pace::{Ec2Pace, GitHubPace};
use reprise_model::ids::Region;

use crate::ports::{PortError, PortErrorKind};

pub use ec2::PutOff;
pub(crate) use github::InTurn;

/// A log line about the same limit is written once in so long.
const TOLD_AT_MOST_EVERY: SignedDuration = SignedDuration::from_secs(10);

/// The pace of one replica.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    ec2: Mutex<BTreeMap<Region, Ec2Pace>>,
    /// By the owner of the repositories, who has one installation; without a name, the App itself.
    github: Mutex<BTreeMap<String, GitHubPace>>,
    /// What was said, and when.
    told: Mutex<BTreeMap<(&'static str, String), Timestamp>>,
}

/// A request that was not made.
#[derive(Debug, thiserror::Error)]
#[error("it is not asked for before {until}, to keep within the limits: {why}")]
struct NotAsked {
    until: Timestamp,
    why: &'static str,
}

impl Pace {
    fn ec2(&self) -> MutexGuard<'_, BTreeMap<Region, Ec2Pace>> {
        self.ec2.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn github(&self) -> MutexGuard<'_, BTreeMap<String, GitHubPace>> {
        self.github.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this is worth a line: hundreds of calls meet the same limit.
    fn tells(&self, what: &'static str, of: impl fmt::Display, now: Timestamp) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let last = told.entry((what, of.to_string())).or_insert(Timestamp::MIN);
        let tells = after(*last, TOLD_AT_MOST_EVERY) <= now;
        if tells {
            *last = now;
        }
        tells
    }
}

/// The error of a call that was not made.
pub(crate) fn not_asked(
    operation: &'static str,
    until: Timestamp,
    why: &'static str,
    now: Timestamp,
) -> PortError {
    PortError {
        operation,
        kind: PortErrorKind::Throttled,
        retry_after: Some(until.duration_since(now).max(SignedDuration::ZERO)),
        source: Box::new(NotAsked { until, why }),
    }
}
