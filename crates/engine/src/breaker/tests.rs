//! Breakers open and close, row by row.

use std::collections::BTreeMap;

use proptest::prelude::*;
use reprise_model::instance::Instance;
use reprise_model::launch::{LaunchFault, Launched, SpotStrategy};

use super::*;
use crate::samples::{at, instance, secs, view};

const RULES: BreakerRules = BreakerRules {
    failures: 3,
    within: SignedDuration::from_mins(10),
    open_for: SignedDuration::from_mins(10),
    open_for_at_most: SignedDuration::from_hours(1),
    most_open: 50,
};

#[test]
fn three_shortages_in_ten_minutes_open_a_pool_and_no_other() {
    let mut pools = seen();
    assert_eq!(pools.short("c7a", "a", 0), []);
    assert_eq!(pools.short("c7a", "a", 60), []);
    assert_eq!(
        pools.short("c7a", "a", 120),
        [opened("c7a", "a", PoolTrouble::Capacity, 720)]
    );
    assert_eq!(pools.standing(&pool("c7a", "a"), at(719)), Standing::Open);
    for (family, zone) in [("c7a", "b"), ("c7i", "a"), ("c7i", "b")] {
        let standing = pools.standing(&pool(family, zone), at(719));
        assert_eq!(standing, Standing::Closed, "{family} {zone}");
    }
}

#[test]
fn shortages_that_are_far_apart_open_nothing() {
    let mut pools = seen();
    for seconds in [0, 300, 600, 900, 1_200] {
        assert_eq!(pools.short("c7a", "a", seconds), [], "{seconds}");
    }
}

#[test]
fn an_instance_from_the_pool_makes_its_shortages_be_forgotten() {
    let mut pools = seen();
    for seconds in [0, 1] {
        assert_eq!(pools.short("c7a", "a", seconds), []);
    }
    assert_eq!(pools.launched("c7a", "a", 2), []);
    for seconds in [3, 4] {
        assert_eq!(pools.short("c7a", "a", seconds), []);
    }
}

#[test]
fn many_types_of_a_family_that_are_short_in_one_answer_count_once() {
    let mut pools = seen();
    let short = answer(
        &[],
        &[
            ("c7a.large", "a"),
            ("c7a.xlarge", "a"),
            ("c7a.2xlarge", "a"),
        ],
    );
    for seconds in [0, 1] {
        assert_eq!(pools.hears(&short, seconds), []);
    }
    assert_eq!(pools.hears(&short, 2).len(), 1);
}

#[test]
fn an_instance_of_another_size_speaks_for_the_family() {
    let mut pools = seen();
    let both = answer(&[("c7a.xlarge", "a")], &[("c7a.large", "a")]);
    for seconds in 0..5 {
        assert_eq!(pools.hears(&both, seconds), []);
    }
}

#[test]
fn what_is_no_shortage_never_counts() {
    for fault in LaunchFault::ALL {
        let mut pools = seen();
        let mut answer = answer(&[], &[("c7a.large", "a")]);
        answer.shortfall[0].fault = fault;
        let turns: Vec<Turn> = (0..10).flat_map(|at| pools.hears(&answer, at)).collect();
        assert_eq!(turns.is_empty(), !fault.is_shortage(), "{fault:?}");
    }
}

#[test]
fn on_demand_pools_have_no_breaker() {
    let mut pools = seen();
    let mut short = answer(&[], &[("c7a.large", "a")]);
    short.shortfall[0].capacity = Capacity::OnDemand;
    let spec = LaunchSpec {
        capacity: Capacity::OnDemand,
        ..spec()
    };
    for seconds in 0..5 {
        assert_eq!(pools.answered(&spec, &short, &RULES, at(seconds)), []);
    }
}

#[test]
fn a_request_leaves_out_an_open_pool_in_its_zone_alone() {
    let mut pools = seen();
    pools.opened("c7a", "a", 0);
    let left_out = pools.left(10);
    assert!(left_out.holds("subnet-a", "c7a.xlarge"));
    assert!(!left_out.holds("subnet-b", "c7a.xlarge"));
    assert!(!left_out.holds("subnet-a", "c7i.large"));
}

