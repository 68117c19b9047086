//! Instances are counted once, wherever they are known from.

use std::iter::once;

use reprise_model::ids::JobId;
use reprise_model::instance::Instance;
use reprise_model::ledger::ClaimKey;

use super::*;
use crate::samples::{at, claim, instance, repository, view};
use crate::share;

const LIMITS: InstanceLimits = InstanceLimits {
    stack: 100,
    repository: 60,
    run: 40,
};

#[test]
fn listed_instances_count_for_the_stack_their_repository_and_their_run() {
    let mut crowd = Crowd::default();
    let elsewhere = tagged(4, "acme/other", 1);
    let nobodys = InstanceView {
        tags: BTreeMap::new(),
        ..tagged(5, "acme/shop", 1)
    };
    let views = [
        tagged(1, "acme/shop", 1),
        tagged(2, "ACME/Shop", 1),
        tagged(3, "acme/shop", 2),
        elsewhere,
        nobodys,
    ];
    crowd.hears(&views, 0);
    assert_eq!(crowd.counts(&party(1)), counts(5, 3, 2));
    assert_eq!(crowd.counts(&party(9)), counts(5, 3, 0));
}

#[test]
fn what_is_ending_or_stopped_makes_room() {
    for state in [
        InstanceState::ShuttingDown,
        InstanceState::Terminated,
        InstanceState::Stopping,
        InstanceState::Stopped,
    ] {
        let mut crowd = Crowd::default();
        let view = InstanceView {
            state,
            ..tagged(1, "acme/shop", 1)
        };
        crowd.hears(&[view], 0);
        assert_eq!(crowd.counts(&party(1)), counts(0, 0, 0), "{state:?}");
    }
}

#[test]
fn a_launch_counts_from_its_beginning_and_no_more_once_it_brought_nothing() {
    let mut crowd = Crowd::default();
    let ticket = crowd.enter(party(1));
    assert_eq!(crowd.counts(&party(1)), counts(1, 1, 1));
    crowd.leave(ticket);
    assert_eq!(crowd.counts(&party(1)), counts(0, 0, 0));
}

#[test]
fn a_launched_instance_counts_once_before_and_after_ec2_lists_it() {
    let mut crowd = Crowd::default();
    let ticket = crowd.enter(party(1));
    crowd.launched(ticket, id(1), at(0));
    crowd.hears(&[], 10);
    assert_eq!(crowd.counts(&party(1)), counts(1, 1, 1), "not listed yet");
    crowd.hears(&[tagged(1, "acme/shop", 1)], 20);
    assert_eq!(crowd.counts(&party(1)), counts(1, 1, 1));
    crowd.hears(&[], 30);
    assert_eq!(crowd.counts(&party(1)), counts(0, 0, 0), "it has ended");
}

#[test]
fn an_instance_that_ec2_never_lists_is_forgotten_after_a_minute() {
    let mut crowd = Crowd::default();
    let ticket = crowd.enter(party(1));
    crowd.launched(ticket, id(1), at(0));
    crowd.hears(&[], 59);
    assert_eq!(crowd.counts(&party(1)).stack, 1);
    crowd.hears(&[], 60);
    assert_eq!(crowd.counts(&party(1)).stack, 0);
}

#[test]
fn a_launch_under_way_is_not_forgotten_however_long_it_takes() {
    let mut crowd = Crowd::default();
    crowd.enter(party(1));
    crowd.hears(&[], 600);
    assert_eq!(crowd.counts(&party(1)).stack, 1);
}

#[test]
fn a_list_with_much_room_serves_for_two_minutes_and_one_with_little_for_seconds() {
    let mut crowd = Crowd::default();
    assert!(!crowd.is_good(0), "nothing was listed");
    crowd.hears(&[], 0);
    assert!(crowd.is_good(119));
    assert!(!crowd.is_good(120));
    for _ in 0..9 {
        crowd.enter(party(1));
    }
    assert!(crowd.is_good(60));
    crowd.enter(party(1));
    assert!(!crowd.is_good(60), "a quarter of the run's 40 is used");
    assert!(crowd.is_good(5));
}

#[test]
fn all_regions_must_have_been_listed() {
    let mut crowd = Crowd::default();
    crowd.hears(&[], 0);
    let other = Region::new("us-east-1");
    let here = instance().region;
    let both = || [&here, &other].into_iter();
    assert!(!crowd.is_known(both(), &party(1), &LIMITS, at(1)));
    crowd.list(&other, [], &TagKeys::default(), at(0));
    assert!(crowd.is_known(both(), &party(1), &LIMITS, at(1)));
}

