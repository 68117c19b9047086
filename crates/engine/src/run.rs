//! What to do about a run with jobs that are to come back.
//!
//! [`decide`] is the table "A run with awaiting jobs". It asks for one read at a time, the cheapest
//! first, and orders at most one re-run, which is written into the record before it is asked for:
//! an answer that never came is known to be missing, and the run is read before anything is
//! repeated. Nothing here is believed of an event but that it is time to look.

mod afford;
mod chance;
mod classify;
mod ledger;
mod ours;
mod permission;
mod records;
mod step;
#[cfg(test)]
mod tests;
mod watch;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reprise_model::advice::{Advice, Said};
use reprise_model::budget::Budget;
use reprise_model::ids::{JobId, RunAttempt, RunId};
use reprise_model::instance::Capacity;
use reprise_model::job::Job;
use reprise_model::ledger::{
    Due, RerunAnswer, RerunOrder, RerunTarget, RunEntry, RunKey, TrackedJob,
};
use reprise_model::notes::{Happened, Notes, bounded};
use reprise_model::policy::RetryPolicy;
use reprise_model::reason::{Refusal, RefusalKind, SettleReason};
use reprise_model::run::{CancelCause, Run};

pub use self::chance::{NotPossible, dismissed, requeued};
pub(crate) use self::ledger::{is_anothers_turn, waits_its_turn};
pub use self::ours::{may_tell, told_ours};
use crate::backoff::{Jitter, after};
use crate::job::{Grounds, JobVerdict};
use crate::mutant;
use crate::rules::Rules;

/// Whether a newer run of the same workflow and branch exists, or another one has the run's concurrency group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rival {
    /// Not read yet.
    Unread,
    /// There is none.
    No,
    /// There is this one.
    Run(RunId),
}

/// All that is known of a run when it is looked at.
#[derive(Debug, Clone, Copy)]
pub struct RunFacts<'a> {
    /// The ledger's record.
    pub entry: &'a RunEntry,
    /// The run as GitHub answers now.
    pub run: &'a Run,
    /// All jobs of the run's current attempt, once they were read.
    pub jobs: Option<&'a [Job]>,
    /// The verdict on each unsuccessful job of the attempt that is not in the ledger.
    pub verdicts: &'a BTreeMap<JobId, JobVerdict>,
    /// Why each cancelled job was cancelled, once that was read.
    pub causes: &'a BTreeMap<JobId, CancelCause>,
    /// Whether a newer run exists, or another one is in the way.
    pub rival: Rival,
    /// The present policy of each unsuccessful job, where a fresh chance was asked for.
    pub policies: &'a BTreeMap<JobId, RetryPolicy>,
    /// What the repository's re-runs cost lately.
    pub spent: Spent<'a>,
}

/// What is known of a repository's budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent<'a> {
    /// Nothing was read yet.
    Unread,
    /// This is its record; `None` where there is none.
    Known(Option<&'a Budget>),
}

/// The next step, and the record to commit before it is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct RunDecision {
    /// The record as it is to be stored.
    pub entry: RunEntry,
    /// What to do.
    pub step: RunStep,
}

/// What to do about a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunStep {
    /// Read all jobs of the run's current attempt, judge the unsuccessful ones that the ledger
    /// does not know, and decide again.
    ReadJobs,
    /// Read why these jobs were cancelled, and decide again.
    ReadCauses(Vec<JobId>),
    /// Find out whether a newer run exists, or another one is in the way, and decide again.
    ReadRival,
    /// Read the budget of the run's repository, and decide again.
    ReadBudget,
    /// Commit this budget on the version that was read, and decide again with it; where somebody was
    /// faster, with theirs. The run's own record is committed later, with the order.
    Spend(Budget),
    /// Look again when the record is due.
    Wait(WaitReason),
    /// Commit the record, then ask GitHub for this; give the answer to [`answered`].
    Ask(RerunOrder),
    /// Everything is settled.
    Done,
}

/// Why a run is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitReason {
    /// GitHub allows no re-run before every job of the run has ended.
    RunActive,
    /// A job of the attempt is still being looked at.
    JobLooking,
    /// A re-run was asked for and its attempt has not completed.
    RerunActive,
    /// An answer was lost, or GitHub named a time before which it is not to be asked again.
    AnswerUnclear,
    /// The policy of what failed waits a while before the re-run.
    Delayed,
    /// Its repository has had its re-runs of this hour.
    OverBudget,
}

impl WaitReason {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::RunActive,
        Self::JobLooking,
        Self::RerunActive,
        Self::AnswerUnclear,
        Self::Delayed,
        Self::OverBudget,
    ];

    /// The word for logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RunActive => "run-active",
            Self::JobLooking => "job-looking",
            Self::RerunActive => "rerun-active",
            Self::AnswerUnclear => "answer-unclear",
            Self::Delayed => "delayed",
            Self::OverBudget => "over-budget",
        }
    }
}

