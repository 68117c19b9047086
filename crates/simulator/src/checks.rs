//! The invariants, as far as they can be judged at a moment.
//!
//! Most are judged from the simulated world alone. That nothing ends silently (the fourth) is judged
//! at rest, and there the ledger's own word counts as an explanation.

use reprise_model::ids::JobId;
use reprise_model::ledger::{RunKey, TrackedState};
use reprise_model::policy::RetryPolicy;
use reprise_store::{Store, StoreError};
use reprise_world::github::{Attempt, Job, Run};
use reprise_world::invariants::{self, Broken};
use reprise_world::world::World;

use crate::universe::Universe;

/// What has changed since the last look, in as few numbers as will do.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Watch {
    mutations: usize,
    terminations: usize,
    taken: usize,
}

impl Watch {
    /// What is wrong now, unless nothing has happened that could have gone wrong.
    pub fn check(&mut self, world: &World) -> Vec<Broken> {
        let now = Self {
            mutations: world.github().mutations().len(),
            terminations: world.terminations().len(),
            taken: world.machines().filter(|one| one.job.is_some()).count(),
        };
        if *self == now {
            return Vec::new();
        }
        *self = now;
        invariants::check_always(world)
    }
}

/// What is wrong with a world that has come to rest.
///
/// # Errors
/// When the store cannot be read.
pub async fn check_at_rest(universe: &Universe) -> Result<Vec<Broken>, StoreError> {
    let (mut broken, open) = universe.look(|world, _| {
        let mut broken = invariants::check_always(world);
        broken.extend(invariants::check_at_rest(world));
        (broken, unexplained(world))
    });
    for job in open {
        if !is_settled(universe, &job).await? {
            broken.push(Broken {
                invariant: 4,
                what: format!(
                    "{} (job {}) of {} was interrupted, and nobody says what became of it",
                    job.name, job.id, job.run
                ),
            });
        }
    }
    Ok(broken)
}

/// An interrupted execution that did not come back.
struct Open {
    run: RunKey,
    id: JobId,
    name: String,
}

/// Interrupted jobs that were not executed again by anybody.
fn unexplained(world: &World) -> Vec<Open> {
    let mut open = Vec::new();
    for run in world.github().runs() {
        for attempt in run.attempts() {
            let lost = attempt
                .jobs
                .values()
                .filter(|job| is_eligible(world, run, job) && !came_back(run, attempt, job));
            open.extend(lost.map(|job| Open {
                run: RunKey {
                    repository: run.spec.repository.clone(),
                    run_id: run.id,
                },
                id: job.id,
                name: job.name.clone(),
            }));
        }
    }
    open
}

fn is_eligible(world: &World, run: &Run, job: &Job) -> bool {
    invariants::is_wanted(world, job)
        && !job.is_carried_over()
        && number_of(run, job) <= RetryPolicy::WhenInterrupted.last_retried_execution()
}

/// Which execution of its name it was, from 1.
fn number_of(run: &Run, job: &Job) -> u32 {
    let earlier = run
        .executions(&job.name)
        .take_while(|other| other.id != job.id);
    u32::try_from(earlier.count())
        .unwrap_or(u32::MAX)
        .saturating_add(1)
}

fn came_back(run: &Run, attempt: &Attempt, job: &Job) -> bool {
    let mut later = run.attempts().filter(|other| other.number > attempt.number);
    later.any(|later| {
        later
            .jobs
            .values()
            .any(|other| other.name == job.name && !other.is_carried_over())
    })
}

async fn is_settled(universe: &Universe, job: &Open) -> Result<bool, StoreError> {
    let found = universe.store.run(&job.run).await?;
    let state = found.and_then(|found| Some(found.record.jobs.get(&job.id)?.state.clone()));
    Ok(match state {
        Some(TrackedState::Settled { .. }) => true,
        Some(TrackedState::Awaiting | TrackedState::Asked { .. }) | None => false,
    })
}
