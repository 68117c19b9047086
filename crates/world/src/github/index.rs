//! Which jobs wait, which runner is busy, and what is due: derived from the records alone.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use reprise_model::ids::JobId;
use reprise_model::job::JobStatus;

use super::state::Job;

/// Kept in step by forgetting a record before it changes and noting it afterwards.
#[derive(Debug, Default)]
pub(super) struct Index {
    queued: BTreeSet<JobId>,
    busy: BTreeMap<String, JobId>,
    deadlines: BTreeSet<(Timestamp, JobId)>,
}

impl Index {
    /// The jobs that wait for a runner, the oldest first.
    pub(super) fn queued(&self) -> impl Iterator<Item = JobId> {
        self.queued.iter().copied()
    }

    /// What a runner is busy with.
    pub(super) fn job_of(&self, runner: &str) -> Option<JobId> {
        self.busy.get(runner).copied()
    }

    /// The next deadline.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Takes the next deadline out, if it has come, so that each is met once.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Option<(Timestamp, JobId)> {
        let due = self.deadlines.first().is_some_and(|(at, _)| *at <= now);
        due.then(|| self.deadlines.pop_first()).flatten()
    }

    pub(super) fn forget(&mut self, job: &Job) {
        self.queued.remove(&job.id);
        if let Some(runner) = &job.runner {
            self.busy.remove(&runner.name);
        }
        if let Some(deadline) = &job.deadline {
            self.deadlines.remove(&(deadline.at, job.id));
        }
    }

    pub(super) fn note(&mut self, job: &Job) {
        if job.status == JobStatus::Queued {
            self.queued.insert(job.id);
        }
        if let Some(runner) = &job.runner
            && job.status == JobStatus::InProgress
        {
            self.busy.insert(runner.name.clone(), job.id);
        }
        if let Some(deadline) = &job.deadline {
            self.deadlines.insert((deadline.at, job.id));
        }
    }
}
