//! The invariants of a world at rest, with what the ledger says.
//!
//! All that holds at every moment is judged from the simulated world alone ([`Watch`]). Why a job was
//! given up stands in the ledger, and is compared there with what really happened.
//!
//! [`Watch`]: reprise_world::invariants::Watch

use std::collections::BTreeMap;

use jiff::SignedDuration;
use reprise_model::ids::RunId;
use reprise_model::job::Conclusion;
use reprise_model::ledger::{ClaimKey, ClaimState, LaunchClaim, RunKey, TrackedState, Why};
use reprise_store::{DueKey, Store, StoreError};
use reprise_world::invariants::{self, Broken, Ledger, Verdict};
use reprise_world::world::World;

use crate::universe::Universe;

/// GitHub ends a job that no runner takes for so long.
const LONGEST_IN_QUEUE: SignedDuration = SignedDuration::from_hours(24);

/// What is wrong with a world that has come to rest.
///
/// # Errors
/// When the store cannot be read.
pub async fn check_at_rest(universe: &Universe) -> Result<Vec<Broken>, StoreError> {
    let ledger = ledger(universe).await?;
    let unconcluded = unconcluded(universe).await?;
    let mut broken =
        universe.look(|world, _| invariants::check_at_rest(world, universe.mandate, &ledger));
    broken.extend(unconcluded);
    if universe.mandate.retries_only {
        broken.extend(claimed(universe));
    } else {
        broken.extend(unheard(universe).await?);
        broken.extend(untold(universe).await?);
        broken.extend(shared_instances(universe).await?);
    }
    Ok(broken)
}

/// 11: runs of which people are not told to the end what became of their interrupted jobs, and gates at which
/// a merge queue waits for ever.
async fn unconcluded(universe: &Universe) -> Result<Vec<Broken>, StoreError> {
    let mut runs = Vec::new();
    for key in all_runs(universe) {
        let found = universe.store.run(&key).await?;
        let is_interrupted = found.is_some_and(|found| {
            let mut jobs = found.record.jobs.values();
            jobs.any(|job| job.why == Why::Interrupted)
        });
        if is_interrupted {
            runs.push(key.run_id);
        }
    }
    let gated = universe.look(|world, _| invariants::with_gates(world));
    let gated = gated.into_iter().filter(|_| universe.mandate.gates);
    runs.extend(gated);
    let untold = universe.look(|world, _| {
        let stuck = |id: &RunId| {
            let run = world.github().run(*id);
            run.is_some_and(|run| invariants::is_stuck(world, run))
        };
        let ended = runs.into_iter().filter(|run| !stuck(run));
        let untold = ended.filter_map(|run| invariants::unconcluded(world, run));
        untold.collect::<Vec<String>>()
    });
    let untold = untold.into_iter();
    Ok(untold
        .map(|what| Broken {
            invariant: 11,
            what,
        })
        .collect())
}

fn all_runs(universe: &Universe) -> Vec<RunKey> {
    universe.look(|world, _| {
        let runs = world.github().runs();
        let key = |run: &reprise_world::github::Run| RunKey {
            repository: run.spec.repository.clone(),
            run_id: run.id,
        };
        runs.map(key).collect()
    })
}

/// 7: what was claimed to be launched where nothing is to be launched.
fn claimed(universe: &Universe) -> Vec<Broken> {
    let broken = claims(universe).map(|key| Broken {
        invariant: 7,
        what: format!("{key} was claimed, and nothing is to be launched"),
    });
    broken.collect()
}

/// 7: an instance that two jobs have been promised.
async fn shared_instances(universe: &Universe) -> Result<Vec<Broken>, StoreError> {
    let mut promised = BTreeMap::new();
    let mut broken = Vec::new();
    for key in claims(universe) {
        let Some(found) = universe.store.claim(&key).await? else {
            continue;
        };
        let ClaimState::Launched { instance, .. } = found.record.state else {
            continue;
        };
        if let Some(other) = promised.insert(instance.clone(), key.clone()) {
            let what = format!("{instance} was promised to {other} and to {key}");
            broken.push(Broken { invariant: 7, what });
        }
    }
    Ok(broken)
}

/// The claims that were ever written.
fn claims(universe: &Universe) -> impl Iterator<Item = ClaimKey> {
    let written = universe.written().into_iter();
    written.filter_map(|key| match key {
        DueKey::Claim(key) => Some(key),
        DueKey::Instance(_) | DueKey::Run(_) | DueKey::Check(_) => None,
    })
}

/// 8: jobs that waited in vain for as long as GitHub lets them, and nobody ever wanted a machine for
/// them, or nobody went on to ask for it. Where such jobs are not searched for, the event of a queued
/// job always arrives, so whoever had it has acknowledged it for nothing.
async fn unheard(universe: &Universe) -> Result<Vec<Broken>, StoreError> {
    let waited = universe.look(|world, _| waited_in_vain(world));
    let mut broken = Vec::new();
    for key in waited {
        let claim = universe.store.claim(&key).await?;
        if claim.is_none_or(|claim| nothing_leads_to(&claim.record)) {
            let what =
                format!("{key} waited for a day, and its event was acknowledged for nothing");
            broken.push(Broken { invariant: 8, what });
        }
    }
    Ok(broken)
}

/// 10: jobs that waited in vain for as long as GitHub lets them, and no check run says so. Where queued jobs
/// are not searched for, only those whose launch was given up: a machine that dies may go unnoticed.
async fn untold(universe: &Universe) -> Result<Vec<Broken>, StoreError> {
    let waited = universe.look(|world, _| waited_in_vain(world));
    let mut broken = Vec::new();
    for key in waited {
        let claim = universe.store.claim(&key).await?;
        let state = claim.map(|claim| claim.record.state);
        let is_given_up = matches!(state, Some(ClaimState::GivenUp { .. }));
        if universe.search || is_given_up {
            broken.extend(universe.look(|world, _| invariants::untold(world, key.job_id)));
        }
    }
    broken.extend(universe.look(|world, _| invariants::told_twice(world)));
    let broken = broken.into_iter();
    Ok(broken
        .map(|what| Broken {
            invariant: 10,
            what,
        })
        .collect())
}

/// Without the message of its job, that is.
fn nothing_leads_to(claim: &LaunchClaim) -> bool {
    claim.state == ClaimState::Wanted && claim.due.is_none()
}

fn waited_in_vain(world: &World) -> Vec<ClaimKey> {
    let mut waited = Vec::new();
    let github = world.github();
    // Of what was deleted nobody is told.
    let runs = github.runs();
    for run in runs.filter(|run| !github.is_gone(&run.spec.repository)) {
        let jobs = run.attempts().flat_map(|attempt| attempt.jobs.values());
        let in_vain = jobs.filter(|job| {
            let ended = job.completed_at.filter(|_| job.runner.is_none());
            let waited = ended.map(|ended| ended.duration_since(job.created_at));
            waited >= Some(LONGEST_IN_QUEUE) && job.conclusion != Some(Conclusion::Skipped)
        });
        waited.extend(in_vain.map(|job| ClaimKey {
            repository: run.spec.repository.clone(),
            job_id: job.id,
        }));
    }
    waited
}

/// What the store says of the jobs of all runs.
async fn ledger(universe: &Universe) -> Result<Ledger, StoreError> {
    let mut ledger = Ledger::new();
    for key in all_runs(universe) {
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
