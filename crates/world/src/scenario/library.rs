//! The scenarios that can be asked for by name.
//!
//! Times are chosen around those of EC2: 20 s until an instance runs, 10 s until its runner has
//! registered, 120 s of notice. A job that is interrupted 30 s after its start so ends about three
//! minutes after the push; what shall still run then takes longer than that.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use reprise_model::ids::Repository;
use reprise_model::job::Conclusion;

use super::{JobExpectation, Listed, PlannedRun, RunExpectation};
use crate::fate::Fate;
use crate::github::{JobSpec, RunSpec};

pub(super) const SCENARIOS: [Listed; 5] = [
    Listed {
        name: "all",
        about: "all the others side by side, in four repositories",
        runs: all,
    },
    Listed {
        name: "interrupted",
        about: "a job loses its spot instance, waits for its run to end, and comes back on-demand",
        runs: || vec![interrupted()],
    },
    Listed {
        name: "opted-out",
        about: "a job with retry=false loses its spot instance and stays failed",
        runs: || vec![opted_out()],
    },
    Listed {
        name: "real-failure",
        about: "a job fails by itself and is not run again",
        runs: || vec![real_failure()],
    },
    Listed {
        name: "two-interrupted",
        about: "two jobs of a run lose their instances and come back in one new attempt",
        runs: || vec![two_interrupted()],
    },
];

/// How long after each other the runs of `all` are pushed.
const STAGGER_SECONDS: i64 = 4;

fn all() -> Vec<PlannedRun> {
    let mut runs = vec![
        interrupted(),
        opted_out(),
        real_failure(),
        two_interrupted(),
    ];
    for (place, run) in (0..).zip(&mut runs) {
        run.starts_after = seconds(place * STAGGER_SECONDS);
    }
    runs
}

fn interrupted() -> PlannedRun {
    Plan::new("acme/shop", "ci", "Sell more apples")
        .job(on_spot("unit"), [passes(50)], JobExpectation::Passes)
        .job(
            on_spot("e2e"),
            [interrupted_after(30), passes(60)],
            JobExpectation::Recovers,
        )
        // Begins after `unit` and so still runs when `e2e` has failed: GitHub refuses a re-run then.
        .job(
            on_spot("docs").needs(["unit"]),
            [passes(110)],
            JobExpectation::Passes,
        )
        .ends(2, Conclusion::Success)
}

fn opted_out() -> PlannedRun {
    let mut preview = on_spot("preview");
    for label in &mut preview.labels {
        label.push_str("/retry=false");
    }
    Plan::new("acme/site", "preview", "Try another blue")
        .job(
            preview,
            [interrupted_after(25)],
            JobExpectation::StaysFailed,
        )
        .ends(1, Conclusion::Failure)
}

fn real_failure() -> PlannedRun {
    Plan::new("acme/api", "test", "Round prices up")
        .job(on_spot("lint"), [passes(40)], JobExpectation::Passes)
        .job(
            on_spot("contract"),
            [fails(70)],
            JobExpectation::StaysFailed,
        )
        .ends(1, Conclusion::Failure)
}

fn two_interrupted() -> PlannedRun {
    Plan::new("acme/mobile", "nightly", "Draw maps offline")
        .job(on_spot("build"), [passes(45)], JobExpectation::Passes)
        .job(
            on_spot("android"),
            [interrupted_after(20), passes(60)],
            JobExpectation::Recovers,
        )
        .job(
            on_spot("ios"),
            [interrupted_after(35), passes(50)],
            JobExpectation::Recovers,
        )
        .ends(2, Conclusion::Success)
}

/// A planned run in the making.
struct Plan {
    spec: RunSpec,
    fates: BTreeMap<String, Vec<Fate>>,
    jobs: BTreeMap<String, JobExpectation>,
}

impl Plan {
    fn new(repository: &str, workflow: &str, title: &str) -> Self {
        let mut spec = RunSpec::new(known(repository), Vec::new());
        spec.workflow_name = workflow.to_owned();
        spec.workflow_path = format!(".github/workflows/{workflow}.yml");
        spec.title = title.to_owned();
        Self {
            spec,
            fates: BTreeMap::new(),
            jobs: BTreeMap::new(),
        }
    }

    fn job(
        mut self,
        job: JobSpec,
        fates: impl IntoIterator<Item = Fate>,
        expect: JobExpectation,
    ) -> Self {
        let fates = fates.into_iter().collect();
        self.fates.insert(job.name.clone(), fates);
        self.jobs.insert(job.name.clone(), expect);
        self.spec.jobs.push(job);
        self
    }

    fn ends(self, attempts: u32, conclusion: Conclusion) -> PlannedRun {
        PlannedRun {
            starts_after: SignedDuration::ZERO,
            spec: self.spec,
            fates: self.fates,
            expect: RunExpectation {
                attempts,
                conclusion,
                jobs: self.jobs,
            },
        }
    }
}

/// The id is unique to the run and the job, so that no runner takes another job's place.
fn on_spot(name: &str) -> JobSpec {
    let run = super::RUN_PLACEHOLDER;
    JobSpec::new(name, [format!("runs-on={run}-{name}/family=c7a/spot=true")])
}

fn passes(takes: i64) -> Fate {
    Fate::passes(seconds(takes))
}

fn fails(takes: i64) -> Fate {
    Fate::fails(seconds(takes))
}

fn interrupted_after(after: i64) -> Fate {
    Fate::interrupted(seconds(after))
}

fn seconds(count: i64) -> SignedDuration {
    SignedDuration::from_secs(count)
}

#[expect(clippy::expect_used, reason = "constants; a test makes every scenario")]
fn known(repository: &str) -> Repository {
    repository.parse().expect("a repository")
}
