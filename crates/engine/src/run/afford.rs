//! Whether the budget of its repository allows a re-run, which everything else allows, now.
//!
//! It is looked at last, so that nothing is paid for that is not asked for. What a re-run left behind is a
//! part of it, and was paid for with it.

use jiff::{SignedDuration, Timestamp};
use reprise_model::budget::Budget;
use reprise_model::ids::RunAttempt;
use reprise_model::ledger::{RerunAnswer, RerunOrder, RerunTarget, RunEntry};
use reprise_model::notes::{Paid, Parked};

use super::{RunFacts, RunStep, Spent, WaitReason, ledger};
use crate::backoff::{Jitter, after, up_to};
use crate::budget::{self, Answer, Wanted, is_good, jobs_of};
use crate::mutant;
use crate::rules::Rules;

/// How long an order may be written down after it was paid for without a word of it.
const AT_ONCE: SignedDuration = SignedDuration::from_secs(30);

/// What is parked for longer is read at GitHub with each look.
const READ_ANYWAY: SignedDuration = SignedDuration::from_hours(3);

/// Many wait for the same moment, and only some of them have room then.
const APART: SignedDuration = SignedDuration::from_mins(1);

/// Writes the order down and has it asked for, where the budget has room.
pub(super) fn ask(
    entry: &mut RunEntry,
    facts: &RunFacts<'_>,
    order: RerunOrder,
    now: Timestamp,
    rules: &Rules,
) -> RunStep {
    if is_left_behind(&order) {
        return written_down(entry, order, now, now);
    }
    let (from, jobs) = (order.from, jobs_of(&order));
    let paid = paid(entry, from);
    if let Some(paid) = paid.filter(|paid| is_good(*paid, jobs, now)) {
        return written_down(entry, order, paid.0, now);
    }
    let Spent::Known(spent) = facts.spent else {
        return RunStep::ReadBudget;
    };
    match take(entry, spent, (from, jobs, paid), now, rules) {
        Answer::Paid(at) => written_down(entry, order, at, now),
        Answer::Granted(budget) => RunStep::Spend(budget),
        Answer::Over { until } => {
            let since = facts.entry.notes.parked.map_or(now, |parked| parked.since);
            entry.notes.parked = Some(Parked {
                since,
                until,
                from,
                jobs,
                limit: rules.most_jobs_an_hour,
            });
            RunStep::Wait(WaitReason::OverBudget)
        }
    }
}

/// Whether a record was due because the time came until which it is parked, and nothing else happened.
pub(super) fn is_parked(entry: &RunEntry) -> bool {
    let has_come = |parked: Parked| entry.due.is_some_and(|due| due.at >= parked.until);
    entry.notes.parked.is_some_and(has_come) && entry.notes.requeued.is_empty()
}

/// The record of a parked run for which there is still no room.
pub(super) fn still_parked(
    entry: &RunEntry,
    spent: Option<&Budget>,
    (now, jitter): (Timestamp, Jitter),
    rules: &Rules,
) -> Option<RunEntry> {
    let parked = entry.notes.parked.filter(|_| is_parked(entry))?;
    // What waits for long may have become too old, or somebody else's, without a word.
    if now > after(parked.since, READ_ANYWAY) {
        return None;
    }
    let (from, jobs) = (parked.from, parked.jobs);
    match take(entry, spent, (from, jobs, paid(entry, from)), now, rules) {
        Answer::Paid(_) | Answer::Granted(_) => None,
        Answer::Over { until } => {
            let mut entry = entry.clone();
            let limit = rules.most_jobs_an_hour;
            entry.notes.parked = Some(Parked {
                until,
                limit,
                ..parked
            });
            put_off(&mut entry, now, jitter);
            Some(entry)
        }
    }
}

/// Has a parked record looked at when there may be room.
pub(super) fn put_off(entry: &mut RunEntry, now: Timestamp, jitter: Jitter) {
    let until = entry.notes.parked.map_or(now, |parked| parked.until);
    let at_least = until
        .duration_since(now)
        .saturating_add(up_to(APART, jitter));
    ledger::back_off(entry, at_least, now, jitter);
}

fn take(
    entry: &RunEntry,
    spent: Option<&Budget>,
    (from, jobs, paid): (RunAttempt, u32, Option<(Timestamp, u32)>),
    now: Timestamp,
    rules: &Rules,
) -> Answer {
    let wanted = Wanted {
        repository: &entry.key.repository,
        run: entry.key.run_id,
        from,
        jobs,
        paid,
    };
    let limit = mutant!(IgnoreTheBudget => u32::MAX, rules.most_jobs_an_hour);
    budget::take(spent, wanted, limit, now)
}

fn written_down(
    entry: &mut RunEntry,
    order: RerunOrder,
    paid_at: Timestamp,
    now: Timestamp,
) -> RunStep {
    let is_at_once = now <= after(paid_at, AT_ONCE);
    entry.notes.paid = (!is_at_once).then_some(Paid {
        from: order.from,
        at: paid_at,
    });
    ledger::write_down(entry, order.clone(), now);
    RunStep::Ask(order)
}

/// Whether the order is for what an earlier one left behind: by the id that the job has now.
fn is_left_behind(order: &RerunOrder) -> bool {
    match order.target {
        RerunTarget::Job(id) => !order.wanted.contains(&id),
        RerunTarget::FailedJobs => false,
    }
}

/// When a re-run of this attempt was paid for that GitHub has not begun, and for how many jobs.
fn paid(entry: &RunEntry, from: RunAttempt) -> Option<(Timestamp, u32)> {
    let last = entry.reruns.last()?;
    let is_put_off = last.answer == RerunAnswer::NotNow && last.order.from == from;
    let is_refused = ledger::refused_together(entry) == Some(from);
    if !(is_put_off || is_refused) || is_left_behind(&last.order) {
        return None;
    }
    let earlier = entry.notes.paid.filter(|paid| paid.from == from);
    let at = earlier.map_or(last.decided_at, |paid| paid.at);
    Some((at, jobs_of(&last.order)))
}
