use reprise_model::labels::parse;

use super::*;
use crate::samples::catalogue;

#[test]
fn labels_that_ask_for_nothing_get_the_usual_types_with_two_vcpus_the_smaller_first() {
    assert_eq!(
        chosen(""),
        ["c7a.large", "c7i.large", "m7a.large", "r7a.large"]
    );
}

#[test]
fn a_family_narrows_the_choice_and_keeps_the_default_of_two_vcpus() {
    assert_eq!(chosen("/family=c7a"), ["c7a.large"]);
    assert_eq!(chosen("/family=c7"), ["c7a.large", "c7i.large"]);
    assert_eq!(chosen("/family=c7a.*"), ["c7a.large"]);
}

#[test]
fn the_labels_order_of_families_goes_before_size_and_name() {
    assert_eq!(
        chosen("/family=r7a+c7i+m7a"),
        ["r7a.large", "c7i.large", "m7a.large"]
    );
}

#[test]
fn the_configured_order_goes_before_size_and_name() {
    let types = configured(&[
        ("m7a.large", 2, 8),
        ("c7a.large", 2, 4),
        ("c7a.xlarge", 4, 8),
    ]);
    for catalogue in [None, Some(catalogue())] {
        let there = Types::known(&types, catalogue.as_deref()).expect("known");
        let choose = |labels: &str| choose_from(labels, &there, &Limits::default());
        assert_eq!(choose("").expect("some"), ["m7a.large", "c7a.large"]);
        assert_eq!(
            choose("/family=c7a+m7a").expect("some"),
            ["c7a.large", "m7a.large"]
        );
    }
}

#[test]
fn an_exact_type_needs_no_cpu_label() {
    assert_eq!(chosen("/family=c7a.4xlarge"), ["c7a.4xlarge"]);
    assert_eq!(
        chosen("/family=c7a.4xlarge+m7a"),
        ["c7a.4xlarge", "m7a.large"]
    );
}

#[test]
fn numbers_are_ranges_with_both_ends() {
    assert_eq!(chosen("/cpu=4"), ["c7a.xlarge"]);
    assert_eq!(chosen("/cpu=4+16"), ["c7a.xlarge", "c7a.4xlarge"]);
    assert_eq!(chosen("/ram=8"), ["m7a.large"]);
    assert_eq!(
        chosen("/cpu=2+16/ram=8+32"),
        ["m7a.large", "r7a.large", "c7a.xlarge", "c7a.4xlarge"]
    );
}

#[test]
fn peculiar_types_come_only_when_they_are_meant() {
    assert_eq!(chosen("/family=t3"), ["t3.large"], "and no t3a");
    assert_eq!(chosen("/family=t3a.*"), ["t3a.large"]);
    assert_eq!(chosen("/family=c3/ram=3"), ["c3.large"]);
    for pattern in ["*", "t", "t*"] {
        let chosen = try_choose(&format!("/family={pattern}/ram=1+64"), &everything());
        let none = |names: Vec<String>| !names.iter().any(|name| name.starts_with('t'));
        assert!(chosen.map_or(true, none), "{pattern}");
    }
}

#[test]
fn whole_hosts_and_accelerators_come_only_when_an_operator_allows_them_too() {
    let exact = "/family=c7i.metal-24xl";
    assert_eq!(
        refused("/family=g5/cpu=4", &Limits::default()),
        ["family=g5 is not allowed by limits.families; \
          to be had: every family without accelerators"]
    );
    assert!(try_choose(exact, &Limits::default()).is_err());
    assert_eq!(
        try_choose("/family=g5/cpu=4", &everything()).expect("one"),
        ["g5.xlarge"]
    );
    assert_eq!(
        try_choose(exact, &everything()).expect("one"),
        ["c7i.metal-24xl"]
    );
    assert_eq!(
        try_choose("/family=c7i/cpu=96", &everything()).map_err(|_| ()),
        Err(()),
        "a family means no whole hosts"
    );
}

#[test]
fn the_limit_of_families_holds_where_a_label_names_none() {
    let limits = Limits {
        families: vec![family("m7a"), family("g5")],
        ..Limits::default()
    };
    assert_eq!(try_choose("", &limits).expect("one"), ["m7a.large"]);
    assert_eq!(
        refused("/family=c7+c7i", &limits),
        [
            "family=c7 is not allowed by limits.families; to be had: m7a, g5",
            "family=c7i is not allowed by limits.families; to be had: m7a, g5"
        ]
    );
}