#[test]
fn a_subnet_whose_zone_nobody_told_is_asked() {
    let mut pools = seen();
    pools.opened("c7a", "a", 0);
    let subnets = ["subnet-private".to_owned()];
    let types = spec().instance_types;
    let left_out = pools.left_out(&region(), &types, &subnets, at(10));
    assert!(left_out.is_empty());
}

#[test]
fn one_launch_tries_a_half_open_pool_and_the_others_wait_for_what_comes_of_it() {
    let mut pools = seen();
    pools.opened("c7a", "a", 0);
    assert!(!pools.left(599).is_empty());
    assert!(pools.left(600).is_empty(), "it is half-open");
    pools.asked(&spec(), at(600));
    assert!(pools.left(601).holds("subnet-a", "c7a.large"));
    assert!(pools.left(720).is_empty(), "nothing was heard of it");
    assert_eq!(
        pools.standing(&pool("c7a", "a"), at(720)),
        Standing::HalfOpen
    );
}

#[test]
fn a_half_open_pool_closes_with_an_instance_or_where_ec2_names_no_want() {
    for heard in [
        answer(&[("c7a.large", "a")], &[]),
        answer(&[("c7i.large", "b")], &[]),
    ] {
        let mut pools = seen();
        pools.opened("c7a", "a", 0);
        let turn = Turn {
            pool: pool("c7a", "a"),
            turned: Turned::Closed,
        };
        assert_eq!(pools.hears(&heard, 610), [turn]);
        assert!(pools.left(611).is_empty());
    }
}

#[test]
fn a_request_that_left_the_pool_out_says_nothing_of_it() {
    let mut pools = seen();
    pools.opened("c7a", "a", 0);
    let spec = LaunchSpec {
        left_out: pools.left(10),
        ..spec()
    };
    let elsewhere = answer(&[("c7i.large", "b")], &[]);
    assert_eq!(pools.answered(&spec, &elsewhere, &RULES, at(610)), []);
}

#[test]
fn a_half_open_pool_that_fails_opens_for_twice_as_long_and_at_most_an_hour() {
    let mut pools = seen();
    pools.opened("c7a", "a", 0);
    let mut now = 0;
    for minutes in [10, 20, 40, 60, 60, 60] {
        let breaker = pools.shared.pools[&pool("c7a", "a")];
        assert_eq!(
            breaker.state.at(),
            at(now) + SignedDuration::from_mins(minutes)
        );
        now += minutes * 60;
        assert_eq!(pools.short("c7a", "a", now).len(), 1, "a single failure");
    }
}

#[test]
fn a_pool_that_fails_soon_after_it_closed_opens_at_once_and_for_longer() {
    let mut pools = seen();
    pools.opened("c7a", "a", 0);
    pools.launched("c7a", "a", 600);
    assert_eq!(
        pools.short("c7a", "a", 1_199),
        [opened("c7a", "a", PoolTrouble::Capacity, 1_199 + 1_200)]
    );
    let mut later = seen();
    later.opened("c7a", "a", 0);
    later.launched("c7a", "a", 600);
    assert_eq!(later.short("c7a", "a", 1_200), [], "it begins anew");
}

#[test]
fn three_instances_that_ec2_takes_back_open_their_pool() {
    let mut pools = seen();
    for number in [1, 2] {
        assert_eq!(
            pools.taken_back(number, EvidenceSource::StateReason, 0),
            None
        );
    }
    assert_eq!(
        pools.taken_back(3, EvidenceSource::InterruptionWarning, 0),
        Some(opened("c7a", "a", PoolTrouble::Interruptions, 600))
    );
}

#[test]
fn one_instance_counts_once_however_often_it_is_seen() {
    let mut pools = seen();
    for _ in 0..10 {
        let turn = pools.taken_back(1, EvidenceSource::StateReason, 0);
        assert_eq!(turn, None);
    }
}

#[test]
fn a_tag_alone_opens_nothing_because_a_job_can_set_it() {
    let mut pools = seen();
    for number in 0..10 {
        assert_eq!(pools.taken_back(number, EvidenceSource::Tag, 0), None);
    }
}

