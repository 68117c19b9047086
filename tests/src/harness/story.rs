//! What is pushed, what befalls it, and what shall become of it, in few words.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use jiff::SignedDuration;
use reprise_model::job::Conclusion;
use reprise_world::fate::Fate;
use reprise_world::github::{JobSpec, RunSpec};
use reprise_world::scenario::{
    JobExpectation, PlannedRun, RUN_PLACEHOLDER, RunExpectation, Scenario,
};

/// A run in the making.
#[derive(Debug, Clone)]
pub struct Story(PlannedRun);

impl Story {
    /// A push that starts a run of the workflow `ci`.
    pub fn of(repository: &str) -> Result<Self> {
        let repository = repository.parse().context("no repository")?;
        Ok(Self(PlannedRun {
            starts_after: SignedDuration::ZERO,
            spec: RunSpec::new(repository, Vec::new()),
            fates: BTreeMap::new(),
            resumption: None,
            rerun_after: None,
            expect: RunExpectation {
                attempts: 1,
                conclusion: Conclusion::Success,
                jobs: BTreeMap::new(),
            },
        }))
    }

    /// A job of it; fates are one an execution.
    #[must_use]
    pub fn job(
        mut self,
        job: JobSpec,
        fates: impl IntoIterator<Item = Fate>,
        expect: JobExpectation,
    ) -> Self {
        let Self(run) = &mut self;
        run.fates
            .insert(job.name.clone(), fates.into_iter().collect());
        run.expect.jobs.insert(job.name.clone(), expect);
        run.spec.jobs.push(job);
        self
    }

    /// How it shall end, and in which attempt.
    #[must_use]
    pub fn ends(mut self, attempts: u32, conclusion: Conclusion) -> Scenario {
        self.0.expect.attempts = attempts;
        self.0.expect.conclusion = conclusion;
        Scenario {
            name: "a test's own",
            about: "what the test says",
            runs: vec![self.0],
        }
    }
}

/// A job that asks for a spot machine of its own.
pub fn on_spot(name: &str) -> JobSpec {
    let label = format!("runs-on={RUN_PLACEHOLDER}-{name}/family=c7a/spot=true");
    JobSpec::new(name, [label])
}

/// It passes after so many seconds.
pub fn passes(seconds: i64) -> Fate {
    Fate::passes(SignedDuration::from_secs(seconds))
}

/// It fails by itself after so many seconds.
pub fn fails(seconds: i64) -> Fate {
    Fate::fails(SignedDuration::from_secs(seconds))
}

/// On spot EC2 gives notice after so many seconds, and takes the machine two minutes later.
pub fn interrupted(seconds: i64) -> Fate {
    Fate::interrupted(SignedDuration::from_secs(seconds))
}