#[test]
fn sizes_above_the_limits_are_left_out_and_refused_where_nothing_else_fits() {
    let limits = Limits {
        cpu: Some(8),
        ram: Some(8),
        ..Limits::default()
    };
    assert_eq!(
        try_choose("/cpu=2+96", &limits).expect("some"),
        ["c7a.large", "c7i.large", "m7a.large", "c7a.xlarge"]
    );
    assert_eq!(
        refused("/family=c7a.24xlarge", &limits),
        ["cpu=96 is more than limits.cpu, which is 8"]
    );
    assert_eq!(
        refused("/family=r7a", &limits),
        [
            "no instance type that may be launched fits family=r7a, cpu=2 (the default), \
          an image for x64"
        ]
    );
}

#[test]
fn no_limit_binds_what_configuration_chose() {
    let labels = parse(&["runs-on=1/family=g5/cpu=4".to_owned()]);
    let labels = labels.expect("good").expect("ours");
    let wanted = Wanted {
        wish: &labels.machine,
        architecture: Some(Architecture::X64),
        capacity: Capacity::Spot,
        limits: None,
    };
    let catalogue = catalogue();
    let there = Types::known(&[], Some(&catalogue)).expect("known");
    assert_eq!(choose(&wanted, &there).expect("one"), ["g5.xlarge"]);
}

#[test]
fn an_image_for_another_architecture_gets_other_types() {
    let catalogue = catalogue();
    let there = Types::known(&[], Some(&catalogue)).expect("known");
    let wanted = Wanted {
        wish: &MachineWish::default(),
        architecture: Some(Architecture::Arm64),
        capacity: Capacity::Spot,
        limits: None,
    };
    assert_eq!(choose(&wanted, &there).expect("one"), ["c7g.large"]);
}

#[test]
fn what_is_not_sold_as_spot_is_for_on_demand_alone() {
    assert_eq!(
        refused("/family=x9", &Limits::default()),
        ["EC2 sells none of x9.large as spot; say spot=false"]
    );
    let labels = parse(&["runs-on=1/family=x9".to_owned()]);
    let labels = labels.expect("good").expect("ours");
    let wanted = Wanted {
        wish: &labels.machine,
        architecture: Some(Architecture::X64),
        capacity: Capacity::OnDemand,
        limits: None,
    };
    let catalogue = catalogue();
    let there = Types::known(&[], Some(&catalogue)).expect("known");
    assert_eq!(choose(&wanted, &there).expect("one"), ["x9.large"]);
}

#[test]
fn a_family_that_there_is_not_is_told_with_the_nearest() {
    assert_eq!(
        refused("/family=c7b+zz9", &Limits::default()),
        [
            "family=c7b is no family that there is; did you mean c7a?",
            "family=zz9 is no family that there is; to be had: c3, c7a, c7g, c7i, g5, m7a, p5, \
             r7a, t3, t3a, x9"
        ]
    );
}

#[test]
fn nothing_is_known_where_neither_configuration_nor_ec2_tells() {
    assert!(Types::known(&[], None).is_none());
}

fn everything() -> Limits {
    Limits {
        families: vec![family("*")],
        ..Limits::default()
    }
}

fn family(text: &str) -> FamilyPattern {
    FamilyPattern::new(text).expect("valid")
}

fn configured(types: &[(&str, u32, u32)]) -> Vec<InstanceType> {
    let types = types.iter();
    types
        .map(|&(name, cpu, ram)| InstanceType {
            name: name.to_owned(),
            cpu,
            ram,
        })
        .collect()
}

fn chosen(labels: &str) -> Vec<String> {
    try_choose(labels, &Limits::default()).expect("some fit")
}

fn refused(labels: &str, limits: &Limits) -> Vec<String> {
    let refusals = try_choose(labels, limits).expect_err("refused");
    refusals.iter().map(ToString::to_string).collect()
}

fn try_choose(labels: &str, limits: &Limits) -> Result<Vec<String>, Vec<MachineRefusal>> {
    let catalogue = catalogue();
    let there = Types::known(&[], Some(&catalogue)).expect("known");
    choose_from(labels, &there, limits)
}

fn choose_from(
    labels: &str,
    there: &Types<'_>,
    limits: &Limits,
) -> Result<Vec<String>, Vec<MachineRefusal>> {
    let labels = parse(&[format!("runs-on=1{labels}")]);
    let labels = labels.expect("good").expect("ours");
    let wanted = Wanted {
        wish: &labels.machine,
        architecture: Some(Architecture::X64),
        capacity: Capacity::Spot,
        limits: Some(limits),
    };
    choose(&wanted, there)
}
