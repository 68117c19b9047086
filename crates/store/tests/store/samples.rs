//! Records as the controller writes them, one of every state.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reprise_model::breaker::{Breaker, BreakerState, Breakers, LeftOut, PoolKey, PoolTrouble};
use reprise_model::budget::{Budget, Grant, Slot};
use reprise_model::check::{CheckEntry, CheckState, CheckText, Gate, GateEnd, LeftJob};
use reprise_model::console::{ConsoleCause, ConsoleTail};
use reprise_model::evidence::{Evidence, EvidenceSource};
use reprise_model::ids::{
    AccountId, CheckRunId, InstanceId, JobId, Region, RunAttempt, RunId, RunnerId, RunnerName, Sha,
};
use reprise_model::instance::{Capacity, Instance};
use reprise_model::job::{Conclusion, Execution, Job, JobKey, JobStatus};
use reprise_model::launch::{Asked, Share, SpotStrategy};
use reprise_model::ledger::{
    CapacityReason, ClaimKey, ClaimState, Due, HandedOver, InstanceEntry, LaunchClaim, LaunchSpec,
    Rerun, RerunAnswer, RerunOrder, RerunTarget, RunEntry, RunKey, Sibling, TrackedJob,
    TrackedState, UnexplainedJob, Why,
};
use reprise_model::machine::{RootVolume, Volume, VolumeKind};
use reprise_model::notes::{Happened, Notes};
use reprise_model::reason::{Refusal, RefusalKind, SettleReason};
use reprise_store::{Change, DueKey, Expect};

/// A record of any kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sample {
    Instance(InstanceEntry),
    Run(RunEntry),
    Claim(LaunchClaim),
    Check(CheckEntry),
}

impl Sample {
    pub(crate) fn put(&self, expect: Expect) -> Change {
        self.put_until(expect, at(35 * 24 * 3600))
    }

    pub(crate) fn put_until(&self, expect: Expect, expires_at: Timestamp) -> Change {
        match self.clone() {
            Self::Instance(entry) => Change::PutInstance {
                entry,
                expect,
                expires_at,
            },
            Self::Run(entry) => Change::PutRun {
                entry,
                expect,
                expires_at,
            },
            Self::Claim(claim) => Change::PutClaim {
                claim,
                expect,
                expires_at,
            },
            Self::Check(entry) => Change::PutCheck {
                entry,
                expect,
                expires_at,
            },
        }
    }

    pub(crate) fn key(&self) -> DueKey {
        match self {
            Self::Instance(entry) => DueKey::Instance(entry.instance.clone()),
            Self::Run(entry) => DueKey::Run(entry.key.clone()),
            Self::Claim(claim) => DueKey::Claim(claim.key.clone()),
            Self::Check(entry) => DueKey::Check(entry.key.clone()),
        }
    }

    pub(crate) fn due_at(mut self, due: Option<Timestamp>) -> Self {
        let due = due.map(Due::now);
        match &mut self {
            Self::Instance(entry) => entry.due = due,
            Self::Run(entry) => entry.due = due,
            Self::Claim(claim) => claim.due = due,
            Self::Check(entry) => entry.due = due,
        }
        self
    }
}

/// Noon, and `seconds` after it.
pub(crate) fn at(seconds: i64) -> Timestamp {
    let noon: Timestamp = "2026-11-02T12:00:00Z".parse().expect("a time");
    noon + SignedDuration::from_secs(seconds)
}

/// One record of every state, by the name of its file under `tests/data/`. Keys differ.
pub(crate) fn every_state() -> Vec<(&'static str, Sample)> {
    let mut samples = instances();
    samples.extend(runs());
    samples.extend(claims());
    samples.extend(checks());
    samples.push(("claim-chosen", Sample::Claim(chosen())));
    samples.push(("claim-waited", Sample::Claim(waited())));
    samples
}

/// What GitHub shows of run `id`, with nothing due.
pub(crate) fn check(id: u64) -> Sample {
    Sample::Check(check_entry(id))
}

/// A claim for job `id` that is not due.
pub(crate) fn claim(id: u64) -> Sample {
    Sample::Claim(launch_claim(id, ClaimState::Wanted, None))
}

/// A run with one awaiting job that is not due.
pub(crate) fn run(id: u64) -> Sample {
    Sample::Run(run_entry(
        id,
        [tracked(id, 1, TrackedState::Awaiting)],
        Vec::new(),
        None,
    ))
}

