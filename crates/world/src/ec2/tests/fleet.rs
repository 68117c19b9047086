use reprise_model::instance::Capacity;

use super::*;

fn zones(ec2: &Ec2) -> Vec<&str> {
    let mut zones: Vec<&str> = ec2.instances().map(|one| one.zone.as_str()).collect();
    zones.sort_unstable();
    zones
}

#[test]
fn a_pool_without_capacity_is_told_and_the_next_one_gives() {
    let mut ec2 = ec2();
    ec2.set_capacity(zone_a(), Supply::Left(1));
    let fleet = ec2.create_fleet(&Call::by_account(at(0)), &spot_fleet(3));
    let fleet = fleet.expect("a fleet");
    assert_eq!(zones(&ec2), ["eu-west-1a", "eu-west-1b", "eu-west-1b"]);
    assert_eq!(fleet.errors.len(), 1);
    assert_eq!(fleet.errors[0].error.code, "InsufficientInstanceCapacity");
    assert_eq!(fleet.errors[0].from, pool("eu-west-1a"));
}

#[test]
fn a_fleet_without_any_capacity_succeeds_with_errors_alone() {
    let mut ec2 = ec2();
    ec2.set_capacity(Pool::of(Capacity::Spot), Supply::Left(0));
    let fleet = ec2.create_fleet(&Call::by_account(at(0)), &spot_fleet(1));
    let fleet = fleet.expect("a fleet");
    assert_eq!(fleet.instances().count(), 0);
    assert_eq!(fleet.errors.len(), 2);
    assert!(launch_on_demand(&mut ec2).as_str().starts_with("i-"));
}

#[test]
fn a_refusal_of_another_kind_keeps_its_own_code() {
    let mut ec2 = ec2();
    let error = Ec2Error::new(
        400,
        "VcpuLimitExceeded",
        "You have requested more vCPU capacity.",
    );
    ec2.set_capacity(Pool::default(), Supply::Refused(error));
    let fleet = ec2.create_fleet(&Call::by_account(at(0)), &spot_fleet(1));
    assert_eq!(
        fleet.expect("a fleet").errors[0].error.code,
        "VcpuLimitExceeded"
    );
}

#[test]
fn the_same_token_and_parameters_answer_with_the_same_fleet() {
    let mut ec2 = ec2();
    let first = ec2.create_fleet(&Call::by_account(at(0)), &spot_fleet(2));
    let again = ec2.create_fleet(&Call::by_account(at(60)), &spot_fleet(2));
    assert_eq!(first, again);
    assert_eq!(ec2.instances().count(), 2);
}

#[test]
fn the_same_token_with_other_parameters_is_a_mismatch() {
    let mut ec2 = ec2();
    launch_spot(&mut ec2, 2);
    let error = ec2.create_fleet(&Call::by_account(at(1)), &spot_fleet(3));
    assert_eq!(
        error.expect_err("refused").code,
        "IdempotentParameterMismatch"
    );
    assert_eq!(ec2.instances().count(), 2);
}

#[test]
fn less_than_the_minimum_launches_nothing_and_takes_no_capacity() {
    let mut ec2 = ec2();
    ec2.set_capacity(Pool::of(Capacity::Spot), Supply::Left(2));
    let mut request = spot_fleet(3);
    request.spot.at_least = 3;
    let fleet = ec2.create_fleet(&Call::by_account(at(0)), &request);
    assert_eq!(fleet.expect("a fleet").instances().count(), 0);
    request.client_token = None;
    request.spot = target(2);
    let fleet = ec2.create_fleet(&Call::by_account(at(1)), &request);
    assert_eq!(fleet.expect("a fleet").instances().count(), 2);
}

#[test]
fn a_diversified_fleet_spreads_over_its_pools() {
    let mut ec2 = ec2();
    let mut request = spot_fleet(4);
    request.spot.strategy = Some("diversified".to_owned());
    ec2.create_fleet(&Call::by_account(at(0)), &request)
        .expect("a fleet");
    assert_eq!(
        zones(&ec2),
        ["eu-west-1a", "eu-west-1a", "eu-west-1b", "eu-west-1b"]
    );
}

