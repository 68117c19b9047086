//! Scenarios: what is pushed, what befalls it, and what shall become of it.
//!
//! A scenario is data. A seed varies its durations a little and never its outcome.

mod library;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::SignedDuration;
use reprise_model::job::Conclusion;

use crate::fate::Fate;
use crate::github::RunSpec;

/// What stands in labels for the id of the run, as `${{ github.run_id }}` does in a workflow file.
pub const RUN_PLACEHOLDER: &str = "{run}";

/// How far a seed moves a duration, in hundredths of it.
const VARIES_BY: i64 = 8;

/// Some runs, and what shall become of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it shows.
    pub about: &'static str,
    /// Its runs.
    pub runs: Vec<PlannedRun>,
}

/// A run of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedRun {
    /// When it is pushed, from the beginning of the scenario.
    pub starts_after: SignedDuration,
    /// What is pushed; [`RUN_PLACEHOLDER`] in its labels becomes the run's id.
    pub spec: RunSpec,
    /// What befalls its jobs, by name: a fate an execution, of which the last repeats.
    pub fates: BTreeMap<String, Vec<Fate>>,
    /// What its jobs leave for a later attempt, where they leave anything.
    pub resumption: Option<Resumption>,
    /// When after the end of its first attempt a person re-runs all of it.
    pub rerun_after: Option<SignedDuration>,
    /// What shall become of it.
    pub expect: RunExpectation,
}

/// How a re-run does only what is left to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resumption {
    /// The job that plans.
    pub plan: String,
    /// What it reads, as `.github/reprise-resume.toml`.
    pub manifest: String,
}

/// What shall become of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunExpectation {
    /// How many attempts it has.
    pub attempts: u32,
    /// How the last one ends.
    pub conclusion: Conclusion,
    /// What becomes of its jobs, by name.
    pub jobs: BTreeMap<String, JobExpectation>,
}

/// What shall become of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobExpectation {
    /// It passes at once.
    Passes,
    /// It loses its instance, or fails for what passes, comes back and passes.
    Recovers,
    /// It fails and is not executed again.
    StaysFailed,
    /// It passes in each attempt.
    PassesAgain,
    /// It passes, and is skipped in the last attempt, since its artifacts are there.
    IsDone,
    /// It loses its instance, and in the last attempt works only as long as it had not before.
    GoesOn,
}

/// A scenario that can be asked for by name.
#[derive(Debug, Clone, Copy)]
pub struct Listed {
    /// Its name.
    pub name: &'static str,
    /// What it shows.
    pub about: &'static str,
    runs: fn() -> Vec<PlannedRun>,
}

/// No scenario has that name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no scenario {name:?}; {hint}")]
pub struct UnknownScenario {
    /// The name as it was asked for.
    pub name: String,
    /// The nearest name, or all of them.
    pub hint: String,
}

/// All scenarios; the first one is what runs unless another is asked for.
pub fn all() -> &'static [Listed] {
    &library::SCENARIOS
}

/// The scenario with a name.
pub fn find(name: &str) -> Result<Scenario, UnknownScenario> {
    let listed = all().iter().find(|listed| listed.name == name);
    listed.map(Listed::scenario).ok_or_else(|| UnknownScenario {
        name: name.to_owned(),
        hint: hint(name),
    })
}

impl Listed {
    /// The scenario itself.
    pub fn scenario(&self) -> Scenario {
        Scenario {
            name: self.name,
            about: self.about,
            runs: (self.runs)(),
        }
    }
}

impl Scenario {
    /// The same scenario with its durations a little different; 0 leaves them as they are.
    #[must_use]
    pub fn varied(mut self, seed: u64) -> Self {
        if seed != 0 {
            let mut rng = fastrand::Rng::with_seed(seed);
            for run in &mut self.runs {
                run.vary(&mut rng);
            }
        }
        self
    }
}

impl PlannedRun {
    fn vary(&mut self, rng: &mut fastrand::Rng) {
        self.starts_after = varied(self.starts_after, rng);
        for fate in self.fates.values_mut().flatten() {
            fate.takes = varied(fate.takes, rng);
            fate.interrupted_after = fate.interrupted_after.map(|after| varied(after, rng));
        }
    }
}

fn varied(duration: SignedDuration, rng: &mut fastrand::Rng) -> SignedDuration {
    let hundredths = 100 + rng.i64(-VARIES_BY..=VARIES_BY);
    let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    SignedDuration::from_millis(millis.saturating_mul(hundredths) / 100)
}

fn hint(name: &str) -> String {
    let nearest = all()
        .iter()
        .map(|listed| (strsim::damerau_levenshtein(name, listed.name), listed.name))
        .min();
    match nearest {
        Some((distance, nearest)) if distance <= nearest.len() / 3 => {
            format!("did you mean {nearest:?}?")
        }
        Some(_) | None => {
            let names: Vec<&str> = all().iter().map(|listed| listed.name).collect();
            format!("choose one of {}", names.join(", "))
        }
    }
}
