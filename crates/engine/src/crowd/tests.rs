//! Instances are counted once, wherever they are known from.

use std::iter::once;

use reprise_model::ids::JobId;
use reprise_model::instance::Instance;
use reprise_model::ledger::ClaimKey;

use super::*;
use crate::samples::{at, claim, instance, repository, view};

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
    crowd.list(&other, &[], &TagKeys::default(), at(0));
    assert!(crowd.is_known(both(), &party(1), &LIMITS, at(1)));
}

#[test]
fn a_claim_whose_instance_is_listed_needs_no_room() {
    let mut crowd = Crowd::default();
    let claim = claim();
    assert!(!crowd.serves(&claim));
    crowd.hears(&[tagged(1, "acme/shop", 1)], 0);
    assert!(crowd.serves(&claim));
    let other = LaunchClaim {
        key: ClaimKey {
            job_id: JobId(2),
            ..claim.key.clone()
        },
        ..claim
    };
    assert!(!crowd.serves(&other));
}

impl Crowd {
    fn hears(&mut self, views: &[InstanceView], seconds: i64) {
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
