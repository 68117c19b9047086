//! A fresh chance for a job that is settled, because a person asks for one.
//!
//! The question is written into the run's record and nothing else happens there and then: whoever
//! works on the run reads it at GitHub first, and then everything that forbids a re-run forbids this
//! one. A question is answered once, by a chance or by the reason why there is none.

use std::collections::btree_map::Entry;

use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::JobId;
use reprise_model::job::{Job, JobStatus};
use reprise_model::ledger::{Due, RunEntry, TrackedJob, TrackedState};
use reprise_model::notes::Happened;
use reprise_model::policy::RetryPolicy;
use reprise_model::reason::SettleReason;

use super::{RunFacts, records};
use crate::job::passed;

/// Why nothing is done for a person who asks for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotPossible {
    /// The ledger has no such job.
    Unknown,
    /// It is under way by itself.
    UnderWay,
    /// It was asked for already.
    AskedAlready,
    /// It came through.
    Recovered,
    /// Its run was cancelled, by a person or by us; whoever wants it back re-runs it at GitHub.
    Cancelled,
}

impl NotPossible {
    /// The word for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::UnderWay => "under-way",
            Self::AskedAlready => "asked-already",
            Self::Recovered => "recovered",
            Self::Cancelled => "cancelled",
        }
    }

    /// The sentence for people.
    pub fn text(self) -> &'static str {
        match self {
            Self::Unknown => {
                "the ledger has no such job; `reprise explain` tells which it has of a run"
            }
            Self::UnderWay => {
                "it is under way by itself; `reprise retries show` tells what comes next"
            }
            Self::AskedAlready => "a fresh chance was asked for already, and is decided on soon",
            Self::Recovered => "it came through, so that there is nothing to bring back",
            Self::Cancelled => "its run was cancelled; whoever wants it back re-runs it at GitHub",
        }
    }
}

/// The record with a fresh chance asked for, due at once.
///
/// # Errors
/// Why that is not possible.
pub fn requeued(entry: &RunEntry, id: JobId, now: Timestamp) -> Result<RunEntry, NotPossible> {
    let job = entry.jobs.get(&id).ok_or(NotPossible::Unknown)?;
    if entry.notes.requeued.contains(&id) {
        return Err(NotPossible::AskedAlready);
    }
    let was = may_have_a_chance(job)?.as_str().to_owned();
    let mut entry = entry.clone();
    entry.notes.requeued.insert(id);
    entry.notes.dismissed.remove(&id);
    entry.notes.add(now, Happened::Requeued { job: id, was });
    entry.due = Some(Due::now(now));
    Ok(entry)
}

/// The record with a job taken out of the lists; `None` where it was already.
///
/// # Errors
/// Why that is not possible.
pub fn dismissed(
    entry: &RunEntry,
    id: JobId,
    now: Timestamp,
) -> Result<Option<RunEntry>, NotPossible> {
    let job = entry.jobs.get(&id).ok_or(NotPossible::Unknown)?;
    let is_settled = matches!(job.state, TrackedState::Settled { .. });
    if !is_settled || entry.notes.requeued.contains(&id) {
        return Err(NotPossible::UnderWay);
    }
    let mut entry = entry.clone();
    if !entry.notes.dismissed.insert(id) {
        return Ok(None);
    }
    entry.notes.add(now, Happened::Dismissed { job: id });
    Ok(Some(entry))
}

/// Answers all questions, now that the newest attempt and its jobs were read.
pub(super) fn give(entry: &mut RunEntry, facts: &RunFacts<'_>, jobs: &[Job], now: Timestamp) {
    for id in std::mem::take(&mut entry.notes.requeued) {
        let what = match newest(entry, facts, jobs, id) {
            Ok(record) => {
                begin_anew(entry, id, record);
                Happened::ChanceGiven {
                    job: id,
                    renewed: record.id,
                }
            }
            Err(why) => denied(id, why),
        };
        entry.notes.add(now, what);
    }
}

