//! Jobs, runs and settings for the tests.

use jiff::{SignedDuration, Timestamp};
use reprise_config::policies::Policies;
use reprise_config::{CheckSettings, Failures, FleetSettings, Place, Settings};
use reprise_engine::breaker::BreakerRules;
use reprise_engine::offer::{FleetOffer, Limits, RegionOffer};
use reprise_engine::redeliver::RedeliverRules;
use reprise_engine::room::InstanceLimits;
use reprise_engine::rules::Rules;
use reprise_engine::types::InstanceType;
use reprise_model::ids::{
    AccountId, JobId, Region, Repository, RunAttempt, RunId, RunnerName, Sha, StackName, WorkflowId,
};
use reprise_model::instance::Instance;
use reprise_model::job::{Conclusion, Job, JobStatus};
use reprise_model::run::{Run, RunStatus};
use reprise_model::runner_name::RunnerNamePattern;
use wildmatch::WildMatch;

use super::clock::TestClock;

pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const REGION: &str = "eu-west-1";
pub(crate) const STACK: &str = "demo";
pub(crate) const HOST: &str = "i-0123456789abcdef0";
pub(crate) const RUN: RunId = RunId(900);

pub(crate) fn repository() -> Repository {
    "acme/shop".parse().expect("valid")
}

pub(crate) fn secs(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

pub(crate) fn instance(id: &str) -> Instance {
    Instance {
        account: AccountId::new(ACCOUNT),
        region: Region::new(REGION),
        id: id.parse().expect("an id"),
    }
}

/// A queued job of the first attempt of [`RUN`].
pub(crate) fn queued(id: u64, name: &str) -> Job {
    let start: Timestamp = TestClock::START.parse().expect("a time");
    Job {
        id: JobId(id),
        run_id: RUN,
        run_attempt: RunAttempt::FIRST,
        name: name.to_owned(),
        workflow_name: Some("ci".to_owned()),
        status: JobStatus::Queued,
        conclusion: None,
        labels: vec!["runs-on=900/family=c7a".to_owned()],
        runner_name: None,
        created_at: Some(start),
        started_at: None,
        completed_at: None,
        head_sha: Sha::new("0123abc"),
        head_branch: Some("main".to_owned()),
        runner_id: None,
        check_run: None,
    }
}

/// A queued job that shares its launch with no other: it is of a run of its own.
pub(crate) fn queued_alone(id: u64) -> Job {
    Job {
        run_id: RunId(1_000 + id),
        labels: vec![format!("runs-on={}/family=c7a", 1_000 + id)],
        ..queued(id, "build")
    }
}

/// The job on an instance, since `at`.
pub(crate) fn running(job: Job, host: &str, at: Timestamp) -> Job {
    Job {
        status: JobStatus::InProgress,
        runner_name: Some(RunnerName::new(format!("reprise--{host}--{}", job.id))),
        started_at: Some(at),
        ..job
    }
}

pub(crate) fn ended(job: Job, conclusion: Conclusion, at: Timestamp) -> Job {
    Job {
        status: JobStatus::Completed,
        conclusion: Some(conclusion),
        completed_at: Some(at),
        ..job
    }
}

/// A run as GitHub shows it, but for what changes with time.
pub(crate) fn a_run(id: RunId, started: Timestamp) -> Run {
    Run {
        id,
        repository: repository(),
        run_attempt: RunAttempt::FIRST,
        status: RunStatus::InProgress,
        conclusion: None,
        workflow_id: WorkflowId(7),
        workflow_name: Some("ci".to_owned()),
        path: Some(".github/workflows/ci.yml".to_owned()),
        event: "push".to_owned(),
        head_sha: Sha::new("0123abc"),
        head_branch: Some("main".to_owned()),
        created_at: started,
        run_started_at: Some(started),
        updated_at: Some(started),
    }
}

pub(crate) fn settings(with_fleet: bool) -> Settings {
    Settings {
        rules: Rules::default(),
        repositories: vec![WildMatch::new("acme/*")],
        policies: Policies::default(),
        web: "https://github.com".to_owned(),
        failures: Failures::usual().expect("the built-in table is good"),
        runner_name: RunnerNamePattern::default(),
        places: vec![Place {
            region: Region::new(REGION),
            account: AccountId::new(ACCOUNT),
        }],
        fleet: with_fleet.then(fleet),
        redeliver: None,
        checks: CheckSettings::default(),
    }
}

/// The same with all that finds what webhooks did not tell.
pub(crate) fn settings_that_search(with_fleet: bool) -> Settings {
    let fleet = with_fleet.then(|| FleetSettings {
        find_queued_every: Some(secs(900)),
        ..fleet()
    });
    Settings {
        fleet,
        redeliver: Some(RedeliverRules {
            every: secs(300),
            within: secs(72 * 3_600),
            tries: 2,
        }),
        ..settings(false)
    }
}

fn fleet() -> FleetSettings {
    let region = RegionOffer {
        region: Region::new(REGION),
        account: AccountId::new(ACCOUNT),
        subnets: vec!["subnet-a".to_owned()],
        private_subnets: vec!["subnet-private".to_owned()],
    };
    let types = vec![InstanceType {
        name: "c7a.large".to_owned(),
        cpu: 2,
        ram: 4,
    }];
    // More than any test needs that is not about limits.
    let instances = InstanceLimits {
        stack: 10_000,
        repository: 10_000,
        run: 10_000,
    };
    FleetSettings {
        stack: StackName::new(STACK),
        offer: FleetOffer {
            limits: Limits {
                instances,
                ..Limits::default()
            },
            ..FleetOffer::of_types(region, types)
        },
        launch_template: "runners".to_owned(),
        launch_template_version: "$Default".to_owned(),
        find_queued_every: None,
        old_image_after: None,
        breaker: Some(BreakerRules::default()),
        tag_jobs: true,
    }
}