#[test]
fn a_claim_whose_request_brought_an_instance_that_is_listed_needs_no_room() {
    let mut crowd = Crowd::default();
    let claim = claim();
    assert!(!crowd.serves(&claim, at(0)));
    crowd.hears(&[of_request(1, &claim)], 0);
    assert!(crowd.serves(&claim, at(0)));
    let other = LaunchClaim {
        key: ClaimKey {
            job_id: JobId(2),
            ..claim.key.clone()
        },
        ..claim
    };
    assert!(!crowd.serves(&other, at(0)));
}

#[test]
fn a_claim_that_is_launched_for_again_needs_room_beside_its_last_instance() {
    let mut crowd = Crowd::default();
    let first = claim();
    crowd.hears(&[of_request(1, &first)], 0);
    for asked in [Asked::NotYet, Asked::Alone] {
        let again = LaunchClaim {
            generation: 1,
            asked,
            ..first.clone()
        };
        assert!(!crowd.serves(&again, at(0)), "{again:?}");
    }
    let never_asked = LaunchClaim {
        asked: Asked::NotYet,
        ..first
    };
    assert!(!crowd.serves(&never_asked, at(0)));
}

#[test]
fn who_was_left_out_of_a_shared_request_needs_room_for_the_next_one_and_none_for_a_repeat() {
    let mut crowd = Crowd::default();
    let leader = share::leading(claim(), vec![JobId(2)]);
    let led = share::Led::by(&leader).expect("it leads");
    let follower = share::following(claim(), &led, 1);
    crowd.hears(&[of_request(1, &leader)], 0);
    for repeated in [&leader, &follower] {
        assert!(crowd.serves(repeated, at(0)), "EC2 repeats its answer");
    }
    assert!(!crowd.serves(&share::never_asked(leader), at(0)));
}

#[test]
fn the_on_demand_instance_of_a_claim_that_still_says_spot_is_its_own() {
    let mut crowd = Crowd::default();
    let spot = claim();
    let on_demand = launch::after_spot(&spot, at(0)).expect("it may fall back");
    crowd.hears(&[of_request(1, &on_demand)], 0);
    assert!(crowd.serves(&spot, at(0)));
}

#[test]
fn an_instance_that_is_gone_before_any_list_showed_it_counts_no_more() {
    let mut crowd = Crowd::default();
    let ticket = crowd.enter(party(1));
    crowd.launched(ticket, id(1), at(0));
    crowd.ended(&id(2));
    assert_eq!(crowd.counts(&party(1)), counts(1, 1, 1));
    crowd.ended(&id(1));
    assert_eq!(crowd.counts(&party(1)), counts(0, 0, 0));
}

impl Crowd {
    fn hears(&mut self, views: &[InstanceView], seconds: i64) {
        let views = views.iter().cloned();
        self.list(&instance().region, views, &TagKeys::default(), at(seconds));
    }

    fn is_good(&self, seconds: i64) -> bool {
        self.is_known(once(&instance().region), &party(1), &LIMITS, at(seconds))
    }
}

fn party(run: u64) -> Party {
    Party::new(&repository(), RunId(run))
}

fn counts(stack: u32, repository: u32, run: u32) -> InstanceCounts {
    InstanceCounts {
        stack,
        repository,
        run,
    }
}

fn id(number: u8) -> InstanceId {
    let id = format!("i-0123456789abcde{number:02x}");
    id.parse().expect("an id")
}

/// An instance that was launched for job 1.
fn tagged(number: u8, repository: &str, run: u64) -> InstanceView {
    let keys = TagKeys::default();
    InstanceView {
        instance: Instance {
            id: id(number),
            ..instance()
        },
        tags: BTreeMap::from([
            (keys.repository(), repository.to_owned()),
            (keys.run(), run.to_string()),
            (keys.launch(), "1".to_owned()),
        ]),
        ..view()
    }
}

/// An instance that the request of a claim brought.
fn of_request(number: u8, claim: &LaunchClaim) -> InstanceView {
    let mut view = tagged(number, "acme/shop", 1);
    view.tags
        .insert(TagKeys::default().request(), claim.request());
    view
}