#[test]
fn what_was_taken_back_before_the_pool_was_tried_again_does_not_open_it_again() {
    let mut pools = seen();
    pools.opened("c7a", "a", 0);
    let view = taken(1);
    let seen_before = [evidence(EvidenceSource::StateReason, 599)];
    assert_eq!(
        pools.interrupted(&view, &seen_before, &RULES, at(610)),
        None
    );
    let seen_after = [evidence(EvidenceSource::StateReason, 605)];
    let turn = pools.interrupted(&view, &seen_after, &RULES, at(610));
    assert_eq!(
        turn,
        Some(opened("c7a", "a", PoolTrouble::Interruptions, 610 + 1_200))
    );
}

#[test]
fn what_ec2_took_back_long_ago_says_nothing_after_a_restart() {
    let mut pools = seen();
    for number in 0..10 {
        let old = [evidence(EvidenceSource::StateReason, 0)];
        let turn = pools.interrupted(&taken(number), &old, &RULES, at(600));
        assert_eq!(turn, None);
    }
}

#[test]
fn the_stack_stays_on_spot_in_half_of_its_pools() {
    let mut pools = seen();
    let everywhere = [
        ("c7a.large", "a"),
        ("c7a.large", "b"),
        ("c7i.large", "a"),
        ("c7i.large", "b"),
    ];
    let short = answer(&[], &everywhere);
    let turns: Vec<Turn> = (0..3).flat_map(|at| pools.hears(&short, at)).collect();
    let count = |word: &str| {
        let turned = turns.iter().filter(|turn| turn.turned.as_str() == word);
        turned.count()
    };
    assert_eq!((count("breaker-opened"), count("breaker-held")), (2, 2));
    assert_eq!(pools.all(at(10)).count(), 2);
}

#[test]
fn a_stack_of_a_single_pool_may_leave_it() {
    let mut pools = Pools::default();
    let one = LaunchSpec {
        instance_types: vec!["c7a.large".to_owned()],
        subnets: vec!["subnet-a".to_owned()],
        ..spec()
    };
    let short = answer(&[], &[("c7a.large", "a")]);
    let turns: Vec<Turn> = (0..3)
        .flat_map(|now| pools.answered(&one, &short, &RULES, at(now)))
        .collect();
    assert_eq!(turns.len(), 1);
    let left_out = pools.left_out(&region(), &one.instance_types, &one.subnets, at(10));
    assert!(is_all_left_out(
        &left_out,
        &one.instance_types,
        &one.subnets
    ));
}

#[test]
fn another_replica_leaves_out_what_this_one_has_stored() {
    let mut one = seen();
    one.opened("c7a", "a", 0);
    let stored = one.synced(&Breakers::default(), at(1)).expect("is news");
    assert_eq!(one.synced(&stored, at(2)), None, "it is stored");

    let mut other = Pools::default();
    assert_eq!(other.synced(&stored, at(3)), None, "it has nothing to add");
    assert!(other.left(10).holds("subnet-a", "c7a.large"), "zones too");
}

#[test]
fn a_quiet_fleet_has_nothing_to_store() {
    let mut pools = seen();
    pools.short("c7a", "a", 0);
    pools.launched("c7a", "b", 0);
    assert_eq!(pools.synced(&Breakers::default(), at(1)), None);
}

#[test]
fn what_this_replica_closed_is_closed_for_one_that_has_it_open() {
    let mut one = seen();
    one.opened("c7a", "a", 0);
    let stored = one.synced(&Breakers::default(), at(1)).expect("is news");
    one.launched("c7a", "a", 600);
    let closed = one.synced(&stored, at(601)).expect("is news");
    let mut other = Pools::default();
    assert_eq!(other.synced(&stored, at(3)), None);
    assert_eq!(other.synced(&closed, at(602)), None);
    let standing = other.standing(&pool("c7a", "a"), at(602));
    assert_eq!(standing, Standing::Closed);
}

proptest! {
    #[test]
    fn whatever_happens_half_of_the_pools_are_asked(
        events in prop::collection::vec((0..4_usize, 0..3_usize, 0..2_i64), 0..200),
    ) {
        const PLACES: [(&str, &str); 4] = [("c7a", "a"), ("c7a", "b"), ("c7i", "a"), ("c7i", "b")];
        let mut pools = seen();
        let mut now = 0;
        for (place, what, minutes) in events {
            now += minutes * 60 + 1;
            let (family, zone) = PLACES[place];
            match what {
                0 => drop(pools.short(family, zone, now)),
                1 => drop(pools.launched(family, zone, now)),
                _ => pools.asked(&spec(), at(now)),
            }
            let open = pools.all(at(now)).filter(|(_, standing)| *standing == Standing::Open);
            prop_assert!(open.count() <= 2);
            let left_out = pools.left(now);
            let (types, subnets) = (spec().instance_types, spec().subnets);
            prop_assert!(!is_all_left_out(&left_out, &types, &subnets));
        }
    }
}

