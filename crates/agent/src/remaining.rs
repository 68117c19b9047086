//! How much time a notice leaves, told at its first sight.
//!
//! A notice's `time` may be past, absurd or changing, and the machine's time of day may be wrong. So the
//! remaining time is what lies between `time` and the `Date` of the very answer that it came with,
//! which the same service wrote.
//!
//! Invariant: a doubtful time never makes the remaining time shorter than what EC2 promises.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// What EC2 promises between notice and end.
pub const NOTICE_SPAN: SignedDuration = SignedDuration::from_mins(2);

/// A `Date` that is further than this from the agent's own time is not believed.
const ABSURD_DATE: SignedDuration = SignedDuration::from_hours(24);

/// What a notice's time is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It lies ahead.
    Ahead,
    /// It has just passed, or says nothing: nobody knows, so the promised two minutes hold.
    Unknown,
    /// It passed longer ago than a notice lasts: EC2 failed to carry it out, and the instance runs on.
    Stale,
}

/// The time that a notice leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remaining {
    /// Until the instance's end, from the first sight; from nothing to two minutes.
    pub span: SignedDuration,
    /// What that is worth.
    pub standing: Standing,
}

/// The remaining time of a notice that ends at `time`, seen in an answer of `date` at `now`.
pub fn remaining(time: Option<Timestamp>, date: Option<Timestamp>, now: Timestamp) -> Remaining {
    let promised = |standing| Remaining {
        span: NOTICE_SPAN,
        standing,
    };
    let Some(time) = time else {
        return promised(Standing::Unknown);
    };
    let left = time.duration_since(reference(date, now));
    if left > SignedDuration::ZERO {
        Remaining {
            span: left.min(NOTICE_SPAN),
            standing: Standing::Ahead,
        }
    } else if left > -NOTICE_SPAN {
        promised(Standing::Unknown)
    } else {
        promised(Standing::Stale)
    }
}

/// What time it is for the service that wrote the notice.
fn reference(date: Option<Timestamp>, now: Timestamp) -> Timestamp {
    let believed = |date: &Timestamp| date.duration_since(now).abs() <= ABSURD_DATE;
    date.filter(believed).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    fn of(time: Option<Timestamp>) -> (i64, Standing) {
        let remaining = remaining(time, None, at(1000));
        (remaining.span.as_secs(), remaining.standing)
    }

    #[test]
    fn the_remaining_time_is_never_more_than_what_ec2_promises() {
        assert_eq!(of(Some(at(1090))), (90, Standing::Ahead));
        assert_eq!(of(Some(at(1001))), (1, Standing::Ahead));
        assert_eq!(of(Some(at(999_999))), (120, Standing::Ahead));
        assert_eq!(of(Some(Timestamp::MAX)), (120, Standing::Ahead));
    }

    #[test]
    fn a_time_that_has_just_passed_or_says_nothing_leaves_the_promised_two_minutes() {
        assert_eq!(of(Some(at(1000))), (120, Standing::Unknown));
        assert_eq!(of(Some(at(881))), (120, Standing::Unknown));
        assert_eq!(of(None), (120, Standing::Unknown));
    }

    #[test]
    fn a_time_that_passed_longer_ago_than_a_notice_lasts_is_stale() {
        assert_eq!(of(Some(at(880))), (120, Standing::Stale));
        assert_eq!(of(Some(Timestamp::MIN)), (120, Standing::Stale));
    }

    #[test]
    fn the_answers_own_date_counts_and_not_a_machines_wrong_clock() {
        let hour = SignedDuration::from_hours(1);
        for now in [at(100_000) + hour, at(100_000) - hour] {
            let seen = remaining(Some(at(100_090)), Some(at(100_000)), now);
            assert_eq!(seen.span.as_secs(), 90);
            assert_eq!(seen.standing, Standing::Ahead);
            let stale = remaining(Some(at(96_400)), Some(at(100_000)), now);
            assert_eq!(stale.standing, Standing::Stale);
        }
    }

    #[test]
    fn an_absurd_date_is_not_believed() {
        for date in [at(0), Timestamp::MAX, Timestamp::MIN] {
            let seen = remaining(Some(at(1_000_090)), Some(date), at(1_000_000));
            assert_eq!(seen.span.as_secs(), 90, "{date}");
        }
    }
}
