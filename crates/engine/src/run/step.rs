//! The next step for a run: the rows of the table, in order.

use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::{JobId, RunAttempt};
use reprise_model::job::{Conclusion, Job, JobStatus, keys_of};
use reprise_model::ledger::{
    Due, RerunAnswer, RerunOrder, RerunTarget, RunEntry, TrackedState, Why,
};
use reprise_model::notes::Happened;
use reprise_model::policy::MixedReruns;
use reprise_model::reason::{Refusal, RefusalKind, SettleReason};
use reprise_model::run::{Run, RunStatus};

use super::permission::{Candidates, Permission, permission};
use super::watch::Sight;
use super::{RunFacts, RunStep, WaitReason, afford, chance, classify, ledger, watch};
use crate::backoff::{Jitter, after};
use crate::job::JobVerdict;
use crate::mutant;
use crate::rules::Rules;

/// GitHub re-runs nothing that is older than 30 days; one day more for its clock and ours.
const RERUN_ALLOWED_FOR: SignedDuration = SignedDuration::from_hours(31 * 24);

/// GitHub shows the attempt of a re-run within seconds, and gives up queued jobs after a day.
const BEGINS_WITHIN: SignedDuration = SignedDuration::from_hours(24);

/// What GitHub says of a run past that age.
const TOO_OLD: &str = "Unable to retry this workflow run because it was created over a month ago";

/// What is said of a job past that.
const NOT_LISTED: &str = "the list of its run's jobs does not have it";

/// The least pause between two looks at a job, whatever its verdict says.
const LEAST_PAUSE: SignedDuration = SignedDuration::from_secs(1);

/// Brings the record up to what was read, and names the next step.
pub(super) fn next(
    entry: &mut RunEntry,
    facts: &RunFacts<'_>,
    now: Timestamp,
    jitter: Jitter,
    rules: &Rules,
) -> RunStep {
    if ledger::is_new(entry) && facts.run.status != RunStatus::Completed {
        return RunStep::Wait(WaitReason::RunActive);
    }
    if !ledger::has_open(entry) && facts.jobs.is_none() && !ledger::is_new(entry) {
        return RunStep::Done;
    }
    if !resolve_answer(entry, facts.run, now, rules) {
        return RunStep::Wait(WaitReason::AnswerUnclear);
    }
    if let Some(jobs) = facts.jobs {
        adopt(entry, facts, jobs, now);
        name_keys(entry, facts.run, jobs);
        chance::give(entry, facts, jobs, now);
    }
    take_what_was_put_off(entry, facts.run);
    follow_attempt(entry, facts.run, now);
    give_up_what_never_began(entry, facts.run, now);
    if now > after(facts.run.created_at, RERUN_ALLOWED_FOR) {
        let refusal = refusal(RefusalKind::TooOld, TOO_OLD);
        ledger::settle_open(entry, &refusal, now);
    }
    if !ledger::has_open(entry) {
        return match facts.jobs {
            None if ledger::is_new(entry) => RunStep::ReadJobs,
            Some(jobs) if ledger::is_new(entry) && is_looking(facts, jobs) => {
                RunStep::Wait(WaitReason::JobLooking)
            }
            Some(_) | None => RunStep::Done,
        };
    }
    if let Some(why) = unfinished(entry, facts.run) {
        return RunStep::Wait(why);
    }
    match facts.jobs {
        Some(jobs) => judge_attempt(entry, facts, jobs, (now, jitter), rules),
        None => RunStep::ReadJobs,
    }
}

/// Sets when the record is due after this step.
pub(super) fn schedule(
    entry: &mut RunEntry,
    step: &RunStep,
    facts: &RunFacts<'_>,
    now: Timestamp,
    jitter: Jitter,
    rules: &Rules,
) {
    let tries = entry.due.map_or(0, |due| due.tries);
    let exactly = |at| Some(Due { at, tries });
    match step {
        RunStep::ReadJobs
        | RunStep::ReadCauses(_)
        | RunStep::ReadRival
        | RunStep::ReadBudget
        | RunStep::Spend(_) => {}
        // A record that waits already keeps its time.
        RunStep::Wait(WaitReason::OverBudget) => {
            if entry.due.is_none_or(|due| due.at <= now) {
                afford::put_off(entry, now, jitter);
            }
        }
        RunStep::Done => {
            debug_assert!(!ledger::has_open(entry), "done, and a job is still open");
            entry.due = None;
        }
        RunStep::Ask(_) => {
            entry.due = exactly(after(now, rules.unclear_for));
            mutant!(ForgetWhatWasAsked => entry.due = None);
        }
        RunStep::Wait(why) => {
            let named = match why {
                WaitReason::AnswerUnclear => {
                    answer_clear_at(entry, rules).or(ledger::held_back_until(entry))
                }
                WaitReason::JobLooking => next_look(facts, now),
                WaitReason::Delayed => ledger::delayed_until(entry),
                WaitReason::RunActive | WaitReason::RerunActive | WaitReason::OverBudget => None,
            };
            match named.filter(|at| *at > now) {
                Some(at) => entry.due = exactly(at),
                None => back_off_unless_waiting(entry, now, jitter),
            }
        }
    }
}

