//! What open breakers and a full house make of a queued job.

use reprise_model::breaker::{Breaker, BreakerState, Breakers, PoolKey, PoolTrouble};

use super::*;
use crate::room::{Full, InstanceCounts, InstanceLimits, Room, room};

#[test]
fn a_claim_leaves_out_the_pools_whose_breakers_are_open() {
    let case = with_open(&[("c7a", "a")]);
    let claim = launched_for(&case);
    assert_eq!(claim.spec.capacity, Capacity::Spot);
    assert_eq!(claim.why, CapacityReason::FirstAttempt);
    assert!(claim.spec.left_out.holds("subnet-a", "c7a.large"));
    assert!(!claim.spec.left_out.holds("subnet-b", "c7a.large"));
    assert_eq!(claim.spec.instance_types, ["c7a.large", "m7a.large"]);
}

#[test]
fn a_job_goes_on_demand_at_once_while_the_breakers_of_all_its_pools_are_open() {
    let mut case = with_open(&[("c7a", "a"), ("c7a", "b")]);
    case.labels = labels("runs-on=1/family=c7a");
    let claim = launched_for(&case);
    assert_eq!(claim.spec.capacity, Capacity::OnDemand);
    assert_eq!(claim.why, CapacityReason::BreakerOpen);
    assert_eq!(claim.decided(), CapacityReason::FirstAttempt);
    assert!(!claim.spec.may_fall_back);
    assert!(
        claim.spec.left_out.is_empty(),
        "on-demand is asked everywhere"
    );
    case.labels = labels("runs-on=1/family=m7a");
    assert_eq!(launched_for(&case).spec.capacity, Capacity::Spot);
}

#[test]
fn a_job_that_is_on_demand_anyway_does_not_ask_for_breakers() {
    let mut case = with_open(&[("c7a", "a"), ("c7a", "b")]);
    case.labels = labels("runs-on=1/family=c7a/spot=false");
    let claim = launched_for(&case);
    assert_eq!(claim.why, CapacityReason::SpotOff);
    assert!(claim.spec.left_out.is_empty());
}

#[test]
fn what_a_claim_leaves_out_stays_as_it_was_when_it_is_asked_for_again() {
    let claim = launched_for(&with_open(&[("c7a", "a")]));
    let held = LaunchClaim {
        held_until: Some(at(30)),
        ..claim.clone()
    };
    let QueuedVerdict::Launch(again) = found(held, 600) else {
        panic!("it goes on");
    };
    assert_eq!(again.spec, claim.spec);
}

#[test]
fn waiting_for_room_uses_up_no_tries_and_never_ends() {
    let mut claim = answer(spot_claim(), unclear());
    let tries = claim.due.map(|due| due.tries);
    let full = InstanceCounts {
        stack: 1_000,
        ..InstanceCounts::default()
    };
    for waited in 1..200 {
        let room = room(&InstanceLimits::default(), &full, &claim, at(0), MIDDLE);
        let Room::Wait { due, .. } = room else {
            panic!("it is full");
        };
        claim = no_room(claim, due, at(0));
        assert_eq!(claim.waited, waited);
        assert_eq!(claim.state, ClaimState::Wanted);
        assert_eq!(claim.due.map(|due| due.tries), tries);
        assert!(claim.due.is_some_and(|due| due.at > at(0)));
    }
}

#[test]
fn a_due_job_whose_run_has_become_full_is_given_up_with_the_limit_in_words() {
    let refusal = MachineRefusal::RunIsFull {
        there: 256,
        most: 256,
    };
    let claim = turned_away(no_room(spot_claim(), at(5), at(0)), &refusal);
    assert_eq!(claim.due, None);
    let why = "the run has 256 instances, and limits.instances_per_run is 256".to_owned();
    assert_eq!(claim.state, ClaimState::GivenUp { why });
}

#[test]
fn a_job_that_ended_while_it_waited_for_room_gets_no_machine() {
    let fresh = spot_claim();
    assert!(!may_be_over(&fresh, at(0)), "its event has just come");
    let waited = no_room(fresh, at(5), at(0));
    assert!(may_be_over(&waited, at(5)));
    let queued = Queued::default().job;
    let elsewhere = Job {
        status: JobStatus::InProgress,
        ..queued.clone()
    };
    let ended = Job {
        status: JobStatus::Completed,
        ..queued.clone()
    };
    let other = Job {
        id: reprise_model::ids::JobId(99),
        ..ended.clone()
    };
    assert_eq!(outlived(&waited, &[queued, other]), None);
    for over in [ended, elsewhere] {
        let claim = outlived(&waited, &[over]).expect("it does not wait");
        assert_eq!((claim.due, &claim.end), (None, &None), "nobody is told");
        assert!(matches!(claim.state, ClaimState::GivenUp { .. }));
    }
}

