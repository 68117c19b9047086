//! The scenarios that can be asked for by name.
//!
//! Times are chosen around those of EC2: 20 s until an instance runs, 10 s until its runner has
//! registered, 120 s of notice. A job that is interrupted 30 s after its start so ends about three
//! minutes after the push; what shall still run then takes longer than that.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use reprise_model::ids::Repository;
use reprise_model::job::Conclusion;

use super::{JobExpectation, Listed, PlannedRun, Resumption, RunExpectation};
use crate::ec2::Interruption;
use crate::fate::{Fate, Stroke};
use crate::github::{JobSpec, RunSpec};
use crate::machine::WhenTaken;

pub(super) const SCENARIOS: [Listed; 12] = [
    Listed {
        name: "all",
        about: "the next four side by side, in four repositories",
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
    Listed {
        name: "matrix",
        about: "one shard of a matrix loses its instance and comes back alone; the others keep their results",
        runs: || vec![matrix()],
    },
    Listed {
        name: "mixed",
        about: "beside an interrupted job another fails by itself: only the interrupted one comes back",
        runs: || vec![mixed()],
    },
    Listed {
        name: "superseded",
        about: "while an interrupted job waits, a newer run of its branch begins: the older stays as it is",
        runs: superseded,
    },
    Listed {
        name: "merge-queue",
        about: "a job of a merge queue loses its instance; the queue waits at its gate until it has come back",
        runs: || vec![merge_queue()],
    },
    Listed {
        name: "host-died",
        about: "a spot instance goes without notice; GitHub misses its runner ten minutes later",
        runs: || vec![host_died()],
    },
    Listed {
        name: "transient",
        about: "a job whose connection was reset is run again after a pause; one whose test failed is not",
        runs: || vec![transient()],
    },
    Listed {
        name: "resume",
        about: "a run of 12 jobs is lost in the middle and re-run as a whole: only the unfinished jobs execute, the interrupted one from its checkpoint",
        runs: || vec![resume()],
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

fn matrix() -> PlannedRun {
    let shard = |number: u32| {
        let spec = on_spot_as(
            &format!("e2e-shards ({number})"),
            &format!("e2e-shard-{number}"),
        );
        spec.matrix("e2e-shards", false)
    };
    Plan::new("acme/checkout", "ci", "Take coupons")
        .job(on_spot("unit-tests"), [passes(40)], JobExpectation::Passes)
        .job(shard(0), [passes(200)], JobExpectation::Passes)
        .job(
            shard(1),
            [interrupted_after(30), passes(60)],
            JobExpectation::Recovers,
        )
        .ends(2, Conclusion::Success)
}

fn mixed() -> PlannedRun {
    Plan::new("acme/search", "ci", "Rank by price")
        .job(
            on_spot("build"),
            [interrupted_after(30), passes(60)],
            JobExpectation::Recovers,
        )
        .job(
            on_spot("contract"),
            [fails(50)],
            JobExpectation::StaysFailed,
        )
        .ends(2, Conclusion::Failure)
}

fn superseded() -> Vec<PlannedRun> {
    let older = Plan::new("acme/maps", "ci", "Show hills")
        .job(
            on_spot("tiles"),
            [interrupted_after(30)],
            JobExpectation::StaysFailed,
        )
        // Still runs when the next push comes.
        .job(on_spot("docs"), [passes(240)], JobExpectation::Passes)
        .ends(1, Conclusion::Failure);
    let mut newer = Plan::new("acme/maps", "ci", "Show hills and lakes")
        .job(on_spot("tiles"), [passes(60)], JobExpectation::Passes)
        .job(on_spot("docs"), [passes(60)], JobExpectation::Passes)
        .ends(1, Conclusion::Success);
    newer.starts_after = seconds(120);
    vec![older, newer]
}

fn merge_queue() -> PlannedRun {
    let mut run = Plan::new("acme/checkout", "ci", "Merge pull request #7")
        .job(on_spot("unit"), [passes(40)], JobExpectation::Passes)
        .job(
            on_spot("e2e"),
            [interrupted_after(30), passes(60)],
            JobExpectation::Recovers,
        )
        .ends(2, Conclusion::Success);
    let commit = run.spec.head_sha.as_str();
    run.spec.head_branch = Some(format!("gh-readonly-queue/main/pr-7-{commit}"));
    run.spec.event = "merge_group".to_owned();
    run
}

fn host_died() -> PlannedRun {
    let unannounced = Stroke::Interruption {
        interruption: Interruption {
            notice: None,
            ..Interruption::terminate(SignedDuration::ZERO)
        },
        resumes_after: None,
    };
    let lost = Fate {
        when_taken: Some(WhenTaken::IsLost),
        ..interrupted_after(30).by(unannounced)
    };
    Plan::new("acme/search", "nightly", "Index everything")
        .job(
            on_spot("index"),
            [lost, passes(60)],
            JobExpectation::Recovers,
        )
        .ends(2, Conclusion::Success)
}

fn transient() -> PlannedRun {
    let reset = "curl: (56) Recv failure: Connection reset by peer";
    let wrong = "thread 'sums' panicked at src/sums.rs:7:5:\n\
                 assertion `left == right` failed\n  left: 3\n right: 4\n\
                 test result: FAILED. 11 passed; 1 failed";
    Plan::new("acme/mirror", "ci", "Fetch less often")
        .job(
            when_transient("fetch").fails_in_passing("Run make fetch", reset),
            [fails(40), passes(60)],
            JobExpectation::Recovers,
        )
        .job(
            when_transient("sums").fails_with("Run cargo test", wrong),
            [fails(50)],
            JobExpectation::StaysFailed,
        )
        .ends(2, Conclusion::Failure)
}

/// What shows of each job of [`resume`] that it is done.
const RESUME: &str = r#"
[matrix]
distro = ["debian-12", "ubuntu-24.04"]
version = ["3.3", "3.4"]

[[job]]
name = "Download source"
artifacts = ["source.tar"]
only-if-wanted = true

[[job]]
name = "Build [{distro}/{version}]"
artifacts = ["ruby-{distro}-{version}.deb", "ruby-{distro}-{version}.log"]
needs = ["Download source"]

[[job]]
name = "Test [{distro}/{version}]"
artifacts = ["test-{distro}-{version}.json"]
needs = ["Build [{distro}/{version}]"]

[[job]]
name = "Index"
artifacts = ["index.html"]
needs = ["Test [{distro}/{version}]"]
stale-with-inputs = true

[[job]]
name = "Publish"
artifacts = ["published.txt"]
needs = ["Index"]
stale-with-inputs = true
"#;

/// Nobody brings its jobs back by themselves: a person re-runs all of it.
fn resume() -> PlannedRun {
    const LEGS: [&str; 4] = [
        "debian-12/3.3",
        "debian-12/3.4",
        "ubuntu-24.04/3.3",
        "ubuntu-24.04/3.4",
    ];
    let job = |name: &str, word: &str, needs: &[&str]| {
        let mut job = on_spot_as(name, word).needs(needs.iter().copied());
        for label in &mut job.labels {
            label.push_str("/retry=false");
        }
        job
    };
    let planned = |name: &str, word: &str, needs: &[&str]| job(name, word, needs).where_necessary();
    let leg = |kind: &str, number: usize, leg: &str, needs: &[&str]| {
        let name = format!("{kind} [{leg}]");
        planned(&name, &format!("{}-{number}", kind.to_lowercase()), needs).matrix(kind, false)
    };
    let mut plan = Plan::new("acme/ruby", "packages", "Build the new Ruby")
        .job(
            job("plan", "plan", &[]),
            [passes(15)],
            JobExpectation::PassesAgain,
        )
        .job(
            planned("Download source", "source", &["plan"]),
            [passes(30)],
            JobExpectation::IsDone,
        );
    for (number, name) in LEGS.into_iter().enumerate() {
        let build = leg("Build", number, name, &["plan", "Download source"]);
        plan = match number {
            2 => plan.job(
                build,
                [interrupted_after(90), passes(150)],
                JobExpectation::GoesOn,
            ),
            _ => plan.job(build, [passes(120)], JobExpectation::IsDone),
        };
    }
    for (number, name) in LEGS.into_iter().enumerate() {
        let test = leg("Test", number, name, &["plan", "Build"]);
        plan = plan.job(test, [passes(40)], JobExpectation::Passes);
    }
    let plan = plan
        .job(
            planned("Index", "index", &["plan", "Test"]),
            [passes(20)],
            JobExpectation::Passes,
        )
        .job(
            planned("Publish", "publish", &["plan", "Index"]),
            [passes(20)],
            JobExpectation::Passes,
        );
    PlannedRun {
        resumption: Some(Resumption {
            plan: "plan".to_owned(),
            manifest: RESUME.to_owned(),
        }),
        rerun_after: Some(seconds(30)),
        ..plan.ends(2, Conclusion::Success)
    }
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
            resumption: None,
            rerun_after: None,
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
    on_spot_as(name, name)
}

/// The same with a policy for its failures.
fn when_transient(name: &str) -> JobSpec {
    let mut job = on_spot(name);
    for label in &mut job.labels {
        label.push_str("/retry=when-transient");
    }
    job
}

/// The same with a word for the label, where the name is none.
fn on_spot_as(name: &str, word: &str) -> JobSpec {
    let run = super::RUN_PLACEHOLDER;
    JobSpec::new(name, [format!("runs-on={run}-{word}/family=c7a/spot=true")])
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