/// Finds out by the run's attempt what became of a re-run whose answer is missing. False while
/// that cannot be told.
fn resolve_answer(entry: &mut RunEntry, run: &Run, now: Timestamp, rules: &Rules) -> bool {
    let Some(last) = ledger::unanswered(entry) else {
        return true;
    };
    if run.run_attempt > last.order.from {
        ledger::take_answer(entry, &RerunAnswer::Accepted, now);
        ledger::begin_to_watch(entry);
        entry.notes.add(now, Happened::FoundTaken);
        return true;
    }
    // An active run of the same attempt may be our re-run whose number is not shown yet.
    let was_lost =
        now >= after(last.decided_at, rules.unclear_for) && run.status == RunStatus::Completed;
    if was_lost {
        ledger::take_answer(entry, &RerunAnswer::NotNow, now);
        entry.notes.add(now, Happened::FoundNotTaken);
    }
    was_lost
}

fn answer_clear_at(entry: &RunEntry, rules: &Rules) -> Option<Timestamp> {
    ledger::unanswered(entry).map(|last| after(last.decided_at, rules.unclear_for))
}

/// A job whose event was lost is tracked from the verdict on it.
fn adopt(entry: &mut RunEntry, facts: &RunFacts<'_>, jobs: &[Job], now: Timestamp) {
    for job in jobs {
        let Some(verdict) = facts.verdicts.get(&job.id) else {
            continue;
        };
        if let Some(grounds) = verdict.grounds() {
            ledger::track(entry, job, grounds);
        }
        if let Some((reason, grounds)) = verdict.given_up() {
            ledger::bury(entry, job, (reason, grounds.clone()), now);
        }
    }
}

/// The whole list tells the workflow's file and each job's place among equal names.
fn name_keys(entry: &mut RunEntry, run: &Run, jobs: &[Job]) {
    for (id, key) in keys_of(&run.repository, run.path.as_deref(), jobs) {
        if let Some(tracked) = entry.jobs.get_mut(&id) {
            tracked.key = key;
        }
    }
}

/// A re-run that GitHub put off for an active run, seen as taken: what was active was that very
/// re-run, asked for before under an answer that was lost, and our read lagged behind it.
fn take_what_was_put_off(entry: &mut RunEntry, run: &Run) {
    if let Some(last) = entry.reruns.last_mut()
        && last.answer == RerunAnswer::NotNow
        && last.order.from.next() == run.run_attempt
    {
        last.answer = RerunAnswer::Accepted;
    }
}

/// An accepted re-run whose attempt does not begin within a day never will.
fn give_up_what_never_began(entry: &mut RunEntry, run: &Run, now: Timestamp) {
    let never: Vec<(JobId, RunAttempt)> = ledger::asked(entry)
        .filter(|(_, _, from)| *from >= run.run_attempt)
        .filter(|(_, job, _)| {
            ledger::asked_at(entry, job).is_some_and(|asked| now > after(asked, BEGINS_WITHIN))
        })
        .map(|(id, _, from)| (id, from.next()))
        .collect();
    for (id, attempt) in never {
        let words =
            format!("the re-run was accepted, but attempt {attempt} did not begin in a day");
        let reason = refusal(RefusalKind::Unknown, &words);
        ledger::settle(entry, &[id], &reason, now);
    }
}

