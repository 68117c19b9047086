use reprise_model::ids::JobId;
use reprise_model::instance::Capacity;
use reprise_model::launch::{Asked, Shortage};

use super::*;
use crate::samples::claim;
use crate::share::{Led, following, leading};

const IDS: [&str; 2] = ["i-0123456789abcdef0", "i-0123456789abcdef1"];

fn for_alone(outcome: FleetOutcome) -> LaunchAnswer {
    for_place(&outcome, 0)
}

fn launched(id: &str) -> Launched {
    Launched {
        instance: id.parse().expect("an instance id"),
        capacity: Capacity::OnDemand,
        instance_type: None,
        zone: None,
        subnet: None,
    }
}

fn gets(id: &str) -> LaunchAnswer {
    let Launched {
        instance, capacity, ..
    } = launched(id);
    LaunchAnswer::Launched { instance, capacity }
}

fn short(fault: LaunchFault, code: &str) -> Shortage {
    Shortage {
        capacity: Capacity::Spot,
        instance_type: Some("c7a.large".to_owned()),
        zone: Some("eu-west-1a".to_owned()),
        subnet: Some("subnet-a".to_owned()),
        fault,
        code: Some(code.to_owned()),
        detail: format!("{code}: words"),
    }
}

fn none(shortfall: &[(LaunchFault, &str)]) -> LaunchAnswer {
    let shortfall = shortfall.iter().map(|(fault, code)| short(*fault, code));
    for_alone(Ok(FleetAnswer {
        fleet: Some("fleet-1".to_owned()),
        launched: Vec::new(),
        shortfall: shortfall.collect(),
    }))
}

fn failed(fault: LaunchFault) -> LaunchAnswer {
    for_alone(Err(FleetFailure {
        fault,
        code: Some("Code".to_owned()),
        detail: "Code: words".to_owned(),
    }))
}

fn codes(codes: &[&str]) -> LaunchAnswer {
    LaunchAnswer::NoCapacity {
        codes: codes.iter().map(|code| (*code).to_owned()).collect(),
        served: 0,
    }
}

fn refused(fault: LaunchFault, message: &str) -> LaunchAnswer {
    LaunchAnswer::Refused {
        fault,
        message: message.to_owned(),
        served: 0,
    }
}

const SHORT: (LaunchFault, &str) = (LaunchFault::Capacity, "InsufficientInstanceCapacity");
const UNUSABLE: (LaunchFault, &str) = (LaunchFault::Unusable, "Unsupported");

#[test]
fn of_several_faults_the_one_that_other_capacity_does_not_help_against_is_told() {
    let quota = (LaunchFault::Quota, "MaxSpotInstanceCountExceeded");
    let denied = (LaunchFault::Authorisation, "UnauthorizedOperation");
    let fault = |faults: &[(LaunchFault, &str)]| match none(faults) {
        LaunchAnswer::Refused { fault, .. } => Some(fault),
        LaunchAnswer::Launched { .. }
        | LaunchAnswer::NoCapacity { .. }
        | LaunchAnswer::Throttled
        | LaunchAnswer::TooLate { .. }
        | LaunchAnswer::Unclear { .. } => None,
    };
    assert_eq!(fault(&[quota, SHORT]), Some(LaunchFault::Quota));
    assert_eq!(fault(&[quota, denied]), Some(LaunchFault::Authorisation));
}

#[test]
fn an_instance_counts_whatever_stands_beside_it() {
    let answer = FleetAnswer {
        fleet: None,
        launched: vec![launched(IDS[0])],
        shortfall: vec![short(LaunchFault::Quota, "VcpuLimitExceeded")],
    };
    assert_eq!(for_alone(Ok(answer)), gets(IDS[0]));
}

#[test]
fn each_place_gets_the_same_instance_in_whatever_order_ec2_tells_them() {
    let told = |ids: [&str; 2]| {
        Ok(FleetAnswer {
            launched: ids.map(launched).to_vec(),
            ..FleetAnswer::default()
        })
    };
    let [one, other] = IDS;
    for outcome in [told([one, other]), told([other, one])] {
        assert_eq!(for_place(&outcome, 0), gets(one));
        assert_eq!(for_place(&outcome, 1), gets(other));
    }
}

