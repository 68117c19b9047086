//! Behaviour of the simulated EC2, by a subject each.

mod describe;
mod fleet;
mod market;
mod tags;
mod types;
mod wire;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::{AccountId, InstanceId, Region};

use super::*;

/// So many seconds after the beginning of all tests.
fn at(seconds: i64) -> Timestamp {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
    start + SignedDuration::from_secs(seconds)
}

fn settings() -> Ec2Settings {
    Ec2Settings::new(AccountId::new("123456789012"), Region::new("eu-west-1"), 7)
}

fn ec2() -> Ec2 {
    ec2_with(settings())
}

fn ec2_with(settings: Ec2Settings) -> Ec2 {
    let mut ec2 = Ec2::new(settings);
    let template = LaunchTemplate {
        name: "runner".to_owned(),
        image: Some("ami-0123456789abcdef0".to_owned()),
        instance_type: Some("c7a.large".to_owned()),
        role: Some("runner-role".to_owned()),
        ..LaunchTemplate::default()
    };
    ec2.register_launch_template(at(0), template);
    ec2
}

fn target(count: u32) -> FleetTarget {
    FleetTarget {
        count,
        ..FleetTarget::default()
    }
}

fn pool(zone: &str) -> FleetOverride {
    FleetOverride {
        instance_type: Some("c7a.large".to_owned()),
        subnet: Some(format!("subnet-{zone}")),
        ..FleetOverride::default()
    }
}

/// Spot instances from the zones a and b, in this order.
fn spot_fleet(count: u32) -> CreateFleet {
    CreateFleet {
        client_token: Some("token".to_owned()),
        configs: vec![FleetConfig {
            template: TemplateRef::Name("runner".to_owned()),
            version: "$Latest".to_owned(),
            overrides: vec![pool("eu-west-1a"), pool("eu-west-1b")],
        }],
        spot: target(count),
        ..CreateFleet::default()
    }
}

fn launch_spot(ec2: &mut Ec2, count: u32) -> Vec<InstanceId> {
    let fleet = ec2
        .create_fleet(&Call::by_account(at(0)), &spot_fleet(count))
        .expect("a fleet");
    fleet.instances().cloned().collect()
}

fn launch_on_demand(ec2: &mut Ec2) -> InstanceId {
    let request = CreateFleet {
        client_token: None,
        spot: target(0),
        on_demand: target(1),
        ..spot_fleet(0)
    };
    let fleet = ec2.create_fleet(&Call::by_account(at(0)), &request);
    let fleet = fleet.expect("a fleet");
    fleet.instances().next().expect("an instance").clone()
}

fn unknown_id(number: u32) -> InstanceId {
    format!("i-{number:017x}").parse().expect("an id")
}

fn zone_a() -> Pool {
    Pool {
        zone: Some("eu-west-1a".to_owned()),
        ..Pool::default()
    }
}

fn tag(key: &str, value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(key.to_owned(), value.to_owned())])
}
