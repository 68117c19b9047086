//! Instances that nobody can tell what for they run: they are kept, and a person is told.

use jiff::SignedDuration;
use reprise_model::ids::RunId;

use crate::machine::Machine;
use crate::world::World;

/// How long an instance may be kept in doubt. A person is told of one that is six hours old, within
/// the half hour between two questions about it; the rest is for that person.
pub(super) const GRACE: SignedDuration = SignedDuration::from_hours(8);

/// Whether there is reason for doubt: nothing says what it was launched for, its repository is gone,
/// or it took, or may have taken, the job of another run.
pub(super) fn may_be_doubted(world: &World, machine: &Machine) -> bool {
    let github = world.github();
    let known = |job| github.job(job);
    let took = machine.job.and_then(known).map(|(run, _, _)| run);
    let launched_for = machine.launched_for.and_then(known);
    let is_unclear = match (launched_for, took) {
        (None, took) => took.is_none(),
        (Some((run, _, _)), Some(took)) => took.id != run.id,
        (Some((run, _, job)), None) => !is_bound(run.id, &job.labels),
    };
    let run = launched_for.map(|(run, _, _)| run).or(took);
    is_unclear || run.is_some_and(|run| github.is_gone(&run.spec.repository))
}

/// Whether the run's id stands in the labels: no other run's job has them.
fn is_bound(run: RunId, labels: &[String]) -> bool {
    let id = run.to_string();
    labels.iter().any(|label| label.contains(&id))
}
