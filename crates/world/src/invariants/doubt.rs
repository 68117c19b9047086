//! Instances that nobody can tell what for they run: they are kept, and a person is told.

use jiff::SignedDuration;
use reprise_model::ids::RunId;

use crate::machine::{Machine, RunnerStart};
use crate::world::World;

/// How long an instance may be kept in doubt. A person is told of one that is six hours old, within
/// the half hour between two questions about it; the rest is for that person.
pub(super) const GRACE: SignedDuration = SignedDuration::from_hours(8);

/// Whether there is reason for doubt: nothing says what it was launched for, its repository is gone,
/// or it took, or may have taken, the job of another run, on a runner that it brought along.
pub(super) fn may_be_doubted(world: &World, machine: &Machine) -> bool {
    // Where runners are made, they can be taken out of GitHub, which tells whether they have a job.
    let hides_others = match world.settings().machines.runner {
        RunnerStart::BroughtAlong => true,
        RunnerStart::JustInTime => false,
    };
    let github = world.github();
    let known = |job| github.job(job);
    let took = machine.job.and_then(known).map(|(run, _, _)| run);
    let launched_for = machine.launched_for.and_then(known);
    let is_unclear = match (launched_for, took) {
        (None, took) => took.is_none(),
        (Some((run, _, _)), Some(took)) => hides_others && took.id != run.id,
        (Some((run, _, job)), None) => hides_others && !is_bound(run.id, &job.labels),
    };
    let run = launched_for.map(|(run, _, _)| run).or(took);
    is_unclear || run.is_some_and(|run| github.is_gone(&run.spec.repository))
}

/// Whether the run's id stands in the labels: no other run's job has them.
fn is_bound(run: RunId, labels: &[String]) -> bool {
    let id = run.to_string();
    labels.iter().any(|label| label.contains(&id))
}