/// The record of a run of which nothing is known yet.
pub fn opened(key: RunKey, now: Timestamp) -> RunEntry {
    RunEntry {
        key,
        jobs: BTreeMap::new(),
        reruns: Vec::new(),
        due: Some(Due::now(now)),
        notes: Notes::default(),
    }
}

/// The record with a job added that is to come back, and due at once. A job that is there already
/// changes nothing, but for evidence of an interruption of one that was there without any.
pub fn await_job(
    entry: Option<RunEntry>,
    key: RunKey,
    job: &Job,
    grounds: Grounds,
    now: Timestamp,
) -> RunEntry {
    let mut entry = entry.unwrap_or_else(|| opened(key, now));
    if ledger::track(&mut entry, job, grounds) {
        entry.due = mutant!(WaitForEventAlone => None, Some(Due::now(now)));
    }
    entry
}

/// The record with a job added that its policy gives up. `None` when it is there already.
pub fn bury(
    entry: Option<RunEntry>,
    key: RunKey,
    job: &Job,
    verdict: &JobVerdict,
    now: Timestamp,
) -> Option<RunEntry> {
    let (reason, grounds) = verdict.given_up()?;
    let mut entry = entry.unwrap_or_else(|| RunEntry {
        due: None,
        ..opened(key, now)
    });
    ledger::bury(&mut entry, job, (reason, grounds.clone()), now).then_some(entry)
}

/// What came of asking an endpoint about this execution of a job, where the record holds it.
pub fn advice_on<'a>(entry: &'a RunEntry, job: &Job) -> Option<&'a Advice> {
    let by_id = entry.jobs.get(&job.id);
    let same = |one: &&TrackedJob| one.key.name == job.name && one.execution == job.execution();
    let known = by_id.or_else(|| entry.jobs.values().find(same))?;
    known.advice.as_ref()
}

/// What endpoints named for a job of this attempt, which a re-run of ours brought about. Of equal names all
/// must have named spot: one is kept off it once too often rather than once too seldom.
pub fn advised_capacity(entry: &RunEntry, job: &Job) -> Option<Capacity> {
    let reruns = entry.reruns.iter().filter(|rerun| {
        rerun.order.from.next() == job.run_attempt && is_or_may_be_taken(&rerun.answer)
    });
    let (wanted, along) = reruns
        .clone()
        .fold((Vec::new(), false), |(mut wanted, along), rerun| {
            let order = &rerun.order;
            wanted.extend(&order.wanted);
            let siblings = order.siblings.iter().map(|sibling| &sibling.name);
            let comes = order
                .along
                .iter()
                .chain(siblings)
                .any(|name| *name == job.name);
            (wanted, along || comes)
        });
    if along {
        return None;
    }
    let wanted = wanted.into_iter();
    let tracked = wanted.filter_map(|id| entry.jobs.get(id));
    let named = tracked.filter(|one| one.key.name == job.name);
    let said = named.map(|one| match one.advice.as_ref().map(|advice| &advice.said) {
        Some(Said::Yes { capacity, .. }) => *capacity,
        Some(Said::No { .. } | Said::Nothing { .. }) | None => None,
    });
    said.min_by_key(|capacity| match capacity {
        Some(Capacity::OnDemand) => 0,
        None => 1,
        Some(Capacity::Spot) => 2,
    })
    .flatten()
}

/// Whether the record holds this execution of a job, in whatever state.
pub fn knows(entry: &RunEntry, job: &Job) -> bool {
    entry.jobs.contains_key(&job.id) || ledger::holds(entry, &job.name, &job.execution())
}

/// The record after an event of its run: due at once. `None` when nothing in it is open.
pub fn woken(entry: RunEntry, now: Timestamp) -> Option<RunEntry> {
    ledger::has_open(&entry).then(|| RunEntry {
        due: Some(Due::now(now)),
        ..entry
    })
}

/// The record of a run that ended as failed and has jobs whose policies re-run failures, due at once:
/// their events may be lost. `None` where its jobs are known already.
pub fn failed(entry: Option<RunEntry>, key: RunKey, now: Timestamp) -> Option<RunEntry> {
    let entry = entry.unwrap_or_else(|| opened(key, now));
    let due = Some(Due::now(now));
    ledger::is_new(&entry).then_some(RunEntry { due, ..entry })
}

/// The record after its run could not be read: due later, and not before `retry_after`, where
/// GitHub asks to wait so long.
#[must_use]
pub fn postponed(
    mut entry: RunEntry,
    retry_after: Option<SignedDuration>,
    now: Timestamp,
    jitter: Jitter,
) -> RunEntry {
    if ledger::has_open(&entry) || ledger::is_new(&entry) {
        let at_least = retry_after.unwrap_or(SignedDuration::ZERO);
        ledger::back_off(&mut entry, at_least, now, jitter);
    } else {
        entry.due = None;
    }
    entry
}

