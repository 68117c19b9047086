//! What GitHub shows of a run by a check run: which jobs were interrupted, what becomes of them, and how it
//! ended. For a run of a merge queue it is the gate that the queue waits for.
//!
//! [`decide`] asks for one read at a time and orders at most one write. What is to be shown follows from the
//! run's record, and for a gate from the run itself, at that moment; so an event that is lost costs time
//! alone. Nothing here changes what becomes of a job: the run's record is only read.

mod gate;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reprise_model::check::{CheckEntry, CheckRunOrder, CheckRunSeen, CheckText, Gate, LeftJob};
use reprise_model::ending::ChangeAnswer;
use reprise_model::ids::{CheckRunId, JobId, Sha};
use reprise_model::job::Job;
use reprise_model::ledger::{Due, RunEntry, RunKey, Why};
use reprise_model::reason::{Refusal, RefusalKind, SettleReason};
use reprise_model::run::Run;

use crate::backoff::{Jitter, after};
use crate::due;
use crate::job::JobVerdict;
use crate::mutant;
use crate::no_machine::CheckWords;
use crate::rules::Rules;

pub use self::gate::{Hold, is_gated_event, is_of_merge_queue};

/// Whoever changes a run's record has its check run looked at. This is for those who did not live to do it.
const LOOK_ANYWAY: SignedDuration = SignedDuration::from_mins(15);

/// A missing permission may be granted while a merge queue waits.
const ASK_AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// What GitHub says of the run.
#[derive(Debug, Clone, Copy)]
pub enum RunWords<'a> {
    /// It was not asked.
    Unread,
    /// So it stands.
    Seen(&'a Run),
    /// It does not show it.
    Gone,
}

/// All that is known when it is asked what GitHub is to show.
#[derive(Debug, Clone, Copy)]
pub struct CheckFacts<'a> {
    /// The record.
    pub entry: &'a CheckEntry,
    /// The run's own record, if it has one.
    pub ledger: Option<&'a RunEntry>,
    /// The run.
    pub run: RunWords<'a>,
    /// The verdict on each unsuccessful job of its attempt that its record does not hold.
    pub verdicts: Option<&'a BTreeMap<JobId, JobVerdict>>,
    /// Whether people want to read what was interrupted, also where no merge queue waits.
    pub reports: bool,
    /// Our check runs of that name on the commit.
    pub checks: CheckWords<'a>,
}

/// What is to be done about a run's check run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum CheckStep {
    /// Read the run, and decide again.
    ReadRun,
    /// Read the jobs of the run's attempt, judge the unsuccessful ones, and decide again.
    JudgeJobs,
    /// Read our check runs of this name on this commit, and decide again.
    ReadChecks(Sha, String),
    /// Write the check run, then commit what [`answered`] makes of the record and the answer.
    Write(CheckEntry, CheckRunOrder),
    /// Commit this.
    Commit(CheckEntry),
}

/// What a check run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// It tells what was interrupted.
    Report,
    /// A merge queue waits for it.
    Gate,
}

impl Purpose {
    /// That of a record.
    pub fn of(entry: &CheckEntry) -> Self {
        match entry.gate {
            Some(_) => Self::Gate,
            None => Self::Report,
        }
    }

    /// The label value for metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::Gate => "gate",
        }
    }
}

/// The record once a job of its run was interrupted and is to be re-run: it leads to a look. `None` where it
/// does so already. `gated` says whether a merge queue may wait for it: its workflow is one of those.
pub fn interrupted(
    found: Option<&CheckEntry>,
    key: &RunKey,
    job: &Job,
    gated: bool,
    now: Timestamp,
) -> Option<CheckEntry> {
    match found {
        None => Some(opened(key, &job.head_sha, gated, now)),
        Some(found) if due::is_due(found.due, now) || gate::is_too_late(found) => None,
        Some(found) => Some(reopened(found.clone(), now)),
    }
}

/// Whether a run's record holds an interrupted job that it did not hold before: one whose event was lost,
/// found when the run was read.
pub fn is_found(before: &RunEntry, after: &RunEntry) -> bool {
    let mut jobs = after.jobs.iter();
    jobs.any(|(id, job)| job.why == Why::Interrupted && !before.jobs.contains_key(id))
}

/// The record once such a job was found in its run. `None` where it leads to a look already.
pub fn found(
    found: Option<&CheckEntry>,
    key: &RunKey,
    head: &Sha,
    now: Timestamp,
) -> Option<CheckEntry> {
    match found {
        None => Some(opened(key, head, false, now)),
        Some(found) => woken(found, now),
    }
}

