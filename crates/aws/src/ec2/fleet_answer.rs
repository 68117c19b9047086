//! CreateFleet's answer in our words.
//!
//! An instant fleet answers 200 also when it launched less than was asked for, or nothing, with an
//! error for each pool. What that means for the jobs is judged elsewhere: here each instance and
//! each error only gets its pool and its class.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::operation::create_fleet::CreateFleetOutput;
use aws_sdk_ec2::types::{
    CreateFleetError as PoolError, CreateFleetInstance, FleetLaunchTemplateOverrides,
    InstanceLifecycle, LaunchTemplateAndOverridesResponse,
};
use reprise_model::instance::Capacity;
use reprise_model::launch::{FleetAnswer, FleetFailure, Launched, Shortage};

use super::fault::{fault_of, launch_fault};
use crate::error::{CallError, code_and_words};

/// Reads a 200. `asked` is the capacity where EC2 does not name one.
pub(super) fn read(output: &CreateFleetOutput, asked: Capacity) -> FleetAnswer {
    let groups = output.instances().iter();
    let errors = output.errors().iter();
    FleetAnswer {
        fleet: output.fleet_id().map(str::to_owned),
        launched: groups.flat_map(|group| launched(group, asked)).collect(),
        shortfall: errors.map(|error| shortage(error, asked)).collect(),
    }
}

/// Reads an error of the whole call.
pub(super) fn read_error(error: CallError) -> FleetFailure {
    let code = error.code.as_deref();
    let fault = fault_of(code, Some(&error.detail), error.kind);
    FleetFailure {
        fault,
        code: error.code,
        detail: error.detail,
    }
}

/// The subnets whose zone the answer does not tell.
pub(super) fn without_zone(answer: &FleetAnswer) -> BTreeSet<String> {
    let launched = answer.launched.iter().map(|one| (&one.zone, &one.subnet));
    let short = answer.shortfall.iter().map(|one| (&one.zone, &one.subnet));
    launched
        .chain(short)
        .filter(|(zone, _)| zone.is_none())
        .filter_map(|(_, subnet)| subnet.clone())
        .collect()
}

/// Adds the zones that are known by their subnets.
pub(super) fn add_zones(answer: &mut FleetAnswer, zones: &BTreeMap<String, String>) {
    let launched = answer.launched.iter_mut();
    let launched = launched.map(|one| (&mut one.zone, &one.subnet));
    let short = answer.shortfall.iter_mut();
    let short = short.map(|one| (&mut one.zone, &one.subnet));
    for (zone, subnet) in launched.chain(short) {
        if zone.is_none() {
            *zone = subnet
                .as_ref()
                .and_then(|subnet| zones.get(subnet))
                .cloned();
        }
    }
}

/// EC2 makes a group of what one pool launched. An id that is none cannot be named to anybody; the
/// sweep would find its instance by the stack's tag.
fn launched(group: &CreateFleetInstance, asked: Capacity) -> impl Iterator<Item = Launched> {
    let pool = echo(group.launch_template_and_overrides());
    let own_type = group.instance_type().map(|kind| kind.as_str().to_owned());
    let like = move |instance| Launched {
        instance,
        capacity: capacity(group.lifecycle(), asked),
        instance_type: own_type.clone().or_else(|| pool.instance_type()),
        zone: named(group.availability_zone()).or_else(|| pool.zone()),
        subnet: named(group.subnet_id()).or_else(|| pool.subnet()),
    };
    let ids = group.instance_ids().iter();
    ids.filter_map(|id| id.parse().ok()).map(like)
}

fn shortage(error: &PoolError, asked: Capacity) -> Shortage {
    let pool = echo(error.launch_template_and_overrides());
    let (code, message) = (error.error_code(), error.error_message());
    Shortage {
        capacity: capacity(error.lifecycle(), asked),
        instance_type: pool.instance_type(),
        zone: pool.zone(),
        subnet: pool.subnet(),
        fault: launch_fault(code, message, None),
        code: code.map(str::to_owned),
        detail: code_and_words(code, message),
    }
}

fn capacity(lifecycle: Option<&InstanceLifecycle>, asked: Capacity) -> Capacity {
    match lifecycle {
        Some(InstanceLifecycle::Spot) => Capacity::Spot,
        Some(_) => Capacity::OnDemand,
        None => asked,
    }
}

/// The override that EC2 repeats in its answer, as far as it does.
struct Echo<'a>(Option<&'a FleetLaunchTemplateOverrides>);

fn echo(said: Option<&LaunchTemplateAndOverridesResponse>) -> Echo<'_> {
    Echo(said.and_then(LaunchTemplateAndOverridesResponse::overrides))
}

impl Echo<'_> {
    fn instance_type(&self) -> Option<String> {
        let kind = self.0?.instance_type()?;
        named(Some(kind.as_str()))
    }

    fn zone(&self) -> Option<String> {
        named(self.0?.availability_zone())
    }

    fn subnet(&self) -> Option<String> {
        named(self.0?.subnet_id())
    }
}

