//! What came back of the jobs that re-runs were asked for.
//!
//! Looks only at the newest attempt, once it has completed: a record there is a new execution, or
//! the old one carried over. Orders nothing itself.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::{JobId, RunAttempt};
use reprise_model::job::{Conclusion, Job, JobStatus};
use reprise_model::ledger::{RerunAnswer, RunEntry, Sibling, TrackedJob};
use reprise_model::reason::{Refusal, RefusalKind, SettleReason};
use reprise_model::run::Run;

use super::{ledger, records};
use crate::backoff::after;
use crate::job::passed;

/// How often a job is asked for: once, and once more by its new id when it did not come along.
const MOST_ASKS: usize = 2;

/// How long after its end a job may be missing in the list of its run's jobs: it is there within
/// seconds.
const LISTED_WITHIN: SignedDuration = SignedDuration::from_hours(1);

/// What the newest attempt shows of a job that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sight {
    /// The attempt's list lacks it; GitHub fills it over some seconds.
    NotListed,
    /// It is listed as not ended, and the attempt is over: GitHub's reads lag.
    NotEnded,
    /// There is nothing more to be done.
    End(SettleReason),
    /// It did not execute: its record, under this id, is the old one.
    LeftBehind(JobId),
}

/// What the newest attempt shows of every job that was asked for.
pub(super) fn look(entry: &RunEntry, run: &Run, jobs: &[Job]) -> BTreeMap<JobId, Sight> {
    let records = records::of_known(entry, run, jobs);
    ledger::asked(entry)
        .map(|(id, tracked, _)| {
            let sight = match records.get(&id) {
                None => Sight::NotListed,
                Some(job) => sight(entry, id, tracked, job, run.run_attempt),
            };
            (id, sight)
        })
        .collect()
}

/// Whether a job that ended then is in its run's list, if it ever will be.
pub(super) fn is_past_listing(ended: Timestamp, now: Timestamp) -> bool {
    now > after(ended, LISTED_WITHIN)
}

/// Whether the list of a completed attempt's jobs is all that there will ever be. It may lack one of
/// an earlier attempt: a matrix can be made anew from what another job put out.
pub(super) fn is_final(run: &Run, now: Timestamp) -> bool {
    run.updated_at
        .is_some_and(|ended| is_past_listing(ended, now))
}

/// The siblings that a re-run was to bring back and left behind: the re-run, and each one's record
/// in the newest attempt. `None` while the attempt's list lacks one of them and may still be filled.
pub(super) fn siblings_left_behind<'a>(
    entry: &RunEntry,
    run: &Run,
    jobs: &'a [Job],
    is_final: bool,
) -> Option<Vec<(usize, &'a Job)>> {
    let accepted = entry.reruns.iter().enumerate().filter(|(_, rerun)| {
        rerun.answer == RerunAnswer::Accepted && rerun.order.from < run.run_attempt
    });
    let mut left_behind = Vec::new();
    for (index, rerun) in accepted {
        for sibling in &rerun.order.siblings {
            let mut records = jobs
                .iter()
                .filter(|job| job.name == sibling.name)
                .peekable();
            if records.peek().is_none() && !is_final {
                return None;
            }
            let behind = records.find(|job| job.execution() == sibling.execution);
            left_behind.extend(behind.map(|job| (index, job)));
        }
    }
    left_behind.retain(|(_, job)| !ledger::holds(entry, &job.name, &job.execution()));
    Some(left_behind)
}

/// Whether a record tells of an execution that was over before the run's attempt began.
pub(super) fn ended_before(job: &Job, run: &Run) -> bool {
    match (job.completed_at, run.run_started_at) {
        (Some(completed), Some(started)) => completed < started,
        (Some(_) | None, _) => false,
    }
}

fn sight(
    entry: &RunEntry,
    id: JobId,
    tracked: &TrackedJob,
    job: &Job,
    attempt: RunAttempt,
) -> Sight {
    if job.status != JobStatus::Completed {
        Sight::NotEnded
    } else if job.execution() != tracked.execution {
        Sight::End(outcome(job))
    } else if asks_for(entry, id, tracked) < MOST_ASKS {
        Sight::LeftBehind(job.id)
    } else {
        Sight::End(SettleReason::Refused(not_executed(attempt)))
    }
}

/// A record that was skipped without ever having a runner brought nothing back: in the re-run,
/// something that the job needs failed, or its condition was false.
fn outcome(job: &Job) -> SettleReason {
    let was_skipped = job.conclusion == Some(Conclusion::Skipped) && job.runner_name.is_none();
    if passed(job) && !was_skipped {
        SettleReason::Recovered
    } else {
        SettleReason::FailedAgain
    }
}

/// How many re-runs that GitHub accepted were to bring this job back.
fn asks_for(entry: &RunEntry, id: JobId, tracked: &TrackedJob) -> usize {
    let is_sibling = |sibling: &Sibling| {
        sibling.name == tracked.key.name && sibling.execution == tracked.execution
    };
    entry
        .reruns
        .iter()
        .filter(|rerun| rerun.answer == RerunAnswer::Accepted)
        .map(|rerun| &rerun.order)
        .filter(|order| order.wanted.contains(&id) || order.siblings.iter().any(is_sibling))
        .count()
}

fn not_executed(attempt: RunAttempt) -> Refusal {
    Refusal {
        kind: RefusalKind::Unknown,
        message: format!(
            "the re-runs were accepted, but attempt {attempt} did not execute the job"
        ),
    }
}