/// The record once a job of its run was interrupted that is not to be re-run. `None` where it says so.
pub fn left_alone(
    found: Option<&CheckEntry>,
    key: &RunKey,
    job: &Job,
    reason: &SettleReason,
    gated: bool,
    now: Timestamp,
) -> Option<CheckEntry> {
    let left = LeftJob {
        name: job.name.clone(),
        attempt: job.run_attempt,
        reason: reason.clone(),
    };
    let mut entry = match found {
        None => opened(key, &job.head_sha, gated, now),
        Some(found) => found.clone(),
    };
    if entry.left.get(&job.id) == Some(&left) {
        return None;
    }
    entry.left.insert(job.id, left);
    Some(reopened(entry, now))
}

/// The record of a run that a merge queue waits for. `None` where it is its gate already.
pub fn gate_opened(
    found: Option<&CheckEntry>,
    key: &RunKey,
    head: &Sha,
    now: Timestamp,
) -> Option<CheckEntry> {
    match found {
        None => Some(opened(key, head, true, now)),
        Some(found) if found.gate.is_some() => None,
        // It is another check run, of another name.
        Some(found) => Some(CheckEntry {
            left: found.left.clone(),
            due: due_now(found.clone(), now).due,
            held_until: found.held_until,
            ..opened(key, head, true, now)
        }),
    }
}

/// The record once something of its run may have changed. `None` where nothing more is to be said, or it is
/// looked at anyway.
pub fn woken(entry: &CheckEntry, now: Timestamp) -> Option<CheckEntry> {
    let waits = entry.due.is_some_and(|due| due.at > now);
    waits.then(|| due_now(entry.clone(), now))
}

/// The record once people are to be told something else, also after its last word. `None` where it is looked
/// at anyway, or its time is over.
pub fn retold(entry: &CheckEntry, now: Timestamp) -> Option<CheckEntry> {
    let wakes = !due::is_due(entry.due, now) && !gate::is_too_late(entry);
    wakes.then(|| reopened(entry.clone(), now))
}

/// The record in the hands of whoever goes on with it. Where another one had it and said nothing since, what
/// GitHub shows is not known any more.
#[must_use]
pub fn taken(entry: CheckEntry) -> CheckEntry {
    if entry.held_until.is_none() {
        return entry;
    }
    CheckEntry {
        id: None,
        told: None,
        held_until: None,
        ..entry
    }
}

/// The record after a turn during which somebody changed it: what was found out is kept, and it is looked at
/// once more. `None` where another one has it by now.
pub fn changed_meanwhile(
    found: &CheckEntry,
    held_until: Timestamp,
    after: CheckEntry,
    now: Timestamp,
) -> Option<CheckEntry> {
    if found.held_until != Some(held_until) {
        return None;
    }
    let free = CheckEntry {
        held_until: None,
        ..found.clone()
    };
    if found.gate.is_some() != after.gate.is_some() {
        return Some(due_now(free, now));
    }
    let both = CheckEntry {
        left: free.left,
        held_until: None,
        ..after
    };
    Some(reopened(both, now))
}

/// Whether people are to be told something new of a run.
pub fn tells_more(before: &RunEntry, after: &RunEntry) -> bool {
    words::standings(before) != words::standings(after)
}

/// The next step for a run's check run.
pub fn decide(facts: &CheckFacts<'_>, now: Timestamp, jitter: Jitter, rules: &Rules) -> CheckStep {
    let mut entry = facts.entry.clone();
    let hold = match gate::follow(&mut entry, facts, now, rules) {
        gate::Next::Read(gate::Need::Run) => return CheckStep::ReadRun,
        gate::Next::Read(gate::Need::Verdicts) => return CheckStep::JudgeJobs,
        gate::Next::Unseen => return CheckStep::Commit(put_off(entry, now, jitter)),
        gate::Next::Show(hold) => hold,
    };
    let is_wanted = entry.gate.is_some() || facts.reports;
    let text = words::text(&entry, facts.ledger, hold).filter(|_| is_wanted);
    let Some(text) = text else {
        // Whoever saw an interruption may not have lived to tell of it.
        let may_come = facts.reports && facts.ledger.is_some_and(|ledger| ledger.due.is_some());
        let due = may_come.then(|| Due::now(after(now, LOOK_ANYWAY)));
        return CheckStep::Commit(CheckEntry { due, ..entry });
    };
    if entry.told.as_ref() == Some(&text) {
        return CheckStep::Commit(after_telling(entry, now, jitter));
    }
    let order = order(&entry, text);
    if entry.id.is_none() {
        match facts.checks {
            CheckWords::Unread => return CheckStep::ReadChecks(order.head, order.name),
            CheckWords::Refused(refusal) => {
                return CheckStep::Commit(refused(entry, refusal, now, jitter));
            }
            CheckWords::Seen(there) => take(&mut entry, there, &order.external_id),
        }
    }
    if entry.told.as_ref() == Some(&order.text) {
        return CheckStep::Commit(after_telling(entry, now, jitter));
    }
    CheckStep::Write(entry, order)
}