/// Awaiting jobs of an attempt that is over: our own re-run is watched for them too, as it may
/// have brought them along; anybody else's ends our part.
fn follow_attempt(entry: &mut RunEntry, run: &Run, now: Timestamp) {
    let behind: Vec<(JobId, TrackedState)> = ledger::awaiting(entry)
        .filter(|(_, job)| job.attempt < run.run_attempt)
        .map(|(id, job)| {
            let ours = entry.reruns.iter().position(|rerun| {
                rerun.answer == RerunAnswer::Accepted && rerun.order.from >= job.attempt
            });
            let seen_too_late = run
                .run_started_at
                .is_some_and(|started| job.evidence.iter().all(|one| one.first_seen_at > started))
                && job.why == Why::Interrupted;
            let state = match ours {
                Some(rerun) => TrackedState::Asked { rerun },
                None if seen_too_late => settled(SettleReason::EvidenceTooLate, now),
                None => settled(SettleReason::AlreadyRerun, now),
            };
            (id, state)
        })
        .collect();
    for (id, state) in behind {
        ledger::move_to(entry, id, state);
    }
}

/// Why nothing can be told yet from the run alone.
fn unfinished(entry: &RunEntry, run: &Run) -> Option<WaitReason> {
    let awaits = ledger::awaiting(entry).next().is_some();
    // GitHub's reads lag: an attempt that we know of may not be shown yet.
    let awaits_later = ledger::awaiting(entry).any(|(_, job)| job.attempt > run.run_attempt);
    let is_active = run.status != RunStatus::Completed;
    let not_begun = ledger::asked(entry).any(|(_, _, from)| from >= run.run_attempt);
    if awaits_later || (is_active && awaits) {
        Some(WaitReason::RunActive)
    } else if is_active || not_begun {
        Some(WaitReason::RerunActive)
    } else {
        None
    }
}

/// The attempt has completed and all its jobs were read.
fn judge_attempt(
    entry: &mut RunEntry,
    facts: &RunFacts<'_>,
    jobs: &[Job],
    (now, jitter): (Timestamp, Jitter),
    rules: &Rules,
) -> RunStep {
    if is_looking(facts, jobs) {
        return RunStep::Wait(WaitReason::JobLooking);
    }
    let is_final = watch::is_final(facts.run, now);
    let Some(siblings) = watch::siblings_left_behind(entry, facts.run, jobs, is_final) else {
        return RunStep::Wait(WaitReason::RerunActive);
    };
    for (rerun, record) in siblings {
        ledger::track_sibling(entry, rerun, record);
    }
    name_keys(entry, facts.run, jobs);
    if facts.run.conclusion != Some(Conclusion::Failure) {
        ledger::settle_failures(entry, &SettleReason::RunNotFailed, now);
    }
    give_up_what_is_not_listed(entry, jobs, now);
    let awaiting: Vec<JobId> = ledger::awaiting(entry).map(|(id, _)| id).collect();
    let mut is_complete = awaiting.iter().all(|id| has_ended(jobs, *id));
    let mut left_behind: Vec<(JobId, JobId)> = Vec::new();
    for (id, sight) in watch::look(entry, facts.run, jobs) {
        match sight {
            Sight::NotListed if is_final => ledger::settle(entry, &[id], &not_listed(), now),
            Sight::NotListed | Sight::NotEnded => is_complete = false,
            Sight::End(reason) => ledger::settle(entry, &[id], &reason, now),
            Sight::LeftBehind(new_id) => left_behind.push((id, new_id)),
        }
    }
    if !is_complete && awaiting.is_empty() {
        return RunStep::Wait(WaitReason::RerunActive);
    } else if !is_complete {
        return RunStep::Wait(WaitReason::RunActive);
    }
    let candidates = Candidates {
        awaiting,
        left_behind,
    };
    bring_back(entry, facts, jobs, &candidates, (now, jitter), rules)
}

fn bring_back(
    entry: &mut RunEntry,
    facts: &RunFacts<'_>,
    jobs: &[Job],
    candidates: &Candidates,
    (now, jitter): (Timestamp, Jitter),
    rules: &Rules,
) -> RunStep {
    let ids = candidates.ids();
    if ids.is_empty() {
        return RunStep::Done;
    }
    if ledger::held_back_until(entry).is_some_and(|until| now < until) {
        return RunStep::Wait(WaitReason::AnswerUnclear);
    }
    if candidates.left_behind.is_empty() {
        ledger::delay(entry, now, jitter);
        if ledger::delayed_until(entry).is_some_and(|until| now < until) {
            return RunStep::Wait(WaitReason::Delayed);
        }
    }
    match permission(facts, jobs, candidates, rules) {
        Permission::Read(step) => step,
        Permission::Denied(reason) => {
            ledger::settle(entry, &ids, &reason, now);
            RunStep::Done
        }
        Permission::Granted => match order(entry, facts, jobs, candidates, rules) {
            Some(order) => afford::ask(entry, facts, order, now, rules),
            None => RunStep::Done,
        },
    }
}

