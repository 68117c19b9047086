use serde::de::DeserializeOwned;

use super::*;
use crate::evidence::EvidenceSource;
use crate::ids::{AccountId, CheckRunId, RunnerName, Sha};
use crate::job::{Conclusion, Job, JobStatus};
use crate::reason::RefusalKind;

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn repository() -> Repository {
    "acme/shop".parse().expect("valid")
}

fn instance() -> Instance {
    Instance {
        account: AccountId::new("123456789012"),
        region: Region::new("eu-west-1"),
        id: "i-0123456789abcdef0".parse().expect("valid"),
    }
}

fn evidence() -> Evidence {
    Evidence {
        source: EvidenceSource::Tag,
        first_seen_at: at("2026-03-01T10:00:05Z"),
    }
}

fn job() -> Job {
    Job {
        id: JobId(7),
        run_id: RunId(42),
        run_attempt: RunAttempt::FIRST,
        name: "test (1, linux)".to_owned(),
        workflow_name: Some("CI".to_owned()),
        status: JobStatus::Completed,
        conclusion: Some(Conclusion::Failure),
        labels: vec!["runs-on=42".to_owned()],
        runner_name: Some(RunnerName::new("i-0123456789abcdef0")),
        created_at: Some(at("2026-03-01T09:59:00Z")),
        started_at: Some(at("2026-03-01T10:00:00Z")),
        completed_at: Some(at("2026-03-01T10:02:00Z")),
        head_sha: Sha::new("0123456789abcdef0123456789abcdef01234567"),
        head_branch: Some("main".to_owned()),
        runner_id: None,
        check_run: Some(CheckRunId(7)),
    }
}

fn instance_entry() -> InstanceEntry {
    InstanceEntry {
        instance: instance(),
        evidence: vec![evidence()],
        unexplained: Some(UnexplainedJob {
            repository: repository(),
            job: job(),
        }),
        judged: None,
        console: None,
        due: Some(Due::now(at("2026-03-01T10:03:00Z"))),
    }
}

fn tracked(state: TrackedState) -> TrackedJob {
    TrackedJob {
        key: JobKey {
            repository: repository(),
            run_id: RunId(42),
            workflow: Some(".github/workflows/ci.yml".to_owned()),
            name: "test (1, linux)".to_owned(),
            ordinal: 0,
        },
        attempt: RunAttempt::FIRST,
        execution: job().execution(),
        why: Why::Interrupted,
        policy: None,
        instance: Some(instance()),
        evidence: vec![evidence()],
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
        at: at("2026-03-01T10:10:00Z"),
    }
}

fn refusal() -> Refusal {
    Refusal {
        kind: RefusalKind::TooOld,
        message: "Unable to retry this workflow run because it was created over a month ago"
            .to_owned(),
    }
}

fn rerun(target: RerunTarget, answer: RerunAnswer) -> Rerun {
    Rerun {
        order: RerunOrder {
            from: RunAttempt::FIRST,
            target,
            wanted: vec![JobId(7), JobId(8)],
            along: vec!["lint".to_owned()],
            siblings: vec![Sibling {
                name: "test (2, linux)".to_owned(),
                execution: job().execution(),
            }],
        },
        decided_at: at("2026-03-01T10:05:00Z"),
        answer,
        not_before: Some(at("2026-03-01T10:06:00Z")),
    }
}

/// A run whose jobs and re-runs show every state once.
fn run_entry() -> RunEntry {
    RunEntry {
        key: RunKey {
            repository: repository(),
            run_id: RunId(42),
        },
        jobs: BTreeMap::from([
            (JobId(7), tracked(TrackedState::Awaiting)),
            (JobId(8), tracked(TrackedState::Asked { rerun: 1 })),
            (JobId(9), tracked(settled(SettleReason::Recovered))),
            (
                JobId(10),
                tracked(settled(SettleReason::Refused(refusal()))),
            ),
        ]),
        reruns: vec![
            rerun(RerunTarget::Job(JobId(7)), RerunAnswer::Unclear),
            rerun(RerunTarget::FailedJobs, RerunAnswer::Accepted),
            rerun(RerunTarget::FailedJobs, RerunAnswer::NotNow),
            rerun(RerunTarget::FailedJobs, RerunAnswer::Refused(refusal())),
        ],
        due: None,
        notes: Notes::default(),
    }
}