/// The record after GitHub's answer to the write. `made` is the number that GitHub gave the check run.
#[must_use]
pub fn answered(
    entry: CheckEntry,
    order: &CheckRunOrder,
    answer: &ChangeAnswer,
    made: Option<CheckRunId>,
    retry_after: Option<SignedDuration>,
    (now, jitter): (Timestamp, Jitter),
    rules: &Rules,
) -> CheckEntry {
    let later = |entry: CheckEntry, at_least| {
        let due = entry.due.unwrap_or(Due::now(now));
        CheckEntry {
            due: Some(due::put_off(due, at_least, now, jitter)),
            ..entry
        }
    };
    match answer {
        ChangeAnswer::Accepted => {
            let told = CheckEntry {
                id: made.or(entry.id),
                told: Some(order.text.clone()),
                ..entry
            };
            after_telling(told, now, jitter)
        }
        ChangeAnswer::NotNow => later(entry, retry_after.unwrap_or_default()),
        // Whatever is under way is over by then. It is found by a read, and what it says as well.
        ChangeAnswer::Unclear => {
            let unknown = CheckEntry {
                id: None,
                told: None,
                ..entry
            };
            later(
                unknown,
                retry_after.unwrap_or_default().max(rules.unclear_for),
            )
        }
        ChangeAnswer::Refused(refusal) => refused(entry, refusal, now, jitter),
    }
}

fn opened(key: &RunKey, head: &Sha, gated: bool, now: Timestamp) -> CheckEntry {
    let gate = gated.then_some(Gate {
        opened_at: now,
        workflow: None,
        end: None,
    });
    CheckEntry {
        key: key.clone(),
        head: head.clone(),
        gate,
        left: BTreeMap::new(),
        id: None,
        told: None,
        due: Some(Due::now(now)),
        held_until: None,
    }
}

/// What was concluded is open again: its run goes on. A gate whose time was over stays shut.
fn reopened(mut entry: CheckEntry, now: Timestamp) -> CheckEntry {
    let is_too_late = gate::is_too_late(&entry);
    if let Some(gate) = entry.gate.as_mut().filter(|_| !is_too_late)
        && gate.end.take().is_some()
    {
        gate.opened_at = now;
    }
    due_now(entry, now)
}

/// Whoever has it learns from its version that it was changed: two that write at the same time would leave
/// what the slower one wrote.
fn due_now(entry: CheckEntry, now: Timestamp) -> CheckEntry {
    if entry.held_until.is_some_and(|until| now < until) {
        return entry;
    }
    CheckEntry {
        due: Some(Due::now(now)),
        ..entry
    }
}

/// The check run that is there already, and what it says.
fn take(entry: &mut CheckEntry, there: &[CheckRunSeen], external_id: &str) {
    mutant!(ForgetCheckRuns => return);
    let is_it = |one: &&CheckRunSeen| one.external_id.as_deref() == Some(external_id);
    if let Some(seen) = there.iter().find(is_it) {
        entry.id = Some(seen.id);
        entry.told.clone_from(&seen.text);
    }
}

fn order(entry: &CheckEntry, text: CheckText) -> CheckRunOrder {
    CheckRunOrder {
        head: entry.head.clone(),
        name: words::name(entry),
        external_id: entry.key.run_id.to_string(),
        text,
    }
}

/// GitHub is told. Where it was the last word, nothing more is due.
fn after_telling(entry: CheckEntry, now: Timestamp, jitter: Jitter) -> CheckEntry {
    let told = entry.told.as_ref();
    if told.is_some_and(|told| told.state.is_concluded()) {
        return CheckEntry { due: None, ..entry };
    }
    mutant!(ForgetToConclude => return CheckEntry { due: None, ..entry });
    match Purpose::of(&entry) {
        Purpose::Gate => put_off(entry, now, jitter),
        Purpose::Report => CheckEntry {
            due: Some(Due::now(after(now, LOOK_ANYWAY))),
            ..entry
        },
    }
}

/// Nobody is told, then. A merge queue waits, so it is tried again for that.
fn refused(entry: CheckEntry, refusal: &Refusal, now: Timestamp, jitter: Jitter) -> CheckEntry {
    let may_pass = match refusal.kind {
        RefusalKind::MissingPermission => {
            entry.gate.as_ref().is_some_and(|gate| gate.end.is_none())
        }
        RefusalKind::TooOld
        | RefusalKind::NotRetryable
        | RefusalKind::WorkflowDisabled
        | RefusalKind::NotFound
        | RefusalKind::Unknown => false,
    };
    if !may_pass {
        return CheckEntry { due: None, ..entry };
    }
    let due = entry.due.unwrap_or(Due::now(now));
    CheckEntry {
        due: Some(due::put_off(due, ASK_AGAIN_AFTER, now, jitter)),
        ..entry
    }
}

fn put_off(entry: CheckEntry, now: Timestamp, jitter: Jitter) -> CheckEntry {
    let due = entry.due.unwrap_or(Due::now(now));
    CheckEntry {
        due: Some(due::put_off(due, SignedDuration::ZERO, now, jitter)),
        ..entry
    }
}