#[test]
fn a_prioritized_fleet_asks_the_lowest_priority_first() {
    let mut ec2 = ec2();
    let mut request = spot_fleet(1);
    request.spot.strategy = Some("capacity-optimized-prioritized".to_owned());
    request.configs[0].overrides[1].priority = Some(0);
    ec2.create_fleet(&Call::by_account(at(0)), &request)
        .expect("a fleet");
    assert_eq!(zones(&ec2), ["eu-west-1b"]);
}

#[test]
fn an_unknown_template_fails_the_whole_call() {
    let mut ec2 = ec2();
    let mut request = spot_fleet(1);
    request.configs[0].template = TemplateRef::Name("other".to_owned());
    let error = ec2.create_fleet(&Call::by_account(at(0)), &request);
    assert_eq!(
        error.expect_err("refused").code,
        "InvalidLaunchTemplateName.NotFoundException"
    );
}

#[test]
fn an_unknown_subnet_is_an_error_of_its_pool_alone() {
    let mut ec2 = ec2();
    let mut request = spot_fleet(1);
    request.configs[0].overrides[0].subnet = Some("subnet-nowhere".to_owned());
    let fleet = ec2.create_fleet(&Call::by_account(at(0)), &request);
    let fleet = fleet.expect("a fleet");
    assert_eq!(fleet.errors[0].error.code, "InvalidSubnetID.NotFound");
    assert_eq!(zones(&ec2), ["eu-west-1b"]);
}

#[test]
fn tags_of_the_template_and_of_the_request_are_there_from_birth() {
    let mut ec2 = ec2();
    let template = LaunchTemplate {
        name: "runner".to_owned(),
        image: Some("ami-0123456789abcdef0".to_owned()),
        instance_tags: tag("from", "template"),
        ..LaunchTemplate::default()
    };
    ec2.register_launch_template(at(0), template);
    let mut request = spot_fleet(1);
    request.instance_tags = tag("runs-on-stack-name", "main");
    ec2.create_fleet(&Call::by_account(at(0)), &request)
        .expect("a fleet");
    let tags = ec2.instances().next().expect("an instance").tags();
    assert_eq!(tags.get("from").map(String::as_str), Some("template"));
    assert_eq!(
        tags.get("runs-on-stack-name").map(String::as_str),
        Some("main")
    );
    assert!(tags.contains_key("aws:ec2:fleet-id"));
}

#[test]
fn the_fifty_first_fleet_at_once_is_over_the_limit() {
    let mut ec2 = ec2();
    let mut request = spot_fleet(0);
    request.client_token = None;
    let call = Call::by_account(at(0));
    let launched = (0..51)
        .filter(|_| ec2.create_fleet(&call, &request).is_ok())
        .count();
    assert_eq!(launched, 50);
    let last = ec2.calls().last().expect("a call").error.clone();
    assert_eq!(last.as_deref(), Some("RequestLimitExceeded"));
    assert!(ec2.create_fleet(&Call::by_account(at(1)), &request).is_ok());
}

#[test]
fn an_injected_fault_hits_one_call_and_leaves_no_trace_but_its_record() {
    let mut ec2 = ec2();
    ec2.fail_next(Action::CreateFleet, Ec2Error::internal());
    let call = Call::by_account(at(0));
    let error = ec2.create_fleet(&call, &spot_fleet(1));
    assert_eq!(error.expect_err("injected").status, 500);
    assert_eq!(ec2.instances().count(), 0);
    assert!(ec2.create_fleet(&call, &spot_fleet(1)).is_ok());
    assert_eq!(ec2.call_counts()[&Action::CreateFleet], 2);
}

#[test]
fn the_same_seed_gives_the_same_world() {
    let ids = |seed| {
        let mut ec2 = ec2_with(Ec2Settings { seed, ..settings() });
        launch_spot(&mut ec2, 3)
    };
    assert_eq!(ids(1), ids(1));
    assert_ne!(ids(1), ids(2));
}

