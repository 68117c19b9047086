//! How much of a repository may be re-run in an hour, by all policies together: a main branch that is
//! broken must not start a storm.
//!
//! [`take`] answers whether a re-run may be asked for now. It is granted in a record of its own before
//! the run's record tells of the order, and what is granted once is not paid for again: so a crash between
//! the two, or a repetition, costs nothing. Where that cannot be told any more it is counted twice, never
//! too seldom.

#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};
use reprise_model::budget::{Budget, Grant, Slot};
use reprise_model::ids::{Repository, RunAttempt, RunId};
use reprise_model::ledger::RerunOrder;

use crate::backoff::after;

/// For how long a grant lets the re-run be asked for. Later it is granted anew, under its new time: else
/// what was put off could be asked for together with all that the next hour grants.
const GOOD_FOR: SignedDuration = SignedDuration::from_mins(2);

/// For how long a grant counts: the hour, what it was [good for](GOOD_FOR), and the time that the order
/// and its POST take, with some for clocks.
const COUNTS_FOR: SignedDuration = SignedDuration::from_mins(65);

/// A re-run that is to be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// Its repository.
    pub repository: &'a Repository,
    /// Its run.
    pub run: RunId,
    /// The attempt that it starts from.
    pub from: RunAttempt,
    /// How many jobs it re-runs.
    pub jobs: u32,
    /// What its run's record tells of having been paid for it: when, and for how many jobs.
    pub paid: Option<(Timestamp, u32)>,
}

/// Whether a re-run may be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Answer {
    /// It was paid for, at this time.
    Paid(Timestamp),
    /// Yes, once this record is committed.
    Granted(Budget),
    /// Not before this time, and then perhaps.
    Over {
        /// The time.
        until: Timestamp,
    },
}

/// How many jobs an order re-runs: those that it is for, those that fail-fast cancelled with them, and
/// real failures that come along. Jobs that need them are not known before they begin.
pub fn jobs_of(order: &RerunOrder) -> u32 {
    let jobs = order.wanted.len() + order.siblings.len() + order.along.len();
    u32::try_from(jobs).unwrap_or(u32::MAX)
}

/// Whether a re-run that was paid for then, for so many jobs, may be asked for without another look.
pub fn is_good(paid: (Timestamp, u32), jobs: u32, now: Timestamp) -> bool {
    let (at, paid_for) = paid;
    jobs <= paid_for && now <= after(at, GOOD_FOR)
}

/// Whether a re-run may be asked for now, with `limit` jobs an hour. One that is bigger than the limit
/// goes when nothing else counts: it would wait for ever else.
pub fn take(spent: Option<&Budget>, wanted: Wanted<'_>, limit: u32, now: Timestamp) -> Answer {
    let unspent = || Budget::unspent(wanted.repository.clone());
    let spent = what_counts(spent.cloned().unwrap_or_else(unspent), now);
    if let Some(grant) = spent.granted.iter().find(|grant| is_of(grant, &wanted))
        && is_good((grant.at, grant.jobs), wanted.jobs, now)
    {
        return Answer::Paid(grant.at);
    }
    let others = without(spent, &wanted);
    let sum = sum(&others);
    if sum == 0 || sum.saturating_add(wanted.jobs) <= limit {
        Answer::Granted(granted(others, &wanted, now))
    } else {
        let until = room_at(others, wanted.jobs, limit, now);
        Answer::Over { until }
    }
}

/// The record without what counts no longer.
fn what_counts(mut budget: Budget, now: Timestamp) -> Budget {
    budget.granted.retain(|grant| now < over_at(grant.at));
    budget.earlier.retain(|slot, _| now < over_at(slot.end()));
    budget
}

fn over_at(granted_at: Timestamp) -> Timestamp {
    after(granted_at, COUNTS_FOR)
}

fn is_of(grant: &Grant, wanted: &Wanted<'_>) -> bool {
    (grant.run, grant.from) == (wanted.run, wanted.from)
}

/// The record without the re-run itself, so that it is not counted twice where it is granted anew.
fn without(mut budget: Budget, wanted: &Wanted<'_>) -> Budget {
    let before = budget.granted.len();
    budget.granted.retain(|grant| !is_of(grant, wanted));
    let was_named = budget.granted.len() < before;
    if let Some((at, jobs)) = wanted.paid.filter(|_| !was_named) {
        // It was paid for a moment before it was written down, so perhaps in the slot before.
        let slot = Slot::of(at);
        let left = take_out(&mut budget, slot, jobs);
        take_out(&mut budget, slot.before(), left);
    }
    budget
}

/// How many jobs could not be taken out.
fn take_out(budget: &mut Budget, slot: Slot, jobs: u32) -> u32 {
    let Some(count) = budget.earlier.get_mut(&slot) else {
        return jobs;
    };
    let left = jobs.saturating_sub(*count);
    *count = count.saturating_sub(jobs);
    budget.earlier.retain(|_, count| *count > 0);
    left
}

fn sum(budget: &Budget) -> u32 {
    let named = budget.granted.iter().map(|grant| grant.jobs);
    let earlier = budget.earlier.values().copied();
    named.chain(earlier).fold(0, u32::saturating_add)
}

fn granted(mut budget: Budget, wanted: &Wanted<'_>, now: Timestamp) -> Budget {
    let at = Timestamp::from_second(now.as_second()).unwrap_or(now);
    budget.granted.push(Grant {
        run: wanted.run,
        from: wanted.from,
        at,
        jobs: wanted.jobs,
    });
    while budget.granted.len() > Budget::MOST_NAMED {
        let oldest = budget.granted.remove(0);
        let slot = budget.earlier.entry(Slot::of(oldest.at)).or_default();
        *slot = slot.saturating_add(oldest.jobs);
    }
    budget
}

/// When enough of what counts is over.
fn room_at(budget: Budget, jobs: u32, limit: u32, now: Timestamp) -> Timestamp {
    let named = budget.granted.iter().map(|one| (over_at(one.at), one.jobs));
    let earlier = budget.earlier.iter();
    let earlier = earlier.map(|(slot, jobs)| (over_at(slot.end()), *jobs));
    let mut ends: Vec<(Timestamp, u32)> = named.chain(earlier).collect();
    ends.sort_unstable();
    let mut counts = sum(&budget);
    for (end, ended) in ends {
        counts = counts.saturating_sub(ended);
        if counts == 0 || counts.saturating_add(jobs) <= limit {
            return end;
        }
    }
    now
}