/// What a re-run left behind goes first and one by one: no call takes several of them for sure.
fn order(
    entry: &RunEntry,
    facts: &RunFacts<'_>,
    jobs: &[Job],
    candidates: &Candidates,
    rules: &Rules,
) -> Option<RerunOrder> {
    match candidates.left_behind.first() {
        Some((id, new_id)) => Some(RerunOrder {
            from: facts.run.run_attempt,
            target: RerunTarget::Job(*new_id),
            wanted: vec![*id],
            along: Vec::new(),
            siblings: Vec::new(),
        }),
        None => {
            let order = classify::order(facts, jobs, &candidates.awaiting)?;
            let refused = ledger::refused_together(entry) == Some(order.from);
            let one_by_one = refused || stays_alone(&order, rules);
            Some(if one_by_one { by_one_job(order) } else { order })
        }
    }
}

/// Whether real failures would come along, and are not to.
fn stays_alone(order: &RerunOrder, rules: &Rules) -> bool {
    match rules.mixed {
        MixedReruns::FailedJobs => false,
        MixedReruns::Sequential => !order.along.is_empty(),
    }
}

/// The same by a call that takes nothing else along, and that GitHub cannot find nothing for: the first
/// job goes by itself, and what it leaves behind follows as it always does.
fn by_one_job(order: RerunOrder) -> RerunOrder {
    match order.wanted.first() {
        Some(first) => RerunOrder {
            target: RerunTarget::Job(*first),
            along: Vec::new(),
            ..order
        },
        None => order,
    }
}

/// GitHub's lists lag, but not for long: a job that its run's list still lacks is none of that run.
fn give_up_what_is_not_listed(entry: &mut RunEntry, jobs: &[Job], now: Timestamp) {
    let is_listed = |id: JobId| jobs.iter().any(|job| job.id == id);
    let never: Vec<JobId> = ledger::awaiting(entry)
        .filter(|(id, job)| {
            let ended_at = job.execution.completed_at;
            !is_listed(*id) && ended_at.is_some_and(|ended| watch::is_past_listing(ended, now))
        })
        .map(|(id, _)| id)
        .collect();
    ledger::settle(entry, &never, &not_listed(), now);
}

fn not_listed() -> SettleReason {
    refusal(RefusalKind::NotFound, NOT_LISTED)
}

fn has_ended(jobs: &[Job], id: JobId) -> bool {
    jobs.iter()
        .any(|job| job.id == id && job.status == JobStatus::Completed)
}

fn is_looking(facts: &RunFacts<'_>, jobs: &[Job]) -> bool {
    jobs.iter()
        .filter_map(|job| facts.verdicts.get(&job.id))
        .any(|verdict| match verdict {
            JobVerdict::LookAgain { .. }
            | JobVerdict::ReadEarlier
            | JobVerdict::ReadFailure
            | JobVerdict::Ask(_) => true,
            JobVerdict::Ignore(_)
            | JobVerdict::Settle { .. }
            | JobVerdict::Await { .. }
            | JobVerdict::Retry { .. } => false,
        })
}

/// When the first of the jobs that are looked at is to be looked at again.
fn next_look(facts: &RunFacts<'_>, now: Timestamp) -> Option<Timestamp> {
    let looks = facts.verdicts.values().filter_map(|verdict| match verdict {
        JobVerdict::LookAgain { at, until } => Some(*at.min(until)),
        JobVerdict::Ignore(_)
        | JobVerdict::Settle { .. }
        | JobVerdict::ReadEarlier
        | JobVerdict::ReadFailure
        | JobVerdict::Ask(_)
        | JobVerdict::Await { .. }
        | JobVerdict::Retry { .. } => None,
    });
    looks.min().map(|at| at.max(after(now, LEAST_PAUSE)))
}

/// A record that waits already keeps its time, so that deciding twice changes nothing.
fn back_off_unless_waiting(entry: &mut RunEntry, now: Timestamp, jitter: Jitter) {
    if entry.due.is_none_or(|due| due.at <= now) {
        ledger::back_off(entry, SignedDuration::ZERO, now, jitter);
    }
}

fn settled(reason: SettleReason, at: Timestamp) -> TrackedState {
    TrackedState::Settled { reason, at }
}

pub(super) fn refusal(kind: RefusalKind, message: &str) -> SettleReason {
    SettleReason::Refused(Refusal {
        kind,
        message: message.to_owned(),
    })
}
