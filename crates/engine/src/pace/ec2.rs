//! EC2's buckets, per account and region, for the calls that change something.
//!
//! | call | requests at once, a second | what it makes or ends, at once, a second |
//! | --- | --- | --- |
//! | CreateFleet | 50, 5 | 1,000, 2 instances |
//! | TerminateInstances | 100, 5 | 1,000, 20 instances |
//! | CreateTags | 100, 10 | |
//!
//! The tags that say which job an instance has get a small part of CreateTags' bucket only.

use jiff::{SignedDuration, Timestamp};

use super::bucket::{Bucket, Limit};
use crate::backoff::after;

const FLEETS: Limit = Limit::new(50, 5);
const LAUNCHED: Limit = Limit::new(1_000, 2);
const ENDS: Limit = Limit::new(100, 5);
const ENDED: Limit = Limit::new(1_000, 20);
const TAGS: Limit = Limit::new(100, 10);

/// Which job an instance has is for people. Where a hundred jobs begin at once, the tags of all would be
/// most of what EC2 is asked in their whole life (budget: 1.5 calls a job, the agent's one read of its row
/// among them); of jobs that begin one by one, 7,200 an hour, each is tagged.
const JOB_TAGS: Limit = Limit::new(25, 2);

/// Half of the tags' bucket is left to the agents of interrupted instances: which job an instance has is
/// for people, and can be had elsewhere.
const KEPT_FOR_INTERRUPTIONS: u32 = 2;

/// Ends that are asked for within this time go in one call: the adapter gathers them for as long.
const ENDS_GATHERED_FOR: SignedDuration = SignedDuration::from_millis(100);

/// Nobody is told to come later than that: the pace may be back long before.
const PUT_OFF_AT_MOST: SignedDuration = SignedDuration::from_secs(60);

/// A call that changes something at EC2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ec2Action {
    /// CreateFleet for so many instances.
    Launch(u32),
    /// The end of one instance, in a call that it shares with others.
    End,
    /// Tags that bind a job to its instance: for people, and left out under pressure.
    BindTags,
}

impl Ec2Action {
    /// One of each.
    pub const EACH: [Self; 3] = [Self::Launch(1), Self::End, Self::BindTags];

    /// The label value for metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Launch(_) => "launch",
            Self::End => "end",
            Self::BindTags => "bind-tags",
        }
    }
}

/// What one replica takes of a region's buckets.
#[derive(Debug, Clone)]
pub struct Ec2Pace {
    fleets: Bucket,
    launched: Bucket,
    ends: Bucket,
    ended: Bucket,
    tags: Bucket,
    job_tags: Bucket,
    ends_gathered_until: Timestamp,
    /// The last time that was told to somebody whose launch was put off.
    put_off_until: Timestamp,
}

impl Ec2Pace {
    /// Full buckets, of `percent` of what EC2 gives an account.
    #[must_use]
    pub fn new(percent: u32, now: Timestamp) -> Self {
        let bucket = |limit: Limit| Bucket::new(limit.percent(percent), now);
        Self {
            fleets: bucket(FLEETS),
            launched: bucket(LAUNCHED),
            ends: bucket(ENDS),
            ended: bucket(ENDED),
            tags: bucket(TAGS),
            job_tags: bucket(JOB_TAGS),
            ends_gathered_until: Timestamp::MIN,
            put_off_until: now,
        }
    }

    /// Takes a turn. `Err` is when the next one may be had: nothing was taken.
    pub fn take(&mut self, action: Ec2Action, now: Timestamp) -> Result<(), Timestamp> {
        match action {
            Ec2Action::Launch(instances) => self.take_launch(instances, now),
            Ec2Action::End => self.take_end(now),
            Ec2Action::BindTags => {
                let kept = self.tags.burst() / KEPT_FOR_INTERRUPTIONS;
                let left = self.tags.ready_at(1, kept, now);
                at_once(left.max(self.job_tags.ready_at(1, 0, now)), now)?;
                self.tags.draw(1, now);
                self.job_tags.draw(1, now);
                Ok(())
            }
        }
    }

    /// An agent tags its instance because of an interruption: it takes from the same bucket and asks
    /// nobody.
    pub fn interruption_tagged(&mut self, now: Timestamp) {
        self.tags.draw(1, now);
    }

    /// EC2 said "not so fast" to a call.
    pub fn throttled(&mut self, action: Ec2Action, now: Timestamp) {
        match action {
            Ec2Action::Launch(_) => self.fleets.throttled(now),
            Ec2Action::End => self.ends.throttled(now),
            Ec2Action::BindTags => self.tags.throttled(now),
        }
    }

    /// When a launch is due that cannot be had before `ready`. Each of many that are put off is told a
    /// time of its own, in the order in which they came, so that they do not all come again at once.
    #[must_use]
    pub fn put_off(&mut self, ready: Timestamp, now: Timestamp) -> Timestamp {
        let latest = after(now, PUT_OFF_AT_MOST);
        let mine = ready.max(self.put_off_until).min(latest);
        self.put_off_until = after(mine, self.fleets.a_token_takes());
        mine
    }

    /// Calls that may be made in a thousand seconds, as of now.
    #[must_use]
    pub fn calls_in_1000_s(&mut self, action: Ec2Action, now: Timestamp) -> i64 {
        match action {
            Ec2Action::Launch(_) => self.fleets.refill_in_1000_s(now),
            Ec2Action::End => self.ends.refill_in_1000_s(now),
            Ec2Action::BindTags => {
                let all = self.tags.refill_in_1000_s(now);
                all.min(self.job_tags.refill_in_1000_s(now))
            }
        }
    }

