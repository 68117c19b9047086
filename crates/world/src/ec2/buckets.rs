//! EC2's token buckets, per account and region: a burst, and a refill a second.
//!
//! Tokens are counted in thousandths so that refills by the millisecond are exact and replayable.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::call::Action;

/// A bucket that a call draws from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Bucket {
    /// One token a call.
    Calls(Action),
    /// One token a description that names neither ids, filters nor a page size.
    UnfilteredCalls(Action),
    /// One token an instance launched.
    Launches,
    /// One token an instance terminated.
    Terminations,
}

impl Bucket {
    /// Burst, and refill a second, as AWS documents them.
    fn limits(self) -> (i64, i64) {
        match self {
            Self::Calls(Action::CreateTags) => (100, 10),
            Self::Calls(Action::TerminateInstances) => (100, 5),
            Self::Calls(
                Action::CreateFleet | Action::CreateLaunchTemplate | Action::RunInstances,
            ) => (50, 5),
            Self::Calls(
                Action::DescribeImages
                | Action::DescribeInstanceTypes
                | Action::DescribeInstances
                | Action::DescribeLaunchTemplates
                | Action::DescribeSpotInstanceRequests
                | Action::DescribeSubnets
                | Action::DescribeTags
                | Action::GetConsoleOutput,
            ) => (100, 20),
            Self::UnfilteredCalls(_) => (50, 10),
            Self::Launches => (1000, 2),
            Self::Terminations => (1000, 20),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Level {
    thousandths: i64,
    at: Timestamp,
}

/// The levels of all buckets; one that was never drawn from is full.
#[derive(Debug, Clone, Default)]
pub(super) struct Buckets {
    levels: BTreeMap<Bucket, Level>,
}

impl Buckets {
    /// Draws everything or nothing; `false` when a bucket holds too little.
    pub(super) fn draw(&mut self, now: Timestamp, draws: &[(Bucket, u32)]) -> bool {
        let enough = draws
            .iter()
            .all(|(bucket, tokens)| self.level(*bucket, now) >= i64::from(*tokens) * 1000);
        if enough {
            for (bucket, tokens) in draws {
                let thousandths = self.level(*bucket, now) - i64::from(*tokens) * 1000;
                let level = Level {
                    thousandths,
                    at: now,
                };
                self.levels.insert(*bucket, level);
            }
        }
        enough
    }

    fn level(&self, bucket: Bucket, now: Timestamp) -> i64 {
        let (burst, refill) = bucket.limits();
        let full = burst * 1000;
        self.levels.get(&bucket).map_or(full, |level| {
            let passed = now.as_millisecond() - level.at.as_millisecond();
            let refilled = passed.max(0).saturating_mul(refill);
            level.thousandths.saturating_add(refilled).min(full)
        })
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    const TAGS: [(Bucket, u32); 1] = [(Bucket::Calls(Action::CreateTags), 1)];

    fn drawn(buckets: &mut Buckets, at: Timestamp) -> usize {
        std::iter::repeat_with(|| buckets.draw(at, &TAGS))
            .take_while(|drawn| *drawn)
            .count()
    }

    #[test]
    fn a_full_bucket_gives_its_burst_and_then_its_refill() {
        let mut buckets = Buckets::default();
        let start = Timestamp::UNIX_EPOCH;
        assert_eq!(drawn(&mut buckets, start), 100);
        assert_eq!(
            drawn(&mut buckets, start + SignedDuration::from_secs(3)),
            30
        );
        assert_eq!(
            drawn(&mut buckets, start + SignedDuration::from_hours(1)),
            100
        );
    }

    #[test]
    fn five_hundred_instances_need_about_forty_seconds_for_their_own_tags() {
        let mut buckets = Buckets::default();
        let mut left: usize = 500;
        let mut seconds = 0;
        while left > 0 {
            let at = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds);
            left = left.saturating_sub(drawn(&mut buckets, at));
            seconds += 1;
        }
        assert_eq!(seconds - 1, 40);
    }

    #[test]
    fn a_draw_that_one_bucket_cannot_give_leaves_the_others_alone() {
        let mut buckets = Buckets::default();
        let start = Timestamp::UNIX_EPOCH;
        let fleet = Bucket::Calls(Action::CreateFleet);
        assert!(!buckets.draw(start, &[(fleet, 1), (Bucket::Launches, 1001)]));
        assert!(buckets.draw(start, &[(fleet, 50)]));
    }
}
