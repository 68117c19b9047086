//! What became of the runs of a plan, in words: for whoever wrote the plan and knows what should.

use reprise_model::job::Conclusion;
use reprise_model::ledger::{RunKey, TrackedState};
use reprise_store::{Store, StoreError};
use reprise_world::github::{Attempt, Run};

use crate::universe::Universe;

/// What became of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOutcome {
    /// Its attempts, as `failure: build failure, lint success`. What an attempt took over from the one before
    /// it is left out.
    pub attempts: Vec<String>,
    /// The jobs that the ledger has, as `build (1): recovered`, where the number is the attempt.
    pub ledger: Vec<String>,
}

/// Those of all runs, in the order of their pushes.
///
/// # Errors
/// When the ledger cannot be read.
pub async fn outcomes(universe: &Universe) -> Result<Vec<RunOutcome>, StoreError> {
    let seen: Vec<(RunKey, Vec<String>)> = universe.look(|world, _| {
        let runs = world.github().runs();
        runs.map(|run| (key(run), run.attempts().map(attempt).collect()))
            .collect()
    });
    let mut outcomes = Vec::new();
    for (key, attempts) in seen {
        let ledger = ledger(universe, &key).await?;
        outcomes.push(RunOutcome { attempts, ledger });
    }
    Ok(outcomes)
}

fn key(run: &Run) -> RunKey {
    RunKey {
        repository: run.spec.repository.clone(),
        run_id: run.id,
    }
}

fn attempt(attempt: &Attempt) -> String {
    let word = |conclusion: &Option<Conclusion>| {
        let word = conclusion.as_ref().map_or("open", Conclusion::as_str);
        word.to_owned()
    };
    let executed = attempt.jobs.values().filter(|job| !job.is_carried_over());
    let mut jobs: Vec<_> = executed.map(|job| (job.place(), job)).collect();
    jobs.sort_by_key(|(place, _)| *place);
    let jobs: Vec<String> = jobs
        .into_iter()
        .map(|(_, job)| format!("{} {}", job.name, word(&job.conclusion)))
        .collect();
    format!("{}: {}", word(&attempt.conclusion), jobs.join(", "))
}

async fn ledger(universe: &Universe, key: &RunKey) -> Result<Vec<String>, StoreError> {
    let found = universe.store.run(key).await?;
    let jobs = found.map(|found| found.record.jobs).unwrap_or_default();
    let mut lines: Vec<String> = jobs
        .values()
        .map(|job| {
            let state = match &job.state {
                TrackedState::Awaiting => "awaiting",
                TrackedState::Asked { .. } => "asked",
                TrackedState::Settled { reason, .. } => reason.as_str(),
            };
            format!("{} ({}): {state}", job.key.name, job.attempt)
        })
        .collect();
    lines.sort();
    Ok(lines)
}