#[test]
fn a_shared_fleet_takes_what_each_type_has_in_each_zone_and_names_the_pools_that_fell_short() {
    let mut ec2 = ec2();
    let named = |kind: &str, zone: &str| FleetOverride {
        instance_type: Some(kind.to_owned()),
        ..pool(zone)
    };
    ec2.set_capacity(Pool::default(), Supply::Left(0));
    for (kind, zone, left) in [
        ("c7a.large", "eu-west-1a", 3),
        ("c7a.large", "eu-west-1b", 2),
        ("c7i.large", "eu-west-1b", 4),
    ] {
        let pool = Pool {
            zone: Some(zone.to_owned()),
            instance_type: Some(kind.to_owned()),
            capacity: Some(Capacity::Spot),
        };
        ec2.set_capacity(pool, Supply::Left(left));
    }
    let mut request = spot_fleet(10);
    request.configs[0].overrides = vec![
        named("c7a.large", "eu-west-1a"),
        named("c7a.large", "eu-west-1b"),
        named("c7i.large", "eu-west-1a"),
        named("c7i.large", "eu-west-1b"),
    ];
    let call = Call::by_account(at(0));
    let fleet = ec2.create_fleet(&call, &request).expect("a fleet");
    let launches: Vec<_> = fleet
        .launches
        .iter()
        .map(|one| (&one.instance_type[..], &one.zone[..], one.instances.len()))
        .collect();
    assert_eq!(
        launches,
        [
            ("c7a.large", "eu-west-1a", 3),
            ("c7a.large", "eu-west-1b", 2),
            ("c7i.large", "eu-west-1b", 4),
        ]
    );
    let codes: Vec<_> = fleet.errors.iter().map(|one| &one.error.code[..]).collect();
    assert_eq!(codes, ["InsufficientInstanceCapacity"; 4]);
    let again = ec2.create_fleet(&call, &request).expect("the same fleet");
    assert_eq!(again, fleet);
    assert_eq!(ec2.instances().count(), 9);
}

#[test]
fn a_type_that_ec2_does_not_have_is_an_error_of_its_pool() {
    let mut ec2 = ec2();
    let mut request = spot_fleet(1);
    request.configs[0].overrides[0].instance_type = Some("c7a.tiny".to_owned());
    let fleet = ec2.create_fleet(&Call::by_account(at(0)), &request);
    let fleet = fleet.expect("a fleet");
    assert_eq!(fleet.errors[0].error.code, "InvalidParameterValue");
    assert_eq!(fleet.instances().count(), 1);
}

#[test]
fn a_type_twice_in_a_zone_fails_the_whole_call() {
    let mut settings = settings();
    let zone = "eu-west-1a".to_owned();
    settings.subnets.insert("subnet-second".to_owned(), zone);
    let mut ec2 = ec2_with(settings);
    let mut request = spot_fleet(1);
    request.configs[0].overrides.push(FleetOverride {
        subnet: Some("subnet-second".to_owned()),
        ..pool("eu-west-1a")
    });
    let error = ec2.create_fleet(&Call::by_account(at(0)), &request);
    assert_eq!(error.expect_err("an error").code, "InvalidFleetConfig");
}

#[test]
fn more_tags_than_an_instance_bears_fail_the_whole_call() {
    let mut ec2 = ec2();
    let mut request = spot_fleet(1);
    request.instance_tags = (0..51).map(|n| (n.to_string(), String::new())).collect();
    let error = ec2.create_fleet(&Call::by_account(at(0)), &request);
    assert_eq!(error.expect_err("an error").code, "TagLimitExceeded");
}

#[test]
fn a_thousand_instances_at_once_are_the_limit_and_two_a_second_come_back() {
    let mut ec2 = ec2();
    let asked = |count: u32, token: &str| CreateFleet {
        client_token: Some(token.to_owned()),
        ..spot_fleet(count)
    };
    let mut at_second = |second: i64, request: &CreateFleet| {
        let fleet = ec2.create_fleet(&Call::by_account(at(second)), request);
        fleet.map(|fleet| fleet.instances().count())
    };
    assert_eq!(at_second(0, &asked(1000, "many")), Ok(1000));
    let over = at_second(0, &asked(1, "one"));
    assert_eq!(over.expect_err("an error").code, "RequestLimitExceeded");
    assert_eq!(at_second(5, &asked(10, "ten")), Ok(10));
}
