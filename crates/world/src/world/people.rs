//! What people do, and what befalls instances, by the names that a plan made beforehand can know.
//!
//! A plan cannot know the ids that GitHub and EC2 will give: it speaks of the n-th run that is
//! pushed and of a job's place in its workflow file.

use jiff::Timestamp;
use reprise_model::ids::{InstanceId, JobId, RunAttempt, RunId};

use super::World;
use crate::fate::Stroke;
use crate::github::{Refusal, Rerun};

/// What a person asks to be re-run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByHand {
    /// The job at this place of the workflow file, as it stands in the latest attempt.
    Job(usize),
    /// All failed jobs.
    FailedJobs,
    /// Everything.
    WholeRun,
}

impl World {
    /// A person, who may, wants one more re-run of a job, whatever its policy says.
    pub fn person_gives_a_chance(&mut self, job: JobId) {
        if let Some((run, _, job)) = self.github.job(job) {
            *self.chances.entry((run.id, job.place())).or_default() += 1;
        }
    }

    /// How often a person wanted that of the job at a place of a run's workflow file.
    pub fn chances(&self, run: RunId, place: usize) -> u32 {
        self.chances.get(&(run, place)).copied().unwrap_or_default()
    }

    /// The n-th run that was pushed, from 0.
    pub fn nth_run(&self, index: usize) -> Option<RunId> {
        self.github.runs().nth(index).map(|run| run.id)
    }

    /// The record of a job in the latest attempt of its run; `None` before it was queued.
    pub fn job_at(&self, run: RunId, place: usize) -> Option<JobId> {
        let mut records = self.github.run(run)?.current().jobs.values();
        records.find(|job| job.place() == place).map(|job| job.id)
    }

    /// The instance that executes, or last executed, a job.
    pub fn instance_at(&self, run: RunId, place: usize) -> Option<InstanceId> {
        let last = self.github.run(run)?.executions_at(place).last()?;
        let runner = last.runner.as_ref()?;
        let machine = self.machine_of_runner(&runner.name)?;
        Some(machine.id.clone())
    }

    /// A person re-runs, on GitHub's pages.
    pub fn person_reruns(
        &mut self,
        now: Timestamp,
        run: RunId,
        what: ByHand,
        by: &str,
    ) -> Result<RunAttempt, Refusal> {
        self.advance(now);
        let attempt = self.rerun_by_hand(run, what, by);
        self.settle();
        attempt
    }

    pub(super) fn rerun_by_hand(
        &mut self,
        run: RunId,
        what: ByHand,
        by: &str,
    ) -> Result<RunAttempt, Refusal> {
        let asked = match what {
            ByHand::Job(place) => Rerun::Job(self.job_at(run, place).ok_or(Refusal::NotFound)?),
            ByHand::FailedJobs => Rerun::FailedJobs(run),
            ByHand::WholeRun => Rerun::WholeRun(run),
        };
        self.github.rerun(self.now, asked, by)
    }

    /// A person cancels a run, on GitHub's pages. Whether there was anything to cancel.
    pub fn person_cancels(&mut self, now: Timestamp, run: RunId, by: &str) -> bool {
        self.advance(now);
        let cancelled = self.github.cancel_run(self.now, run, by);
        self.settle();
        cancelled
    }

    /// The owner of a run's repository deletes it.
    pub fn repository_deleted(&mut self, now: Timestamp, run: RunId) {
        self.advance(now);
        self.delete_repository_of(run);
        self.settle();
    }

    pub(super) fn delete_repository_of(&mut self, run: RunId) {
        let repository = self.github.run(run).map(|run| run.spec.repository.clone());
        if let Some(repository) = repository {
            self.github.delete_repository(self.now, &repository);
        }
    }

    /// Something strikes an instance, whatever it is at; what cannot be does nothing.
    pub fn strike_instance(&mut self, now: Timestamp, id: &InstanceId, stroke: Stroke) {
        self.advance(now);
        self.strike(self.now, id, stroke);
        self.settle();
    }
}
