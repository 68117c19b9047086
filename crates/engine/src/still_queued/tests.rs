use reprise_model::ending::Telling;
use reprise_model::ids::RunnerName;
use reprise_model::instance::{Capacity, InstanceState};
use reprise_model::ledger::LaunchClaim;

use super::*;
use crate::samples::{at, claim, instance, job, view};

fn queued() -> Job {
    Job {
        status: JobStatus::Queued,
        conclusion: None,
        runner_name: None,
        ..job(1, "build")
    }
}

fn due() -> LaunchClaim {
    LaunchClaim {
        due: Some(Due::now(at(0))),
        ..claim()
    }
}

fn launched_at(seconds: i64) -> InstanceView {
    InstanceView {
        launched_at: Some(at(seconds)),
        ..view()
    }
}

fn decided(
    claim: &LaunchClaim,
    sight: Option<InstanceSight>,
    jobs: JobsWords<'_>,
    now: i64,
) -> QueueStep {
    let facts = QueueFacts {
        claim,
        sight: sight.as_ref(),
        jobs,
        runner_name: &RunnerNamePattern::default(),
    };
    decide(&facts, &Rules::default(), at(now))
}

fn committed(step: QueueStep) -> (LaunchClaim, Why) {
    let QueueStep::Commit(claim, why) = step else {
        panic!("{step:?}");
    };
    (claim, why)
}

#[test]
fn ec2_and_then_github_are_asked() {
    let claim = due();
    let id = instance().id;
    assert_eq!(
        decided(&claim, None, JobsWords::Unread, 0),
        QueueStep::Look(id)
    );
    let seen = Some(InstanceSight::Seen(launched_at(0)));
    assert_eq!(
        decided(&claim, seen, JobsWords::Unread, 0),
        QueueStep::ReadJobs
    );
}

#[test]
fn a_job_that_runs_or_is_not_shown_is_forgotten() {
    let gone = || Some(InstanceSight::Absent);
    let running = Job {
        status: JobStatus::InProgress,
        ..job(1, "build")
    };
    for jobs in [
        JobsWords::Seen(&[running]),
        JobsWords::Refused,
        JobsWords::Seen(&[]),
    ] {
        let (after, why) = committed(decided(&due(), gone(), jobs, 0));
        assert_eq!((after.due, why), (None, Why::NotQueued));
        assert_eq!(after.state, due().state);
    }
}

#[test]
fn a_job_whose_instance_is_gone_is_launched_for_again_by_another_request() {
    let gone = InstanceView {
        state: InstanceState::Terminated,
        ..launched_at(0)
    };
    let jobs = [queued()];
    let sight = Some(InstanceSight::Seen(gone));
    let (after, why) = committed(decided(&due(), sight, JobsWords::Seen(&jobs), 60));
    assert_eq!(why, Why::InstanceGone);
    assert_eq!((after.state.clone(), after.lost), (ClaimState::Wanted, 1));
    assert_eq!(after.due, Some(Due::now(at(60))));
    assert_ne!(after.client_token(), due().client_token());
}

#[test]
fn an_instance_that_ec2_does_not_list_is_gone_only_at_the_second_look() {
    let jobs = [queued()];
    let seen = JobsWords::Seen(&jobs);
    let (first, why) = committed(decided(&due(), Some(InstanceSight::Absent), seen, 0));
    assert_eq!(why, Why::ComesUp);
    let (second, why) = committed(decided(&first, Some(InstanceSight::Absent), seen, 120));
    assert_eq!((second.state, why), (ClaimState::Wanted, Why::InstanceGone));
}

#[test]
fn a_runner_is_given_time_to_come_up_and_not_for_ever() {
    let jobs = [queued()];
    let up = || Some(InstanceSight::Seen(launched_at(0)));
    let (waits, why) = committed(decided(&due(), up(), JobsWords::Seen(&jobs), 300));
    assert_eq!(
        (waits.due.map(|due| due.at), why),
        (Some(at(600)), Why::ComesUp)
    );
    let (after, why) = committed(decided(&waits, up(), JobsWords::Seen(&jobs), 600));
    assert_eq!(
        (after.state, why),
        (ClaimState::Wanted, Why::RunnerNeverCame)
    );
}

