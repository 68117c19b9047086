//! What came back of the jobs that re-runs were asked for.
//!
//! Looks only at the newest attempt, once it has completed: a record there is a new execution, or
//! the old one carried over. Orders nothing itself.

use std::collections::BTreeMap;

use reprise_model::ids::{JobId, RunAttempt};
use reprise_model::job::{Job, JobKey, JobStatus, keys_of};
use reprise_model::ledger::{RerunAnswer, RunEntry, TrackedJob};
use reprise_model::reason::{Refusal, RefusalKind, SettleReason};
use reprise_model::run::Run;

use super::ledger;
use crate::job::passed;

/// How often a job is asked for: once, and once more by its new id when it did not come along.
const MOST_ASKS: usize = 2;

/// What the newest attempt shows of a job that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sight {
    /// The attempt's list is incomplete; GitHub fills it over some seconds.
    Missing,
    /// There is nothing more to be done.
    End(SettleReason),
    /// It did not execute: its record, under this id, is the old one.
    LeftBehind(JobId),
}

/// What the newest attempt shows of every job that was asked for.
pub(super) fn look(entry: &RunEntry, run: &Run, jobs: &[Job]) -> BTreeMap<JobId, Sight> {
    let keys = keys_of(&run.repository, run.path.as_deref(), jobs);
    ledger::asked(entry)
        .map(|(id, tracked, _)| {
            let found = jobs
                .iter()
                .find(|job| keys.get(&job.id).is_some_and(|key| is_same(key, tracked)));
            let sight = match found {
                None => Sight::Missing,
                Some(job) => sight(entry, id, tracked, job, run.run_attempt),
            };
            (id, sight)
        })
        .collect()
}

fn sight(
    entry: &RunEntry,
    id: JobId,
    tracked: &TrackedJob,
    job: &Job,
    attempt: RunAttempt,
) -> Sight {
    if job.status != JobStatus::Completed {
        Sight::Missing
    } else if job.execution() != tracked.execution {
        Sight::End(outcome(job))
    } else if asks_for(entry, id) < MOST_ASKS {
        Sight::LeftBehind(job.id)
    } else {
        Sight::End(SettleReason::Refused(not_executed(attempt)))
    }
}

fn outcome(job: &Job) -> SettleReason {
    if passed(job) {
        SettleReason::Recovered
    } else {
        SettleReason::FailedAgain
    }
}

/// Name and place among equal names: the workflow's file may be unknown in an old record.
fn is_same(key: &JobKey, tracked: &TrackedJob) -> bool {
    key.name == tracked.key.name && key.ordinal == tracked.key.ordinal
}

/// How many re-runs that GitHub accepted were for this job.
fn asks_for(entry: &RunEntry, id: JobId) -> usize {
    entry
        .reruns
        .iter()
        .filter(|rerun| rerun.answer == RerunAnswer::Accepted && rerun.order.wanted.contains(&id))
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