fn named(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::InstanceType;
    use reprise_model::launch::LaunchFault;

    use super::*;

    const ONE: &str = "i-0123456789abcdef0";
    const TWO: &str = "i-0123456789abcdef1";

    fn pool(kind: &str, subnet: &str) -> LaunchTemplateAndOverridesResponse {
        LaunchTemplateAndOverridesResponse::builder()
            .overrides(
                FleetLaunchTemplateOverrides::builder()
                    .instance_type(InstanceType::from(kind))
                    .subnet_id(subnet)
                    .build(),
            )
            .build()
    }

    fn partial() -> CreateFleetOutput {
        let instances = CreateFleetInstance::builder()
            .launch_template_and_overrides(pool("c7a.large", "subnet-a"))
            .lifecycle(InstanceLifecycle::Spot)
            .instance_type(InstanceType::from("c7a.large"))
            .availability_zone("eu-west-1a")
            .instance_ids(ONE)
            .instance_ids(TWO)
            .build();
        let error = PoolError::builder()
            .launch_template_and_overrides(pool("c7i.large", "subnet-b"))
            .lifecycle(InstanceLifecycle::Spot)
            .error_code("InsufficientInstanceCapacity")
            .error_message("there is none")
            .build();
        CreateFleetOutput::builder()
            .fleet_id("fleet-1")
            .instances(instances)
            .errors(error)
            .build()
    }

    #[test]
    fn a_partial_answer_names_what_came_and_what_is_missing_by_pool() {
        let answer = read(&partial(), Capacity::Spot);
        let one = |id: &str| Launched {
            instance: id.parse().expect("an instance id"),
            capacity: Capacity::Spot,
            instance_type: Some("c7a.large".to_owned()),
            zone: Some("eu-west-1a".to_owned()),
            subnet: Some("subnet-a".to_owned()),
        };
        assert_eq!(answer.launched, [one(ONE), one(TWO)]);
        let short = Shortage {
            capacity: Capacity::Spot,
            instance_type: Some("c7i.large".to_owned()),
            zone: None,
            subnet: Some("subnet-b".to_owned()),
            fault: LaunchFault::Capacity,
            code: Some("InsufficientInstanceCapacity".to_owned()),
            detail: "InsufficientInstanceCapacity: there is none".to_owned(),
        };
        assert_eq!(answer.shortfall, [short]);
        assert_eq!(answer.fleet.as_deref(), Some("fleet-1"));
    }

    #[test]
    fn a_zone_that_the_answer_does_not_tell_is_that_of_the_subnet() {
        let mut answer = read(&partial(), Capacity::Spot);
        let missing = without_zone(&answer);
        assert_eq!(missing, BTreeSet::from(["subnet-b".to_owned()]));
        let zones = ["a", "b"].map(|zone| (format!("subnet-{zone}"), format!("other-1{zone}")));
        add_zones(&mut answer, &BTreeMap::from(zones));
        assert_eq!(answer.launched[0].zone.as_deref(), Some("eu-west-1a"));
        assert_eq!(answer.shortfall[0].zone.as_deref(), Some("other-1b"));
    }

    #[test]
    fn the_capacity_is_what_ec2_says_it_launched() {
        let group = |lifecycle: Option<&str>| {
            let lifecycle = lifecycle.map(InstanceLifecycle::from);
            let group = CreateFleetInstance::builder().set_lifecycle(lifecycle);
            let output = CreateFleetOutput::builder().instances(group.instance_ids(ONE).build());
            read(&output.build(), Capacity::Spot).launched[0].capacity
        };
        assert_eq!(group(Some("on-demand")), Capacity::OnDemand);
        assert_eq!(group(None), Capacity::Spot);
    }

    #[test]
    fn a_whole_calls_error_keeps_its_class() {
        let fault = |code: &str, sender_fault: bool| {
            let error = CallError::of_entry("launch", code, Some("x"), sender_fault);
            read_error(error).fault
        };
        let short = "InsufficientInstanceCapacity";
        assert_eq!(fault(short, false), LaunchFault::Capacity);
        assert_eq!(fault(short, true), LaunchFault::Capacity);
        assert_eq!(fault("InvalidFleetConfig", true), LaunchFault::Request);
        assert_eq!(
            fault("UnauthorizedOperation", true),
            LaunchFault::Authorisation
        );
        assert_eq!(fault("VcpuLimitExceeded", true), LaunchFault::Quota);
        assert_eq!(fault("SomethingNew", false), LaunchFault::Unclear);
        assert_eq!(fault("InternalError", true), LaunchFault::Unclear);
        let taken = fault("IdempotentParameterMismatch", true);
        assert_eq!(taken, LaunchFault::Request, "another token is needed");
        for throttle in ["RequestLimitExceeded", "Throttling"] {
            assert_eq!(fault(throttle, true), LaunchFault::Throttled, "{throttle}");
        }
        let lost = read_error(CallError::unanswered("launch".to_owned()));
        assert_eq!(lost.fault, LaunchFault::Unclear);
    }
}
