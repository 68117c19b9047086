//! Jobs, runs and instances for the tests of this crate.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reprise_model::breaker::LeftOut;
use reprise_model::evidence::{Evidence, EvidenceSource};
use reprise_model::ids::{
    AccountId, JobId, Region, Repository, RunAttempt, RunId, RunnerName, Sha, WorkflowId,
};
use reprise_model::instance::{Capacity, Instance, InstanceState, InstanceView};
use reprise_model::job::{Conclusion, Job, JobStatus};
use reprise_model::launch::{Asked, SpotStrategy};
use reprise_model::ledger::{
    CapacityReason, ClaimKey, ClaimState, InstanceEntry, LaunchClaim, LaunchSpec, RunKey, Why,
};
use reprise_model::machine::{Architecture, MachineType};
use reprise_model::policy::RetryPolicy;
use reprise_model::run::{Run, RunStatus};
use reprise_model::tags::TagKeys;

use crate::job::Grounds;
use crate::offer::RegionOffer;

pub(crate) const STACK: &str = "demo";
pub(crate) const RUN: RunId = RunId(900);

/// `seconds` after the beginning of these tests' time. Jobs begin at 100 and end at 200.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).expect("within range")
}

pub(crate) fn secs(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

pub(crate) fn repository() -> Repository {
    "acme/shop".parse().expect("valid")
}

pub(crate) fn attempt(number: u32) -> RunAttempt {
    RunAttempt::new(number).expect("not zero")
}

pub(crate) fn instance() -> Instance {
    Instance {
        account: AccountId::new("123456789012"),
        region: Region::new("eu-west-1"),
        id: "i-0123456789abcdef0".parse().expect("valid"),
    }
}

/// A job of the first attempt that failed on [`instance`]. Another id with the same name is the
/// same execution, as in a record that was carried over.
pub(crate) fn job(id: u64, name: &str) -> Job {
    Job {
        id: JobId(id),
        run_id: RUN,
        run_attempt: RunAttempt::FIRST,
        name: name.to_owned(),
        workflow_name: Some("ci".to_owned()),
        status: JobStatus::Completed,
        conclusion: Some(Conclusion::Failure),
        labels: vec!["runs-on=900/family=c7a/spot=true".to_owned()],
        runner_name: Some(RunnerName::new(format!(
            "reprise--i-0123456789abcdef0--{name}"
        ))),
        created_at: Some(at(90)),
        started_at: Some(at(100)),
        completed_at: Some(at(200)),
        head_sha: Sha::new("0123abc"),
        head_branch: Some("main".to_owned()),
        runner_id: None,
        check_run: None,
    }
}

/// A running spot instance of our stack.
pub(crate) fn view() -> InstanceView {
    InstanceView {
        instance: instance(),
        capacity: Capacity::Spot,
        state: InstanceState::Running,
        state_reason: None,
        tags: BTreeMap::from([(TagKeys::default().stack(), STACK.to_owned())]),
        instance_type: "c7a.large".to_owned(),
        zone: Some("eu-west-1a".to_owned()),
        subnet: None,
        launched_at: Some(at(50)),
        image: None,
    }
}

/// The only region of these tests' fleet.
pub(crate) fn here() -> RegionOffer {
    RegionOffer {
        region: instance().region,
        account: instance().account,
        subnets: ["subnet-a", "subnet-b"].map(str::to_owned).to_vec(),
        private_subnets: vec!["subnet-private".to_owned()],
    }
}

/// A type of this size for x64, to be had as spot, with nothing peculiar about it.
pub(crate) fn machine(name: &str, cpu: u32, ram_gib: u64) -> MachineType {
    MachineType {
        name: name.to_owned(),
        cpu,
        ram_mib: ram_gib * 1024,
        architecture: Architecture::X64,
        spot: true,
        bare_metal: false,
        accelerated: false,
        burstable: false,
        current: true,
    }
}

/// Some of what EC2 has, peculiar types among it.
pub(crate) fn catalogue() -> Vec<MachineType> {
    vec![
        machine("m7a.large", 2, 8),
        machine("c7i.large", 2, 4),
        machine("c7a.large", 2, 4),
        machine("c7a.xlarge", 4, 8),
        machine("c7a.4xlarge", 16, 32),
        machine("c7a.24xlarge", 96, 192),
        machine("r7a.large", 2, 16),
        MachineType {
            architecture: Architecture::Arm64,
            ..machine("c7g.large", 2, 4)
        },
        MachineType {
            bare_metal: true,
            ..machine("c7i.metal-24xl", 96, 192)
        },
        MachineType {
            accelerated: true,
            ..machine("g5.xlarge", 4, 16)
        },
        MachineType {
            accelerated: true,
            ..machine("p5.48xlarge", 192, 2048)
        },
        MachineType {
            burstable: true,
            ..machine("t3.large", 2, 8)
        },
        MachineType {
            burstable: true,
            ..machine("t3a.large", 2, 8)
        },
        MachineType {
            current: false,
            ..machine("c3.large", 2, 3)
        },
        MachineType {
            spot: false,
            ..machine("x9.large", 2, 32)
        },
    ]
}

pub(crate) fn tagged(mut view: InstanceView) -> InstanceView {
    view.tags
        .insert(TagKeys::default().interrupted(), "true".to_owned());
    view
}

pub(crate) fn evidence(source: EvidenceSource, seconds: i64) -> Evidence {
    Evidence {
        source,
        first_seen_at: at(seconds),
    }
}

pub(crate) fn remembered(evidence: Vec<Evidence>) -> InstanceEntry {
    InstanceEntry {
        instance: instance(),
        evidence,
        unexplained: None,
        judged: None,
        console: None,
        due: None,
    }
}

/// The claim by which [`instance`] was launched for job 1 of the first attempt.
pub(crate) fn claim() -> LaunchClaim {
    LaunchClaim {
        key: ClaimKey {
            repository: repository(),
            job_id: JobId(1),
        },
        run_id: RUN,
        attempt: RunAttempt::FIRST,
        job_name: "build".to_owned(),
        runner_labels: job(1, "build").labels,
        spec: LaunchSpec {
            region: Region::new("eu-west-1"),
            capacity: Capacity::Spot,
            may_fall_back: true,
            instance_types: vec!["c7a.large".to_owned()],
            image: None,
            subnets: Vec::new(),
            left_out: LeftOut::default(),
            strategy: SpotStrategy::default(),
            volume: None,
            tags: BTreeMap::new(),
        },
        why: CapacityReason::FirstAttempt,
        first_why: None,
        generation: 0,
        state: ClaimState::Launched {
            instance: instance().id,
            capacity: Capacity::Spot,
        },
        due: None,
        held_until: None,
        waited: 0,
        queued_at: None,
        full_since: None,
        lost: 0,
        lost_instances: Vec::new(),
        end: None,
        runner: None,
        asked: Asked::Alone,
    }
}

pub(crate) fn run_key() -> RunKey {
    RunKey {
        repository: repository(),
        run_id: RUN,
    }
}

/// The first attempt of a run, completed with a failure.
pub(crate) fn run() -> Run {
    Run {
        id: RUN,
        repository: repository(),
        run_attempt: RunAttempt::FIRST,
        status: RunStatus::Completed,
        conclusion: Some(Conclusion::Failure),
        workflow_id: WorkflowId(7),
        workflow_name: Some("ci".to_owned()),
        path: Some(".github/workflows/ci.yml".to_owned()),
        event: "push".to_owned(),
        head_sha: Sha::new("0123abc"),
        head_branch: Some("main".to_owned()),
        created_at: at(0),
        run_started_at: Some(at(0)),
        updated_at: Some(at(250)),
    }
}

/// What brings a job back whose instance EC2 took.
pub(crate) fn interrupted_by(evidence: Vec<Evidence>) -> Grounds {
    Grounds {
        why: Why::Interrupted,
        policy: RetryPolicy::USUAL,
        instance: Some(instance()),
        evidence,
        told: None,
        advice: None,
        pause: SignedDuration::ZERO,
    }
}