/// A run of a repository whose only job was settled then.
pub(crate) fn ended_run(repository: &str, id: u64, seconds: i64) -> Sample {
    let state = TrackedState::Settled {
        reason: SettleReason::FailedAgain,
        at: at(seconds),
    };
    let mut entry = run_entry(id, [tracked(id, 1, state)], Vec::new(), None);
    entry.key.repository = repository.parse().expect("a repository");
    Sample::Run(entry)
}

/// An instance of which nothing is due.
pub(crate) fn interrupted(number: u64) -> Sample {
    Sample::Instance(InstanceEntry {
        instance: instance(number),
        evidence: vec![evidence(EvidenceSource::Tag, 600)],
        unexplained: None,
        judged: None,
        console: None,
        due: None,
    })
}

fn instances() -> Vec<(&'static str, Sample)> {
    let sources = [
        EvidenceSource::Tag,
        EvidenceSource::InterruptionWarning,
        EvidenceSource::StateReason,
        EvidenceSource::SpotRequest,
    ];
    let interrupted = InstanceEntry {
        instance: instance(1),
        evidence: (600..).zip(sources).map(|(s, e)| evidence(e, s)).collect(),
        unexplained: None,
        judged: None,
        console: None,
        due: None,
    };
    let unexplained = InstanceEntry {
        instance: instance(2),
        evidence: Vec::new(),
        unexplained: Some(UnexplainedJob {
            repository: "acme/shop".parse().expect("a repository"),
            job: failed_job(),
        }),
        judged: None,
        console: None,
        due: Some(Due {
            at: at(700),
            tries: 1,
        }),
    };
    let known = InstanceEntry {
        instance: instance(3),
        unexplained: None,
        due: None,
        ..unexplained.clone()
    };
    let with_console = InstanceEntry {
        instance: instance(4),
        console: Some(ConsoleTail {
            at: at(800),
            cause: ConsoleCause::NeverRegistered,
            lines: vec!["reprise-agent: no row came".to_owned()],
        }),
        ..known.clone()
    };
    vec![
        ("instance-with-console", Sample::Instance(with_console)),
        ("instance-interrupted", Sample::Instance(interrupted)),
        ("instance-unexplained", Sample::Instance(unexplained)),
        ("instance-known", Sample::Instance(known)),
    ]
}

fn runs() -> Vec<(&'static str, Sample)> {
    let due = |seconds, tries| {
        let at = at(seconds);
        Some(Due { at, tries })
    };
    let one_job = RerunTarget::Job(JobId(71_000_000_201));
    let accepted = rerun(RerunTarget::FailedJobs, RerunAnswer::Accepted);
    let refusal = refused(RefusalKind::TooOld);
    let awaiting = [tracked(101, 1, TrackedState::Awaiting)];
    let asked = |id| [tracked(id, 1, TrackedState::Asked { rerun: 0 })];
    vec![
        ("run-noted", noted()),
        (
            "run-awaiting",
            run_entry(101, awaiting, Vec::new(), due(650, 0)),
        ),
        (
            "run-asked-unclear",
            run_entry(
                201,
                asked(201),
                vec![rerun(one_job, RerunAnswer::Unclear)],
                due(651, 1),
            ),
        ),
        (
            "run-asked-accepted",
            run_entry(202, asked(202), vec![accepted.clone()], due(652, 0)),
        ),
        (
            "run-asked-not-now",
            run_entry(
                203,
                asked(203),
                vec![rerun(RerunTarget::FailedJobs, RerunAnswer::NotNow)],
                due(653, 5),
            ),
        ),
        (
            "run-failed",
            run_entry(204, [failed(204)], Vec::new(), due(654, 0)),
        ),
        (
            "run-refused",
            run_entry(
                301,
                [tracked(
                    301,
                    1,
                    settled(SettleReason::Refused(refusal.clone())),
                )],
                vec![rerun(one_job, RerunAnswer::Refused(refusal))],
                None,
            ),
        ),
        (
            "run-settled-for-every-reason",
            run_entry(302, settled_jobs(), vec![accepted.clone(), accepted], None),
        ),
    ]
    .into_iter()
    .map(|(name, entry)| (name, Sample::Run(entry)))
    .collect()
}

