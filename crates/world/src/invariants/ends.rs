//! Queued jobs that get no machine: each ends visibly, and nothing is cancelled for another reason.

use reprise_model::ids::JobId;
use reprise_model::job::Conclusion;

use super::Mandate;
use crate::github::{CheckRun, GitHub, Job, Mutation, MutationKind, Run};
use crate::world::World;

/// So many check runs of a run are enough: the programs make no more.
const ENOUGH: usize = 20;

/// 2: a run is cancelled only where that is asked for, because a job of it waited for a machine in vain and
/// a check run says so.
pub(super) fn cancelled_unasked(world: &World, mandate: Mandate, from: usize) -> Vec<String> {
    let github = world.github();
    let mutations = github.mutations().iter().skip(from);
    let cancels = mutations.filter(|one| one.what == MutationKind::CancelRun && one.acted);
    let unasked = cancels.filter_map(|one| {
        let run = github.run(one.run?)?;
        let is_asked = mandate.cancels_exhausted && waited_and_was_told(github, run, one);
        (!is_asked).then(|| format!("run {} was cancelled, and nothing asked for it", run.id))
    });
    unasked.collect()
}

/// A job had not begun: it was cancelled with its run, or waits on, as one does that always is to run.
fn waited_and_was_told(github: &GitHub, run: &Run, cancel: &Mutation) -> bool {
    let attempt = cancel.attempt.and_then(|number| run.attempt(number));
    let mut jobs = attempt
        .into_iter()
        .flat_map(|attempt| attempt.jobs.values());
    jobs.any(|job| {
        job.runner.is_none()
            && (job.conclusion == Some(Conclusion::Cancelled) || !job.is_completed())
            && (github.faults().no_checks_read || is_told(github, run, job))
    })
}

/// What no check run says of a job that never got a machine: that it gets none. `None` where one says so,
/// where the App may not say it, and where the job does not exist (any more).
pub fn untold(world: &World, id: JobId) -> Option<String> {
    let github = world.github();
    let (run, _, job) = github.job(id)?;
    let is_moot = github.faults().no_checks_read || github.is_gone(&run.spec.repository);
    let is_untold = !is_moot && !is_told(github, run, job);
    is_untold.then(|| {
        let (name, run) = (&job.name, run.id);
        format!("{name} ({id}) of run {run} got no machine, and no check run says so")
    })
}

/// Check runs that say of one job twice that it gets no machine.
pub fn told_twice(world: &World) -> Vec<String> {
    let checks: Vec<&CheckRun> = world.github().check_runs().collect();
    let same = |one: &CheckRun, other: &CheckRun| {
        (&one.repository, &one.head, &one.external_id)
            == (&other.repository, &other.head, &other.external_id)
    };
    let twice = checks.iter().enumerate().filter(|(place, one)| {
        let mut earlier = checks.iter().take(*place);
        earlier.any(|other| same(one, other))
    });
    twice
        .map(|(_, one)| format!("there are two check runs {}", one.external_id))
        .collect()
}

fn is_told(github: &GitHub, run: &Run, job: &Job) -> bool {
    let prefix = format!("{}/", run.id);
    let of_run: Vec<&CheckRun> = github
        .check_runs()
        .filter(|one| one.head == run.spec.head_sha && one.external_id.starts_with(&prefix))
        .collect();
    let own = format!("{prefix}{}", job.name);
    of_run.len() >= ENOUGH || of_run.iter().any(|one| one.external_id == own)
}
