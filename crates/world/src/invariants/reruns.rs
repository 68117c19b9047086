//! Invariants of automatic re-runs: those that came in over the API.

use std::collections::BTreeMap;

use reprise_model::ids::{JobId, RunId};
use reprise_model::job::Conclusion;
use reprise_model::labels;
use reprise_model::policy::RetryPolicy;

use crate::github::{Attempt, GitHub, Job, Mutation, MutationKind, Run};
use crate::world::World;

/// 1: no automatic re-run past the policy's limit. That an execution is not re-run twice needs no
/// look: whatever GitHub re-runs executes anew, so the second re-run is one of another execution.
pub(super) fn never_past_the_limit(world: &World) -> Vec<String> {
    let github = world.github();
    let mut broken = Vec::new();
    for rerun in accepted(github) {
        for job in rerun.roots() {
            let limit = limit(policy(job));
            let number = number_of(rerun.run, &job.name, origin(github, job));
            if number > limit {
                broken.push(format!(
                    "{} was re-run after execution {number}, and {limit} is the last that may be",
                    rerun.named(job)
                ));
            }
        }
    }
    broken
}

/// 2: no automatic re-run without what the policy demands, and none of a success.
pub(super) fn only_of_what_was_interrupted(world: &World) -> Vec<String> {
    accepted(world.github())
        .flat_map(|rerun| match rerun.mutation.what {
            MutationKind::RerunJob | MutationKind::CancelRun => rerun.unwanted(world),
            MutationKind::RerunFailedJobs if rerun.may_take_others_along(world) => Vec::new(),
            MutationKind::RerunFailedJobs => rerun.unwanted(world),
            MutationKind::RerunRun => vec![format!("run {} was re-run as a whole", rerun.run.id)],
        })
        .collect()
}

/// 5: no call that changes a run is repeated without reading the run in between.
pub(super) fn never_without_reading_in_between(world: &World) -> Vec<String> {
    let mut last: BTreeMap<RunId, u64> = BTreeMap::new();
    let mut broken = Vec::new();
    for mutation in world.github().mutations() {
        let Some(run) = mutation.run else {
            continue;
        };
        if last.insert(run, mutation.reads_before) == Some(mutation.reads_before) {
            broken.push(format!(
                "run {run} was changed twice without reading it in between, at {}",
                mutation.at
            ));
        }
    }
    broken
}

/// A re-run that was carried out.
struct Accepted<'a> {
    mutation: &'a Mutation,
    run: &'a Run,
    /// The attempt that it was asked for.
    from: &'a Attempt,
    /// The attempt that it made.
    to: &'a Attempt,
}

fn accepted(github: &GitHub) -> impl Iterator<Item = Accepted<'_>> {
    github.mutations().iter().filter_map(|mutation| {
        let is_rerun = match mutation.what {
            MutationKind::RerunJob | MutationKind::RerunFailedJobs | MutationKind::RerunRun => true,
            MutationKind::CancelRun => false,
        };
        let run = github.run(mutation.run?)?;
        let from = mutation.attempt?;
        (is_rerun && mutation.acted).then_some(())?;
        Some(Accepted {
            mutation,
            run,
            from: run.attempt(from)?,
            to: run.attempt(from.next())?,
        })
    })
}

impl<'a> Accepted<'a> {
    /// The jobs that the call was about. Their dependents come back with them, and are not meant.
    fn roots(&self) -> Vec<&'a Job> {
        let again = self
            .from
            .jobs
            .values()
            .filter(|job| self.executes_again(job.id));
        let about = |job: &&Job| match self.mutation.what {
            MutationKind::RerunJob => self.mutation.job == Some(job.id),
            MutationKind::RerunFailedJobs => failed(job),
            MutationKind::RerunRun => true,
            MutationKind::CancelRun => false,
        };
        again.filter(about).collect()
    }

    fn executes_again(&self, id: JobId) -> bool {
        let mut records = self.to.jobs.values();
        !records.any(|job| job.carried_over_from == Some(id))
    }

    fn unwanted(&self, world: &World) -> Vec<String> {
        let roots = self.roots().into_iter();
        let unwanted = roots.filter(|job| !is_wanted(world, job));
        unwanted
            .map(|job| format!("{} was re-run, and nothing asked for it", self.named(job)))
            .collect()
    }

    /// GitHub re-runs one job or all failed ones. Where several are wanted, or a sibling that was
    /// cancelled with one, real failures have to come along.
    fn may_take_others_along(&self, world: &World) -> bool {
        // Also what GitHub left out: whether it takes cancelled jobs along is known only afterwards.
        let all: Vec<&Job> = self.from.jobs.values().filter(|job| failed(job)).collect();
        let wanted = all.iter().filter(|job| is_wanted(world, job)).count();
        let cancelled = |job: &&Job| job.conclusion == Some(Conclusion::Cancelled);
        let sibling = all
            .iter()
            .any(|job| cancelled(job) && !is_wanted(world, job));
        wanted > 1 || (wanted == 1 && sibling)
    }

    fn named(&self, job: &Job) -> String {
        let repository = &self.run.spec.repository;
        format!("{} of run {} in {repository}", job.name, self.run.id)
    }
}

/// Whether an automatic re-run of the job is what its policy asks for.
pub fn is_wanted(world: &World, job: &Job) -> bool {
    failed(job) && policy(job) != Some(RetryPolicy::Never) && was_interrupted(world, job)
}

fn was_interrupted(world: &World, job: &Job) -> bool {
    let runner = job.runner.as_ref();
    let machine = runner.and_then(|runner| world.machine_of_runner(&runner.name));
    let Some((started, completed)) = job.started_at.zip(job.completed_at) else {
        return false;
    };
    machine.is_some_and(|machine| machine.was_interrupted_during(started, completed))
}

fn failed(job: &Job) -> bool {
    job.conclusion
        .as_ref()
        .is_some_and(Conclusion::is_unsuccessful)
}

/// The policy that the job's labels state.
fn policy(job: &Job) -> Option<RetryPolicy> {
    labels::parse(&job.labels).ok().flatten()?.retry
}

/// That `retry=false` allows none at all is the business of invariant 2, which knows who had to come
/// along with others.
fn limit(policy: Option<RetryPolicy>) -> u32 {
    match policy {
        Some(RetryPolicy::WhenInterrupted | RetryPolicy::Never) | None => {
            RetryPolicy::WhenInterrupted.last_retried_execution()
        }
    }
}

/// The record in which a job really executed.
fn origin(github: &GitHub, job: &Job) -> JobId {
    let before = job.carried_over_from.and_then(|id| github.job(id));
    before.map_or(job.id, |(_, _, job)| origin(github, job))
}

/// Which execution of its name it was, from 1. Ids grow from attempt to attempt.
fn number_of(run: &Run, name: &str, execution: JobId) -> u32 {
    let earlier = run.executions(name).filter(|job| job.id < execution);
    u32::try_from(earlier.count())
        .unwrap_or(u32::MAX)
        .saturating_add(1)
}