#[test]
fn a_place_that_a_partial_answer_leaves_out_hears_why() {
    let outcome = Ok(FleetAnswer {
        fleet: None,
        launched: vec![launched(IDS[0])],
        shortfall: vec![short(SHORT.0, SHORT.1)],
    });
    assert_eq!(for_place(&outcome, 0), gets(IDS[0]));
    let hears = LaunchAnswer::NoCapacity {
        codes: vec![SHORT.1.to_owned()],
        served: 1,
    };
    assert_eq!(for_place(&outcome, 1), hears);
}

#[test]
fn a_shortage_in_every_pool_is_no_capacity_and_each_code_is_told_once() {
    let other = (LaunchFault::Capacity, "UnfulfillableCapacity");
    assert_eq!(none(&[other, SHORT, SHORT]), codes(&[SHORT.1, other.1]));
}

#[test]
fn pools_that_cannot_serve_do_not_hide_a_shortage_and_alone_are_for_the_operator() {
    assert_eq!(none(&[UNUSABLE, SHORT]), codes(&[SHORT.1, UNUSABLE.1]));
    assert_eq!(
        none(&[UNUSABLE]),
        refused(LaunchFault::Unusable, "Unsupported: words")
    );
}

#[test]
fn what_needs_an_operator_is_no_shortage_even_beside_one() {
    for fault in LaunchFault::ALL
        .into_iter()
        .filter(|fault| fault.needs_operator())
    {
        assert!(!fault.is_shortage(), "{fault:?} would open a breaker");
        assert_eq!(
            none(&[(fault, "Zzz"), SHORT]),
            refused(fault, "InsufficientInstanceCapacity: words; Zzz: words")
        );
        assert_eq!(failed(fault), refused(fault, "Code: words"));
    }
}

#[test]
fn a_passing_fault_of_a_pool_means_later_and_one_of_the_call_keeps_its_token() {
    for fault in LaunchFault::ALL
        .into_iter()
        .filter(|fault| fault.is_passing())
    {
        assert_eq!(none(&[(fault, "Slow"), SHORT]), LaunchAnswer::Throttled);
        let message = "Code: words".to_owned();
        assert_eq!(failed(fault), LaunchAnswer::Unclear { message });
    }
}

#[test]
fn a_whole_call_without_capacity_is_no_capacity() {
    assert_eq!(failed(LaunchFault::Capacity), codes(&["Code"]));
}

#[test]
fn a_fleet_with_neither_an_instance_nor_an_error_is_refused_by_name() {
    let words = "EC2 made fleet fleet-1 with neither an instance nor an error";
    assert_eq!(none(&[]), refused(LaunchFault::Unusable, words));
}

#[test]
fn an_instance_is_the_one_claims_that_has_it_and_nobodys_once_all_are_answered() {
    let first = leading(claim(), vec![JobId(2)]);
    let led = Led::by(&first).expect("it leads");
    let second = |state: ClaimState| {
        let mut claim = claim();
        claim.key.job_id = JobId(2);
        claim.state = state;
        following(claim, &led, 1)
    };
    let has = |id: &str| ClaimState::Launched {
        instance: id.parse().expect("an instance id"),
        capacity: Capacity::Spot,
    };
    let id: InstanceId = IDS[1].parse().expect("an instance id");
    let served = [second(has(IDS[1]))];
    assert_eq!(holder(&first, &served, &id), Holder::Claim(&served[0]));
    let waits = [second(ClaimState::Wanted)];
    assert_eq!(holder(&first, &waits, &id), Holder::Unknown);
    let given_up = [second(ClaimState::GivenUp { why: String::new() })];
    assert_eq!(holder(&first, &given_up, &id), Holder::Nobody);
    let mut elsewhere = second(ClaimState::Wanted);
    elsewhere.asked = Asked::NotYet;
    assert_eq!(holder(&first, &[elsewhere], &id), Holder::Nobody);
    let unanswered = LaunchClaim {
        state: ClaimState::Wanted,
        ..first
    };
    assert_eq!(holder(&unanswered, &given_up, &id), Holder::Unknown);
}
