//! The invariants of a world at rest, with what the ledger says.
//!
//! All that holds at every moment is judged from the simulated world alone ([`Watch`]). Why a job was
//! given up stands in the ledger, and is compared there with what really happened.
//!
//! [`Watch`]: reprise_world::invariants::Watch

use reprise_model::ledger::{RunKey, TrackedState};
use reprise_store::{Store, StoreError};
use reprise_world::invariants::{self, Broken, Ledger, Verdict};

use crate::universe::Universe;

/// What is wrong with a world that has come to rest.
///
/// # Errors
/// When the store cannot be read.
pub async fn check_at_rest(universe: &Universe) -> Result<Vec<Broken>, StoreError> {
    let ledger = ledger(universe).await?;
    Ok(universe.look(|world, _| invariants::check_at_rest(world, &ledger)))
}

/// What the store says of the jobs of all runs.
async fn ledger(universe: &Universe) -> Result<Ledger, StoreError> {
    let keys: Vec<RunKey> = universe.look(|world, _| {
        let runs = world.github().runs();
        let key = |run: &reprise_world::github::Run| RunKey {
            repository: run.spec.repository.clone(),
            run_id: run.id,
        };
        runs.map(key).collect()
    });
    let mut ledger = Ledger::new();
    for key in keys {
        let Some(found) = universe.store.run(&key).await? else {
            continue;
        };
        let jobs = found.record.jobs.into_iter();
        ledger.extend(jobs.map(|(id, job)| (id, verdict(job.state))));
    }
    Ok(ledger)
}

fn verdict(state: TrackedState) -> Verdict {
    match state {
        TrackedState::Awaiting | TrackedState::Asked { .. } => Verdict::Open,
        TrackedState::Settled { reason, .. } => Verdict::Settled(reason),
    }
}