#[test]
fn a_job_that_took_the_machine_of_one_like_it_has_its_own_launched_for_that_one() {
    let waited = no_room(spot_claim(), at(5), at(0));
    let robber = Job {
        status: JobStatus::Completed,
        runner_name: Some(reprise_model::ids::RunnerName::new(
            "reprise--i-0123456789abcdef0--00000001",
        )),
        ..Queued::default().job
    };
    let robbed = Job {
        id: reprise_model::ids::JobId(99),
        runner_name: None,
        ..Queued::default().job
    };
    assert_eq!(outlived(&waited, &[robber.clone(), robbed.clone()]), None);
    let other_labels = Job {
        labels: vec!["gpu".to_owned()],
        ..robbed.clone()
    };
    let never_ran = Job {
        runner_name: None,
        ..robber.clone()
    };
    for jobs in [[robber, other_labels], [never_ran, robbed]] {
        assert!(outlived(&waited, &jobs).is_some(), "{jobs:#?}");
    }
}

#[test]
fn github_is_asked_about_a_job_that_nothing_was_heard_of_for_long_or_that_was_tried_in_vain() {
    let mut case = Queued::default();
    case.job.created_at = Some(at(0));
    let late = |seconds: i64| {
        let QueuedVerdict::Launch(claim) = case.verdict_at(at(seconds)) else {
            panic!("it is launched");
        };
        may_be_over(&claim, at(seconds))
    };
    assert!(!late(0) && !late(120));
    assert!(late(121), "a message that came late");
    let claim = launched_for(&case);
    assert!(may_be_over(&answer(claim.clone(), unclear()), at(5)));
    let later = put_off(claim.clone(), at(200));
    assert!(!may_be_over(&later, at(60)) && may_be_over(&later, at(200)));
    let seen = seen_queued(claim.clone(), at(190));
    assert!(!may_be_over(&seen, at(200)), "it was seen to wait");
    let asked = share::alone(claim);
    assert_eq!(seen_queued(asked.clone(), at(190)), asked);
}

#[test]
fn a_job_that_waited_for_room_as_long_as_it_may_is_given_up_with_the_setting_in_words() {
    let hours = |hours: i64| at(hours * 3_600);
    let waits = no_room(spot_claim(), hours(1), hours(0));
    let waits = no_room(waits, hours(6), hours(5));
    assert_eq!(waits.state, ClaimState::Wanted);
    let over = no_room(waits.clone(), hours(7), hours(6));
    assert_eq!(over.due, None);
    let ClaimState::GivenUp { why } = &over.state else {
        panic!("it is given up");
    };
    assert_eq!(
        why,
        "it waited for 6h as there was no room, which is as long as limits.longest_wait allows: \
         as many instances as limits.instances allows are there"
    );
    let had_room = answer(waits, no_spot());
    let again = no_room(had_room, hours(7), hours(6));
    assert_eq!(again.state, ClaimState::Wanted, "it waits anew");
}

fn no_room(claim: LaunchClaim, until: Timestamp, now: Timestamp) -> LaunchClaim {
    without_room(claim, Full::Stack, until, now, &Rules::default())
}

fn launched_for(case: &Queued) -> LaunchClaim {
    match case.verdict() {
        QueuedVerdict::Launch(claim) => claim,
        QueuedVerdict::Ignore(_)
        | QueuedVerdict::Refuse(_)
        | QueuedVerdict::Read(_)
        | QueuedVerdict::Wait(_) => panic!("it is launched"),
    }
}

/// A case in which the breakers of these families in these zones are open.
fn with_open(open: &[(&str, &str)]) -> Queued {
    let region = here().region;
    let breaker = Breaker {
        state: BreakerState::Open { until: at(600) },
        why: PoolTrouble::Capacity,
        openings: 1,
    };
    let open = open.iter().map(|(family, zone)| {
        let pool = PoolKey::of(&region, &format!("eu-west-1{zone}"), family);
        (pool, breaker)
    });
    let zones = ["a", "b"].map(|zone| (format!("subnet-{zone}"), format!("eu-west-1{zone}")));
    let stored = Breakers {
        pools: open.collect(),
        zones: BTreeMap::from(zones),
    };
    let mut case = Queued::default();
    assert_eq!(case.pools.synced(&stored, at(0)), None);
    case
}