    fn take_launch(&mut self, instances: u32, now: Timestamp) -> Result<(), Timestamp> {
        let call = self.fleets.ready_at(1, 0, now);
        let machines = self.launched.ready_at(instances, 0, now);
        at_once(call.max(machines), now)?;
        self.fleets.draw(1, now);
        self.launched.draw(instances, now);
        Ok(())
    }

    /// The first end after a pause takes a call's turn; those that come right after it share the call.
    fn take_end(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        let shares = now < self.ends_gathered_until;
        let call = if shares {
            now
        } else {
            self.ends.ready_at(1, 0, now)
        };
        let machine = self.ended.ready_at(1, 0, now);
        at_once(call.max(machine), now)?;
        if !shares {
            self.ends.draw(1, now);
            self.ends_gathered_until = after(now, ENDS_GATHERED_FOR);
        }
        self.ended.draw(1, now);
        Ok(())
    }
}

fn at_once(ready: Timestamp, now: Timestamp) -> Result<(), Timestamp> {
    if ready <= now { Ok(()) } else { Err(ready) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_ms(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + ms).expect("within range")
    }

    fn full() -> Ec2Pace {
        Ec2Pace::new(100, at_ms(0))
    }

    fn taken(pace: &mut Ec2Pace, action: Ec2Action, ms: i64) -> usize {
        let take = || pace.take(action, at_ms(ms));
        std::iter::repeat_with(take)
            .take_while(Result::is_ok)
            .take(5_000)
            .count()
    }

    #[test]
    fn launches_are_counted_by_call_and_by_instance() {
        let mut pace = full();
        assert_eq!(taken(&mut pace, Ec2Action::Launch(1), 0), 50);
        let mut pace = full();
        assert_eq!(taken(&mut pace, Ec2Action::Launch(100), 0), 10);
        // Two instances a second come back.
        assert_eq!(pace.take(Ec2Action::Launch(2), at_ms(0)), Err(at_ms(1_001)));
        assert_eq!(pace.take(Ec2Action::Launch(2), at_ms(1_001)), Ok(()));
    }

    #[test]
    fn a_turn_that_one_bucket_cannot_give_takes_nothing_from_the_other() {
        let mut pace = full();
        assert_eq!(taken(&mut pace, Ec2Action::Launch(1_000), 0), 1);
        assert_eq!(taken(&mut pace, Ec2Action::Launch(1_000), 1), 0);
        assert_eq!(taken(&mut pace, Ec2Action::Launch(1), 25_000), 50);
    }

    #[test]
    fn ends_that_come_together_share_a_call() {
        let mut pace = full();
        assert_eq!(taken(&mut pace, Ec2Action::End, 0), 1_000);
        assert_eq!(taken(&mut pace, Ec2Action::End, 100), 2);
        let mut pace = full();
        // One call each: more than EC2's calls allow, with few instances.
        let ends = (0..200).filter(|n| pace.take(Ec2Action::End, at_ms(n * 100)).is_ok());
        assert_eq!(ends.count(), 199);
    }

    #[test]
    fn tags_for_people_are_few_at_once_and_give_way_to_interruptions() {
        let mut pace = full();
        assert_eq!(taken(&mut pace, Ec2Action::BindTags, 0), 25);
        assert_eq!(taken(&mut pace, Ec2Action::BindTags, 4_000), 8);
        let mut pace = full();
        for _ in 0..80 {
            pace.interruption_tagged(at_ms(0));
        }
        assert_eq!(taken(&mut pace, Ec2Action::BindTags, 0), 0);
        assert_eq!(taken(&mut pace, Ec2Action::BindTags, 4_000), 10);
    }

    #[test]
    fn a_throttled_action_leaves_the_others_alone() {
        let mut pace = full();
        pace.throttled(Ec2Action::Launch(1), at_ms(0));
        let rates = Ec2Action::EACH.map(|action| pace.calls_in_1000_s(action, at_ms(0)));
        assert_eq!(rates, [2_500, 5_000, 2_000]);
        assert_eq!(taken(&mut pace, Ec2Action::End, 0), 1_000);
        assert_eq!(taken(&mut pace, Ec2Action::Launch(1), 0), 0);
    }

    #[test]
    fn launches_that_are_put_off_come_again_one_after_the_other_and_within_a_minute() {
        let mut pace = full();
        taken(&mut pace, Ec2Action::Launch(1), 0);
        let Err(ready) = pace.take(Ec2Action::Launch(1), at_ms(0)) else {
            panic!("the bucket is empty");
        };
        let times: Vec<i64> = (0..500)
            .map(|_| pace.put_off(ready, at_ms(0)))
            .map(|time| time.as_millisecond() - at_ms(0).as_millisecond())
            .collect();
        assert_eq!(times[..3], [201, 402, 603]);
        assert_eq!(times.last(), Some(&60_000));
    }

    #[test]
    fn a_replica_may_be_given_a_part_or_more_than_the_whole() {
        let mut half = Ec2Pace::new(50, at_ms(0));
        assert_eq!(taken(&mut half, Ec2Action::Launch(1), 0), 25);
        assert_eq!(taken(&mut half, Ec2Action::BindTags, 0), 12);
        let mut double = Ec2Pace::new(200, at_ms(0));
        assert_eq!(taken(&mut double, Ec2Action::Launch(1), 0), 100);
    }
}