impl Pools {
    fn hears(&mut self, answer: &FleetAnswer, seconds: i64) -> Vec<Turn> {
        self.answered(&spec(), answer, &RULES, at(seconds))
    }

    fn short(&mut self, family: &str, zone: &str, seconds: i64) -> Vec<Turn> {
        self.hears(&answer(&[], &[(&format!("{family}.large"), zone)]), seconds)
    }

    fn launched(&mut self, family: &str, zone: &str, seconds: i64) -> Vec<Turn> {
        self.hears(&answer(&[(&format!("{family}.large"), zone)], &[]), seconds)
    }

    fn opened(&mut self, family: &str, zone: &str, seconds: i64) {
        let turns = (0..3).flat_map(|_| self.short(family, zone, seconds));
        assert_eq!(turns.count(), 1);
    }

    fn left(&self, seconds: i64) -> LeftOut {
        let spec = spec();
        self.left_out(
            &spec.region,
            &spec.instance_types,
            &spec.subnets,
            at(seconds),
        )
    }

    fn taken_back(&mut self, number: u8, source: EvidenceSource, seconds: i64) -> Option<Turn> {
        let evidence = [evidence(source, seconds)];
        self.interrupted(&taken(number), &evidence, &RULES, at(seconds))
    }
}

/// Four pools, of which each gave an instance.
fn seen() -> Pools {
    let mut pools = Pools::default();
    for (family, zone) in [("c7a", "a"), ("c7a", "b"), ("c7i", "a"), ("c7i", "b")] {
        assert_eq!(pools.launched(family, zone, -1), []);
    }
    pools
}

fn region() -> Region {
    instance().region
}

fn pool(family: &str, zone: &str) -> PoolKey {
    PoolKey::of(&region(), &format!("eu-west-1{zone}"), family)
}

fn opened(family: &str, zone: &str, why: PoolTrouble, until: i64) -> Turn {
    Turn {
        pool: pool(family, zone),
        turned: Turned::Opened {
            why,
            until: at(0) + secs(until),
        },
    }
}

fn spec() -> LaunchSpec {
    let types = ["c7a.large", "c7a.xlarge", "c7i.large"];
    LaunchSpec {
        region: region(),
        capacity: Capacity::Spot,
        may_fall_back: true,
        instance_types: types.map(str::to_owned).to_vec(),
        image: None,
        subnets: ["subnet-a", "subnet-b"].map(str::to_owned).to_vec(),
        left_out: LeftOut::default(),
        strategy: SpotStrategy::default(),
        volume: None,
        tags: BTreeMap::new(),
    }
}

fn answer(launched: &[(&str, &str)], short: &[(&str, &str)]) -> FleetAnswer {
    let launched = launched.iter().map(|(kind, zone)| Launched {
        instance: instance().id,
        capacity: Capacity::Spot,
        instance_type: Some((*kind).to_owned()),
        zone: Some(format!("eu-west-1{zone}")),
        subnet: Some(format!("subnet-{zone}")),
    });
    let short = short.iter().map(|(kind, zone)| Shortage {
        capacity: Capacity::Spot,
        instance_type: Some((*kind).to_owned()),
        zone: Some(format!("eu-west-1{zone}")),
        subnet: Some(format!("subnet-{zone}")),
        fault: LaunchFault::Capacity,
        code: Some("InsufficientInstanceCapacity".to_owned()),
        detail: "none left".to_owned(),
    });
    FleetAnswer {
        fleet: None,
        launched: launched.collect(),
        shortfall: short.collect(),
    }
}

/// An instance of `c7a` in the first zone.
fn taken(number: u8) -> InstanceView {
    let id = format!("i-0123456789abcde{number:02x}");
    InstanceView {
        instance: Instance {
            id: id.parse().expect("an id"),
            ..instance()
        },
        ..view()
    }
}

fn evidence(source: EvidenceSource, seconds: i64) -> Evidence {
    Evidence {
        source,
        first_seen_at: at(seconds),
    }
}