/// Answers all questions with no: nothing of the run can come back.
pub(super) fn deny_all(entry: &mut RunEntry, reason: &SettleReason, now: Timestamp) {
    for id in std::mem::take(&mut entry.notes.requeued) {
        entry.notes.add(now, denied(id, reason.as_str()));
    }
}

fn denied(job: JobId, why: &str) -> Happened {
    Happened::ChanceDenied {
        job,
        why: why.to_owned(),
    }
}

/// Why it was settled, where that leaves room for a chance. A person's word has not changed; GitHub's answers, the
/// configuration and who is in the way may have, and are looked at anew.
fn may_have_a_chance(job: &TrackedJob) -> Result<&SettleReason, NotPossible> {
    let reason = match &job.state {
        TrackedState::Awaiting | TrackedState::Asked { .. } => return Err(NotPossible::UnderWay),
        TrackedState::Settled { reason, .. } => reason,
    };
    match reason {
        SettleReason::Succeeded | SettleReason::Recovered => Err(NotPossible::Recovered),
        SettleReason::Cancelled | SettleReason::CancelledByUs => Err(NotPossible::Cancelled),
        SettleReason::NotSpot
        | SettleReason::NotInterrupted
        | SettleReason::Uncorroborated
        | SettleReason::EvidenceExpired
        | SettleReason::EvidenceTooLate
        | SettleReason::OptedOut
        | SettleReason::AttemptLimit
        | SettleReason::AlreadyRerun
        // Looked for once more: the newer run stays, and a concurrency group gets free.
        | SettleReason::Superseded
        | SettleReason::CancelledUnknown
        | SettleReason::RunNotFailed
        | SettleReason::PermanentFailure
        | SettleReason::UnknownFailure
        | SettleReason::EndpointSaidNo
        | SettleReason::EndpointUnanswered
        | SettleReason::NeverCompleted
        | SettleReason::FailedAgain
        | SettleReason::Refused(_) => Ok(reason),
    }
}

/// The job's record in the newest attempt, where it may be re-run; else the word for why not.
fn newest<'a>(
    entry: &RunEntry,
    facts: &RunFacts<'_>,
    jobs: &'a [Job],
    id: JobId,
) -> Result<&'a Job, &'static str> {
    let tracked = entry.jobs.get(&id).ok_or("unknown")?;
    let known = records::of_known(entry, facts.run, jobs);
    let record = if tracked.attempt == facts.run.run_attempt {
        jobs.iter().find(|job| job.id == id)
    } else {
        known.get(&id).copied()
    };
    let record = record.ok_or("not-listed")?;
    if record.status != JobStatus::Completed {
        return Err("not-ended");
    }
    if passed(record) {
        return Err("passed");
    }
    match facts.policies.get(&record.id) {
        None | Some(RetryPolicy::Never) => Err("policy-false"),
        Some(_) => Ok(record),
    }
}

/// The job awaits its run once more, by the record that it has in the newest attempt. What it was before
/// stays, and is listed no more.
fn begin_anew(entry: &mut RunEntry, id: JobId, record: &Job) {
    let Some(before) = entry.jobs.get(&id) else {
        return;
    };
    let renewed = TrackedJob {
        attempt: record.run_attempt,
        execution: record.execution(),
        // A person wants it now.
        pause: SignedDuration::ZERO,
        not_before: None,
        state: TrackedState::Awaiting,
        ..before.clone()
    };
    if record.id == id {
        entry.jobs.insert(id, renewed);
        return;
    }
    // What an endpoint said was said of the earlier execution, and of the capacity of this one.
    let renewed = TrackedJob {
        advice: None,
        ..renewed
    };
    // It may have been interrupted once more, and await its run already.
    if let Entry::Vacant(place) = entry.jobs.entry(record.id) {
        place.insert(renewed);
        entry.notes.renewed.insert(record.id, id);
    }
    entry.notes.dismissed.insert(id);
}