fn claims() -> Vec<(&'static str, Sample)> {
    let launched = |number, capacity| ClaimState::Launched {
        instance: instance(number).id,
        capacity,
    };
    let given_up = ClaimState::GivenUp {
        why: "MaxSpotInstanceCountExceeded: Max spot instance count exceeded".to_owned(),
    };
    [
        (
            "claim-wanted",
            401,
            ClaimState::Wanted,
            Some(at(1)),
            CapacityReason::FirstAttempt,
        ),
        (
            "claim-launched-spot",
            402,
            launched(4, Capacity::Spot),
            None,
            CapacityReason::LaterAttemptMayUseSpot,
        ),
        (
            "claim-launched-on-demand",
            403,
            launched(5, Capacity::OnDemand),
            None,
            CapacityReason::LaterAttempt,
        ),
        (
            "claim-fallen-back",
            404,
            ClaimState::Wanted,
            Some(at(90)),
            CapacityReason::NoSpotCapacity,
        ),
        (
            "claim-given-up",
            405,
            given_up,
            None,
            CapacityReason::SpotOff,
        ),
    ]
    .into_iter()
    .map(|(name, id, state, due, why)| {
        let due = due.map(Due::now);
        let claim = LaunchClaim {
            why,
            ..launch_claim(id, state, due)
        };
        (name, Sample::Claim(claim))
    })
    .chain([("claim-held", Sample::Claim(held_claim()))])
    .chain([("claim-shared", Sample::Claim(shared_claim()))])
    .chain([("claim-with-runner", Sample::Claim(claim_with_runner()))])
    .chain([("claim-lost-instances", Sample::Claim(claim_that_lost()))])
    .chain([("claim-not-asked", Sample::Claim(not_asked_claim()))])
    .collect()
}

/// As whoever leads a shared launch stores it.
fn shared_claim() -> LaunchClaim {
    let share = Share {
        leader: JobId(408),
        generation: 0,
        place: 0,
        of: 3,
        crew: vec![JobId(409), JobId(410)],
    };
    LaunchClaim {
        held_until: Some(at(31)),
        asked: Asked::Together(share),
        ..launch_claim(408, ClaimState::Wanted, None)
    }
}

/// As it is stored once its instance has got its runner.
fn claim_with_runner() -> LaunchClaim {
    let launched = ClaimState::Launched {
        instance: "i-0123456789abcdef0".parse().expect("an id"),
        capacity: Capacity::Spot,
    };
    LaunchClaim {
        runner: Some(HandedOver {
            id: RunnerId(31),
            name: RunnerName::new("reprise--i-0123456789abcdef0--00c0ffee"),
            is_only: true,
        }),
        ..launch_claim(480, launched, None)
    }
}

/// As it is stored when its first instance has gone.
fn claim_that_lost() -> LaunchClaim {
    LaunchClaim {
        generation: 1,
        lost: 1,
        lost_instances: vec![instance(1)],
        asked: Asked::NotYet,
        ..launch_claim(481, ClaimState::Wanted, Some(Due::now(at(1))))
    }
}

/// As it is stored after a no of EC2.
fn not_asked_claim() -> LaunchClaim {
    LaunchClaim {
        generation: 1,
        asked: Asked::NotYet,
        ..launch_claim(411, ClaimState::Wanted, Some(Due::now(at(1))))
    }
}

/// As it is stored before EC2 is asked.
fn held_claim() -> LaunchClaim {
    LaunchClaim {
        held_until: Some(at(31)),
        ..launch_claim(406, ClaimState::Wanted, None)
    }
}

/// A run with everything that is noted.
fn noted() -> RunEntry {
    let job = JobId(71_000_000_107);
    let mut entry = run_entry(
        107,
        [tracked(107, 1, settled(SettleReason::FailedAgain))],
        Vec::new(),
        Some(Due::now(at(950))),
    );
    let words = "This workflow is already running".to_owned();
    for (seconds, what) in [
        (660, Happened::PutOff { words }),
        (
            670,
            Happened::Unclear {
                words: "no answer came within 36s".to_owned(),
            },
        ),
        (715, Happened::FoundNotTaken),
        (720, Happened::FoundTaken),
        (
            940,
            Happened::ChanceDenied {
                job,
                why: "policy-false".to_owned(),
            },
        ),
        (
            945,
            Happened::ChanceGiven {
                job,
                renewed: JobId(71_000_000_117),
            },
        ),
        (948, Happened::Dismissed { job }),
        (
            950,
            Happened::Requeued {
                job,
                was: "failed-again".to_owned(),
            },
        ),
    ] {
        entry.notes.add(at(seconds), what);
    }
    entry.notes.requeued.insert(job);
    entry.notes.dismissed.insert(job);
    entry.notes.renewed.insert(JobId(71_000_000_117), job);
    entry
}