/// Whether an attempt that exists is, as far as the ledger tells, the fruit of a re-run that we
/// asked for. Only a re-run that GitHub refused for good is not: where the answer was lost, or was
/// that the run is active already, the attempt's existence shows that one was taken.
pub fn asked_for(entry: &RunEntry, attempt: RunAttempt) -> bool {
    entry
        .reruns
        .iter()
        .filter(|rerun| rerun.order.from.next() == attempt)
        .any(|rerun| is_or_may_be_taken(&rerun.answer))
}

fn is_or_may_be_taken(answer: &RerunAnswer) -> bool {
    match answer {
        RerunAnswer::Accepted | RerunAnswer::Unclear | RerunAnswer::NotNow => true,
        RerunAnswer::Refused(_) => false,
    }
}

/// The record after a final no to reading its run: every open job is settled with it. A run that was
/// made a moment ago may merely not be shown yet: it is read again later.
#[must_use]
pub fn refused(mut entry: RunEntry, refusal: Refusal, now: Timestamp, jitter: Jitter) -> RunEntry {
    if refusal.kind == RefusalKind::NotFound && ledger::may_be_fresh(&entry, now) {
        return postponed(entry, None, now, jitter);
    }
    ledger::settle_open(&mut entry, &SettleReason::Refused(refusal), now);
    entry.notes.parked = None;
    entry.due = None;
    entry
}

/// The record after GitHub's answer to its last re-run.
///
/// An answer to a re-run that a later read has resolved already changes nothing. `retry_after` is
/// how long GitHub asks to wait.
#[must_use]
pub fn answered(
    mut entry: RunEntry,
    answer: RerunAnswer,
    retry_after: Option<SignedDuration>,
    now: Timestamp,
    jitter: Jitter,
) -> RunEntry {
    if ledger::unanswered(&entry).is_none() {
        return entry;
    }
    ledger::take_answer(&mut entry, &answer, now);
    match answer {
        RerunAnswer::Accepted => {
            ledger::begin_to_watch(&mut entry);
            ledger::back_off(&mut entry, SignedDuration::ZERO, now, jitter);
        }
        RerunAnswer::NotNow | RerunAnswer::Unclear => {
            let at_least = retry_after.unwrap_or(SignedDuration::ZERO);
            if retry_after.is_some() {
                ledger::hold_back(&mut entry, after(now, at_least));
            }
            ledger::back_off(&mut entry, at_least, now, jitter);
        }
        RerunAnswer::Refused(_) => {
            entry.due = ledger::has_open(&entry).then(|| Due::now(now));
        }
    }
    entry
}

/// The word for the row of the table that an order comes from.
pub fn rule(order: &RerunOrder) -> &'static str {
    match order.target {
        RerunTarget::Job(id) if order.wanted == [id] && order.siblings.is_empty() => "one-wanted",
        RerunTarget::Job(id) if order.wanted.contains(&id) => "one-by-one",
        RerunTarget::Job(_) => "left-behind",
        RerunTarget::FailedJobs if order.along.is_empty() => "all-wanted",
        RerunTarget::FailedJobs => "mixed",
    }
}

/// The record with GitHub's words to its last re-run, where the answer was neither yes nor a final no.
#[must_use]
pub fn noted(mut entry: RunEntry, answer: &RerunAnswer, words: &str, now: Timestamp) -> RunEntry {
    let words = bounded(words);
    match answer {
        RerunAnswer::NotNow => entry.notes.add(now, Happened::PutOff { words }),
        RerunAnswer::Unclear => entry.notes.add(now, Happened::Unclear { words }),
        RerunAnswer::Accepted | RerunAnswer::Refused(_) => {}
    }
    entry
}

/// The jobs for which no re-run was asked yet.
pub fn awaiting(entry: &RunEntry) -> impl Iterator<Item = &TrackedJob> {
    ledger::awaiting(entry).map(|(_, job)| job)
}

/// Whether a run that is due is one for which the repository's budget had no room, and of which nothing
/// was heard since: its budget is read first, and perhaps nothing else ([`still_parked`]).
pub fn is_parked(entry: &RunEntry) -> bool {
    afford::is_parked(entry)
}

/// The record of a parked run, due later, where the budget still has no room. Thousands may wait for it,
/// so that nothing is read of them at GitHub before there is.
pub fn still_parked(
    entry: &RunEntry,
    spent: Option<&Budget>,
    now: Timestamp,
    jitter: Jitter,
    rules: &Rules,
) -> Option<RunEntry> {
    afford::still_parked(entry, spent, (now, jitter), rules)
}

/// The next step for a run, and the record to commit before it is taken.
pub fn decide(facts: &RunFacts<'_>, now: Timestamp, jitter: Jitter, rules: &Rules) -> RunDecision {
    let mut entry = facts.entry.clone();
    entry.notes.parked = None;
    let step = step::next(&mut entry, facts, now, jitter, rules);
    step::schedule(&mut entry, &step, facts, now, jitter, rules);
    RunDecision { entry, step }
}
