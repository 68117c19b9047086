use reprise_model::instance::Capacity;

use super::*;
use crate::samples::claim;

fn fresh(job: u64) -> LaunchClaim {
    let mut claim = claim();
    claim.key.job_id = JobId(job);
    claim.asked = Asked::NotYet;
    claim
}

fn party() -> [LaunchClaim; 3] {
    let first = leading(fresh(1), vec![JobId(2), JobId(3)]);
    let led = Led::by(&first).expect("it leads");
    let crew = [(2, 1), (3, 2)].map(|(job, place)| following(fresh(job), &led, place));
    let [second, third] = crew;
    [first, second, third]
}

#[test]
fn those_who_share_a_request_ask_for_the_same_and_each_has_a_place_of_its_own() {
    let party = party();
    let [first, ..] = &party;
    for (place, one) in (0..).zip(&party) {
        assert_eq!(one.client_token(), first.client_token());
        assert_eq!((one.leader(), one.count()), (JobId(1), 3));
        assert_eq!(one.place(), place);
        assert!(names(one, first.share().expect("it shares")));
    }
}

#[test]
fn a_shared_request_is_no_other_one_of_its_leader_or_its_crew() {
    let [first, second, _] = party();
    for one in [
        alone(fresh(1)),
        alone(fresh(2)),
        leading(fresh(1), vec![JobId(2)]),
    ] {
        assert_ne!(one.client_token(), first.client_token());
    }
    let later = leading(never_asked(first.clone()), vec![JobId(2), JobId(3)]);
    assert_ne!(later.client_token(), first.client_token());
    assert!(!names(&second, later.share().expect("it shares")));
}

#[test]
fn the_longest_token_of_a_shared_request_is_not_too_long_for_ec2() {
    let mut longest = fresh(u64::MAX);
    longest.generation = u32::MAX;
    longest.spec.capacity = Capacity::OnDemand;
    let crew = (2..=MOST as u64).map(JobId).collect();
    let token = leading(longest, crew).client_token();
    assert!(token.len() <= 64, "{token}");
}

#[test]
fn whoever_asks_for_something_else_shares_nothing() {
    let one = alike(&fresh(1), true);
    assert_eq!(one, alike(&fresh(2), true));
    let changes: [fn(&mut LaunchClaim); 5] = [
        |claim| claim.run_id = RunId(1),
        |claim| claim.attempt = RunAttempt::FIRST.next(),
        |claim| claim.key.repository = "acme/other".parse().expect("valid"),
        |claim| claim.spec.capacity = Capacity::OnDemand,
        |claim| claim.runner_labels.push("x".to_owned()),
    ];
    for change in changes {
        let mut other = fresh(2);
        change(&mut other);
        assert_ne!(one, alike(&other, true));
    }
    let mut labelled = fresh(2);
    labelled.runner_labels.push("x".to_owned());
    assert_eq!(alike(&fresh(1), false), alike(&labelled, false));
}

#[test]
fn only_a_leader_asks_its_crew_before_it_repeats_its_request() {
    let [first, second, _] = party();
    assert_eq!(to_be_asked(&first), [JobId(2), JobId(3)]);
    assert_eq!(to_be_asked(&second), []);
    assert_eq!(to_be_asked(&alone(fresh(1))), []);
}

#[test]
fn whom_the_first_answer_left_out_shares_the_next_request_in_the_same_order() {
    let [first, second, third] = party().map(|one| left_over(one.asked, 1));
    let place = |asked: &Asked| match asked {
        Asked::Together(share) => (share.place, share.of),
        Asked::Alone | Asked::NotYet => panic!("it shares"),
    };
    assert_eq!(place(&second), (0, 2));
    assert_eq!(place(&third), (1, 2));
    assert_eq!(place(&first).1, 2, "served, it asks no more");
    assert_eq!(left_over(Asked::Alone, 0), Asked::Alone);
}