fn run_entry(
    id: u64,
    jobs: impl IntoIterator<Item = TrackedJob>,
    reruns: Vec<Rerun>,
    due: Option<Due>,
) -> RunEntry {
    RunEntry {
        key: RunKey {
            repository: "acme/shop".parse().expect("a repository"),
            run_id: RunId(id),
        },
        jobs: (71_000_000_000 + id..)
            .map(JobId)
            .zip(jobs)
            .collect::<BTreeMap<_, _>>(),
        reruns,
        due,
        notes: Notes::default(),
    }
}

/// A job that failed on somebody else's machine, and whose policy re-runs that.
fn failed(run_id: u64) -> TrackedJob {
    TrackedJob {
        why: Why::Failed,
        policy: Some("when-failed:4".parse().expect("a policy")),
        instance: None,
        evidence: Vec::new(),
        pause: SignedDuration::from_secs(30),
        not_before: Some(at(670)),
        ..tracked(run_id, 1, TrackedState::Awaiting)
    }
}

fn tracked(run_id: u64, attempt: u32, state: TrackedState) -> TrackedJob {
    TrackedJob {
        key: JobKey {
            repository: "acme/shop".parse().expect("a repository"),
            run_id: RunId(run_id),
            workflow: Some(".github/workflows/ci.yml".to_owned()),
            name: "test (1, linux)".to_owned(),
            ordinal: 0,
        },
        attempt: RunAttempt::new(attempt).expect("not 0"),
        execution: Execution {
            runner_name: Some(RunnerName::new("runs-on--i-0123456789abcdef1--x8Jq")),
            started_at: Some(at(30)),
            completed_at: Some(at(640)),
        },
        why: Why::Interrupted,
        policy: None,
        instance: Some(instance(1)),
        evidence: vec![
            evidence(EvidenceSource::Tag, 600),
            evidence(EvidenceSource::InterruptionWarning, 601),
        ],
        told: None,
        advice: None,
        pause: SignedDuration::ZERO,
        not_before: None,
        state,
    }
}

fn settled(reason: SettleReason) -> TrackedState {
    TrackedState::Settled {
        reason,
        at: at(900),
    }
}

fn settled_jobs() -> Vec<TrackedJob> {
    let refusals = [
        RefusalKind::TooOld,
        RefusalKind::NotRetryable,
        RefusalKind::MissingPermission,
        RefusalKind::NotFound,
        RefusalKind::Unknown,
    ];
    [
        SettleReason::Succeeded,
        SettleReason::NotSpot,
        SettleReason::NotInterrupted,
        SettleReason::EvidenceExpired,
        SettleReason::EvidenceTooLate,
        SettleReason::OptedOut,
        SettleReason::AttemptLimit,
        SettleReason::AlreadyRerun,
        SettleReason::Cancelled,
        SettleReason::CancelledUnknown,
        SettleReason::Superseded,
        SettleReason::NeverCompleted,
        SettleReason::Recovered,
        SettleReason::FailedAgain,
    ]
    .into_iter()
    .chain(refusals.map(refused).map(SettleReason::Refused))
    .map(|reason| tracked(302, 2, settled(reason)))
    .collect()
}

fn refused(kind: RefusalKind) -> Refusal {
    Refusal {
        kind,
        message: "Unable to retry this workflow run because it was created over a month ago"
            .to_owned(),
    }
}

fn rerun(target: RerunTarget, answer: RerunAnswer) -> Rerun {
    let siblings = match target {
        RerunTarget::Job(_) => Vec::new(),
        RerunTarget::FailedJobs => vec![cancelled_sibling()],
    };
    let not_before = (answer == RerunAnswer::NotNow).then(|| at(711));
    Rerun {
        order: RerunOrder {
            from: RunAttempt::FIRST,
            target,
            wanted: vec![JobId(71_000_000_201)],
            along: vec!["lint".to_owned()],
            siblings,
        },
        decided_at: at(651),
        answer,
        not_before,
    }
}