fn claim(state: ClaimState) -> LaunchClaim {
    LaunchClaim {
        key: ClaimKey {
            repository: repository(),
            job_id: JobId(7),
        },
        run_id: RunId(42),
        attempt: RunAttempt::FIRST,
        job_name: "test (1, linux)".to_owned(),
        runner_labels: vec!["runs-on=42".to_owned()],
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
        generation: 2,
        state,
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

fn launched() -> ClaimState {
    ClaimState::Launched {
        instance: instance().id,
        capacity: Capacity::OnDemand,
    }
}

fn read_back<R: Serialize + DeserializeOwned>(record: &R) -> R {
    let text = serde_json::to_string(record).expect("writable");
    serde_json::from_str(&text).expect("readable")
}

#[test]
fn what_is_known_of_an_instance_keeps_its_stored_form() {
    assert_eq!(read_back(&instance_entry()), instance_entry());
    insta::assert_json_snapshot!(instance_entry());
}

#[test]
fn a_runs_record_keeps_its_stored_form() {
    assert_eq!(read_back(&run_entry()), run_entry());
    insta::assert_json_snapshot!(run_entry());
}

#[test]
fn a_launch_claim_keeps_its_stored_form() {
    for state in [
        ClaimState::Wanted,
        launched(),
        ClaimState::GivenUp {
            why: "VcpuLimitExceeded".to_owned(),
        },
    ] {
        let claim = claim(state);
        assert_eq!(read_back(&claim), claim);
    }
    insta::assert_json_snapshot!(claim(launched()));
}

#[test]
fn a_shared_launch_keeps_its_stored_form() {
    let share = |crew: &[u64]| Share {
        leader: JobId(7),
        generation: 2,
        place: 0,
        of: 3,
        crew: crew.iter().copied().map(JobId).collect(),
    };
    for asked in [
        Asked::Alone,
        Asked::NotYet,
        Asked::Together(share(&[])),
        Asked::Together(share(&[8, 9])),
    ] {
        let claim = LaunchClaim {
            asked: asked.clone(),
            ..claim(ClaimState::Wanted)
        };
        assert_eq!(read_back(&claim), claim);
    }
    let stored = |asked| {
        serde_json::to_value::<Asked>(asked)
            .expect("json")
            .to_string()
    };
    assert_eq!(stored(Asked::NotYet), r#""not-yet""#);
    assert_eq!(
        stored(Asked::Together(share(&[8, 9]))),
        r#"{"together":{"crew":[8,9],"generation":2,"leader":7,"of":3,"place":0}}"#
    );
}

#[test]
fn a_repeat_of_a_request_has_the_same_token_and_another_request_another() {
    let one = claim(ClaimState::Wanted);
    assert_eq!(one.client_token(), claim(launched()).client_token());
    let other = LaunchClaim {
        generation: 3,
        ..one.clone()
    };
    assert_ne!(one.client_token(), other.client_token());
}

#[test]
fn a_client_token_is_never_too_long_for_ec2() {
    let longest = LaunchClaim {
        key: ClaimKey {
            repository: repository(),
            job_id: JobId(u64::MAX),
        },
        generation: u32::MAX,
        ..claim(ClaimState::Wanted)
    };
    let token = longest.client_token();
    assert!(token.len() <= 64 && token.is_ascii(), "{token}");
}

#[test]
fn keys_are_shown_as_paths() {
    assert_eq!(run_entry().key.to_string(), "acme/shop/42");
    assert_eq!(claim(ClaimState::Wanted).key.to_string(), "acme/shop/7");
}

#[test]
fn all_of_capacity_reason_are_in_all() {
    // Whoever adds one comes by here, and adds it to `ALL`.
    let place = |one: &CapacityReason| -> usize {
        match one {
            CapacityReason::FirstAttempt => 0,
            CapacityReason::SpotOff => 1,
            CapacityReason::LaterAttempt => 2,
            CapacityReason::LaterAttemptMayUseSpot => 3,
            CapacityReason::Advised => 4,
            CapacityReason::NoSpotCapacity => 5,
            CapacityReason::BreakerOpen => 6,
        }
    };
    let places: Vec<usize> = CapacityReason::ALL.iter().map(place).collect();
    assert_eq!(places, (0..7).collect::<Vec<_>>());
}
