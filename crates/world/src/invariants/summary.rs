//! What became of every job, as a table.

use reprise_model::ids::{InstanceId, JobId, Repository, RunAttempt, RunId};
use reprise_model::instance::Capacity;
use reprise_model::job::Conclusion;

use crate::github::{Attempt, Job, Run};
use crate::world::World;

/// A job in one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRow {
    /// Where it ran.
    pub repository: Repository,
    /// The workflow's name.
    pub workflow: String,
    /// The run.
    pub run: RunId,
    /// The job's name.
    pub job: String,
    /// The attempt.
    pub attempt: RunAttempt,
    /// Spot or on-demand, where a machine of this world ran it.
    pub capacity: Option<Capacity>,
    /// The instance that ran it.
    pub instance: Option<InstanceId>,
    /// How it ended.
    pub conclusion: Option<Conclusion>,
    /// Whether it did not execute in this attempt.
    pub carried_over: bool,
    /// Its id in this attempt.
    pub job_id: JobId,
}

/// Every job of every attempt, by run, attempt and order of the workflow file.
pub fn summary(world: &World) -> Vec<JobRow> {
    let mut rows = Vec::new();
    for run in world.github().runs() {
        for attempt in run.attempts() {
            let jobs = attempt.jobs.values();
            rows.extend(jobs.map(|job| row(world, run, attempt, job)));
        }
    }
    rows
}

fn row(world: &World, run: &Run, attempt: &Attempt, job: &Job) -> JobRow {
    let runner = job.runner.as_ref();
    let machine = runner.and_then(|runner| world.machine_of_runner(&runner.name));
    JobRow {
        repository: run.spec.repository.clone(),
        workflow: run.spec.workflow_name.clone(),
        run: run.id,
        job: job.name.clone(),
        attempt: attempt.number,
        capacity: machine.map(|machine| machine.capacity),
        instance: machine.map(|machine| machine.id.clone()),
        conclusion: job.conclusion.clone(),
        carried_over: job.is_carried_over(),
        job_id: job.id,
    }
}