fn cancelled_sibling() -> Sibling {
    Sibling {
        name: "test (2, linux)".to_owned(),
        execution: Execution {
            runner_name: Some(RunnerName::new("runs-on--i-0123456789abcdef3--b7Yq")),
            started_at: Some(at(31)),
            completed_at: Some(at(641)),
        },
    }
}

fn launch_claim(id: u64, state: ClaimState, due: Option<Due>) -> LaunchClaim {
    let labels = "runs-on=19000000101/family=c7a/spot=true".to_owned();
    LaunchClaim {
        key: ClaimKey {
            repository: "acme/shop".parse().expect("a repository"),
            job_id: JobId(id),
        },
        run_id: RunId(19_000_000_101),
        attempt: RunAttempt::FIRST,
        job_name: "test (1, linux)".to_owned(),
        runner_labels: vec![labels],
        spec: LaunchSpec {
            region: Region::new("eu-west-1"),
            capacity: Capacity::Spot,
            may_fall_back: true,
            instance_types: vec!["c7a.large".to_owned(), "c7a.xlarge".to_owned()],
            image: Some("ubuntu24-full-x64".to_owned()),
            subnets: Vec::new(),
            left_out: LeftOut::default(),
            strategy: SpotStrategy::default(),
            volume: None,
            tags: BTreeMap::new(),
        },
        why: CapacityReason::FirstAttempt,
        first_why: None,
        generation: 0,
        state,
        due,
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

/// As many as a launch chooses, of the longer names.
const FIFTEEN_TYPES: [&str; 15] = [
    "c7i-flex.large",
    "m7i-flex.large",
    "c7a.large",
    "c7i.large",
    "c6a.large",
    "c6i.large",
    "c6id.large",
    "c6in.large",
    "m7a.large",
    "m7i.large",
    "m6a.large",
    "m6i.large",
    "m6id.large",
    "m6idn.large",
    "r7a.large",
];

/// A claim whose labels have chosen everything that they can.
fn chosen() -> LaunchClaim {
    let claim = launch_claim(407, ClaimState::Wanted, Some(Due::now(at(1))));
    let volume = Volume {
        size_gib: Some(80),
        kind: Some(VolumeKind::Gp3),
        throughput_mibs: Some(500),
        iops: None,
    };
    LaunchClaim {
        spec: LaunchSpec {
            image: Some("ami-0123456789abcdef0".to_owned()),
            instance_types: FIFTEEN_TYPES.map(str::to_owned).to_vec(),
            subnets: ["a", "b", "c"]
                .map(|zone| format!("subnet-0123456789abcdef{zone}"))
                .to_vec(),
            strategy: SpotStrategy::LowestPrice,
            volume: Some(RootVolume {
                device: "/dev/sda1".to_owned(),
                volume,
            }),
            tags: BTreeMap::from([("team".to_owned(), "shop".to_owned())]),
            ..claim.spec
        },
        ..claim
    }
}

/// A claim that waited for room, and was made while a breaker was open.
fn waited() -> LaunchClaim {
    let claim = launch_claim(412, ClaimState::Wanted, Some(Due::now(at(20))));
    let mut left_out = LeftOut::default();
    left_out.add("subnet-0123456789abcdefa", "c7a.large");
    LaunchClaim {
        waited: 2,
        spec: LaunchSpec {
            left_out,
            ..claim.spec
        },
        ..claim
    }
}

fn checks() -> Vec<(&'static str, Sample)> {
    let text = |state, title: &str| CheckText {
        state,
        title: title.to_owned(),
        summary: "- `build` (attempt 1): it was interrupted, and its policy is retry=false"
            .to_owned(),
    };
    let left = LeftJob {
        name: "build".to_owned(),
        attempt: RunAttempt::FIRST,
        reason: SettleReason::OptedOut,
    };
    let told = CheckEntry {
        left: BTreeMap::from([(JobId(71_000_000_601), left)]),
        id: Some(CheckRunId(55_000_000_001)),
        told: Some(text(CheckState::Neutral, "1 job was interrupted")),
        ..check_entry(19_000_000_601)
    };
    let gate = |end| Gate {
        opened_at: at(0),
        workflow: Some("ci.yml".to_owned()),
        end,
    };
    let open = CheckEntry {
        gate: Some(gate(None)),
        told: Some(text(CheckState::InProgress, "The run is waited for")),
        due: Some(Due {
            at: at(300),
            tries: 4,
        }),
        held_until: Some(at(300)),
        ..check_entry(19_000_000_602)
    };
    let failed = CheckEntry {
        gate: Some(gate(Some(GateEnd::Failed("failure".to_owned())))),
        told: Some(text(CheckState::Failure, "The run failed")),
        ..check_entry(19_000_000_603)
    };
    vec![
        ("check-told", Sample::Check(told)),
        ("check-gate-open", Sample::Check(open)),
        ("check-gate-failed", Sample::Check(failed)),
    ]
}

fn check_entry(id: u64) -> CheckEntry {
    CheckEntry {
        key: RunKey {
            repository: "acme/shop".parse().expect("a repository"),
            run_id: RunId(id),
        },
        head: Sha::new("5c2f3b1d9e8a7f60413c2b5d6e7f8091a2b3c4d5"),
        gate: None,
        left: BTreeMap::new(),
        id: None,
        told: None,
        due: None,
        held_until: None,
    }
}

/// Breakers of every state.
pub(crate) fn breakers() -> Breakers {
    let pool = |zone: &str, family: &str| {
        let region = Region::new("eu-west-1");
        PoolKey::of(&region, &format!("eu-west-1{zone}"), family)
    };
    let opened = Breaker {
        state: BreakerState::Open { until: at(600) },
        why: PoolTrouble::Capacity,
        openings: 1,
    };
    let closed = Breaker {
        state: BreakerState::Closed { since: at(601) },
        why: PoolTrouble::Interruptions,
        openings: 3,
    };
    let zones = ["a", "b"].map(|zone| {
        let subnet = format!("subnet-0123456789abcdef{zone}");
        (subnet, format!("eu-west-1{zone}"))
    });
    Breakers {
        pools: BTreeMap::from([(pool("a", "c7a"), opened), (pool("b", "m7a"), closed)]),
        zones: BTreeMap::from(zones),
    }
}

/// The change that writes them.
pub(crate) fn put_breakers(breakers: Breakers, expect: Expect) -> Change {
    Change::PutBreakers {
        breakers,
        expect,
        expires_at: at(24 * 3600),
    }
}

/// A budget with what is named and what is not any more.
pub(crate) fn budget() -> Budget {
    let grant = Grant {
        run: RunId(19_000_000_601),
        from: RunAttempt::FIRST,
        at: at(3_600),
        jobs: 3,
    };
    Budget {
        repository: "acme/shop".parse().expect("a repository"),
        granted: vec![grant],
        earlier: BTreeMap::from([(Slot::of(at(0)), 12), (Slot::of(at(300)), 1)]),
    }
}

/// The change that writes it.
pub(crate) fn put_budget(budget: Budget, expect: Expect) -> Change {
    Change::PutBudget {
        budget,
        expect,
        expires_at: at(2 * 3600),
    }
}

fn failed_job() -> Job {
    Job {
        id: JobId(71_000_000_501),
        run_id: RunId(19_000_000_501),
        run_attempt: RunAttempt::FIRST,
        name: "build".to_owned(),
        workflow_name: Some("CI".to_owned()),
        status: JobStatus::Completed,
        conclusion: Some(Conclusion::Failure),
        labels: vec!["runs-on=19000000501/cpu=4".to_owned()],
        runner_name: Some(RunnerName::new("runs-on--i-0123456789abcdef2--k2Pd")),
        created_at: Some(at(0)),
        started_at: Some(at(40)),
        completed_at: Some(at(640)),
        head_sha: Sha::new("5c2f3b1d9e8a7f60413c2b5d6e7f8091a2b3c4d5"),
        head_branch: Some("main".to_owned()),
        runner_id: None,
        check_run: Some(CheckRunId(71_000_000_501)),
    }
}

fn evidence(source: EvidenceSource, seconds: i64) -> Evidence {
    Evidence {
        source,
        first_seen_at: at(seconds),
    }
}

fn instance(number: u64) -> Instance {
    let id: InstanceId = format!("i-0123456789abcde{number:02x}")
        .parse()
        .expect("an instance id");
    Instance {
        account: AccountId::new("111122223333"),
        region: Region::new("eu-west-1"),
        id,
    }
}