#[test]
fn a_job_whose_runner_took_another_job_need_not_wait_for_it() {
    let thief = Job {
        runner_name: Some(RunnerName::new(format!("reprise--{}--0000", instance().id))),
        status: JobStatus::InProgress,
        ..job(2, "test")
    };
    let jobs = [queued(), thief];
    let up = Some(InstanceSight::Seen(launched_at(0)));
    let (after, why) = committed(decided(&due(), up, JobsWords::Seen(&jobs), 60));
    assert_eq!((after.state, why), (ClaimState::Wanted, Why::RunnerTaken));
}

#[test]
fn one_whose_runner_was_taken_is_found_by_the_job_that_ended_without_a_machine_of_its_own() {
    let over = LaunchClaim {
        runner_labels: queued().labels,
        ..claim()
    };
    let waits = Job {
        id: JobId(3),
        ..queued()
    };
    let others = Job {
        labels: Vec::new(),
        id: JobId(4),
        ..queued()
    };
    let thief = Job {
        runner_name: Some(RunnerName::new(format!("reprise--{}--0000", instance().id))),
        ..job(over.key.job_id.0, "build")
    };
    let jobs = [thief, waits, others];
    let beside: Vec<ClaimKey> = waiting_beside(&over, &jobs).collect();
    assert_eq!(
        beside.iter().map(|key| key.job_id.0).collect::<Vec<_>>(),
        [3]
    );

    let names = RunnerNamePattern::default();
    let at_rest = claim();
    assert!(is_robbed(&at_rest, &jobs, &names, at(0)));
    assert!(
        !is_robbed(&at_rest, &jobs[1..], &names, at(0)),
        "nobody took it"
    );
    assert!(
        !is_robbed(&due(), &jobs, &names, at(0)),
        "it is asked anyway"
    );
}

#[test]
fn a_job_is_launched_for_so_often_and_then_ends_visibly() {
    let jobs = [queued()];
    let mut claim = due();
    for lost in 1..=2 {
        let sight = Some(InstanceSight::Seen(launched_at(0)));
        let (after, why) = committed(decided(&claim, sight, JobsWords::Seen(&jobs), 900));
        assert_eq!((after.lost, why), (lost, Why::RunnerNeverCame));
        claim = LaunchClaim {
            state: ClaimState::Launched {
                instance: instance().id,
                capacity: Capacity::Spot,
            },
            ..after
        };
    }
    let sight = Some(InstanceSight::Seen(launched_at(0)));
    let (after, why) = committed(decided(&claim, sight, JobsWords::Seen(&jobs), 900));
    assert_eq!(why, Why::LaunchedEnough);
    assert!(matches!(after.state, ClaimState::GivenUp { .. }));
    let check = after.end.map(|end| end.check);
    assert_eq!(check, Some(Telling::Wanted));
    assert!(after.due.is_some());
}

#[test]
fn it_is_asked_of_what_was_launched_and_not_later_than_it_is_anyway() {
    let id = instance().id;
    let asked = asked_at(&claim(), Some(&id), at(5)).expect("it is asked");
    assert_eq!(asked.due, Some(Due::now(at(5))));
    assert_eq!(asked_at(&asked, None, at(9)), None, "it is asked sooner");
    assert!(asked_at(&asked, None, at(1)).is_some());
    let other = "i-0fedcba9876543210".parse().expect("an id");
    assert_eq!(asked_at(&claim(), Some(&other), at(5)), None);
    let wanted = LaunchClaim {
        state: ClaimState::Wanted,
        ..claim()
    };
    assert_eq!(asked_at(&wanted, None, at(5)), None);
}

#[test]
fn what_ec2_took_has_died_and_what_ended_by_our_hand_or_its_own_has_not() {
    let ended = |reason: &str| InstanceView {
        state: InstanceState::Terminated,
        state_reason: Some(reason.to_owned()),
        ..view()
    };
    assert!(died(&ended("Server.SpotInstanceTermination")));
    assert!(!died(&ended("Client.InstanceInitiatedShutdown")));
    assert!(!died(&ended("Client.UserInitiatedShutdown")));
    assert!(!died(&view()));
}

#[test]
fn a_claim_for_which_nothing_was_launched_is_left_alone() {
    let wanted = LaunchClaim {
        state: ClaimState::Wanted,
        ..due()
    };
    let (after, why) = committed(decided(&wanted, None, JobsWords::Unread, 0));
    assert_eq!((after.due, why), (None, Why::NotLaunched));
}
