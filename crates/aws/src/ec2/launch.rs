//! CreateFleet of type instant: one request offers every type in every subnet and EC2 takes one.
//!
//! It does not choose types, count tries or fall back. A pool is one type in one subnet.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{
    CreateFleetError as PoolError, DefaultTargetCapacityType, FleetLaunchTemplateConfigRequest,
    FleetLaunchTemplateOverridesRequest, FleetLaunchTemplateSpecificationRequest,
    FleetOnDemandAllocationStrategy, FleetType, InstanceType, OnDemandOptionsRequest, ResourceType,
    SpotAllocationStrategy, SpotOptionsRequest, Tag, TagSpecification,
    TargetCapacitySpecificationRequest,
};
use reprise_model::ids::Region;
use reprise_model::instance::Capacity;
use reprise_model::ledger::LaunchAnswer;

use super::{Scope, launch_answer};
use crate::error::CallError;

/// One instance, wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchRequest {
    /// In which region.
    pub region: Region,
    /// The same for a repeat of the same request; at most 64 ASCII characters.
    pub client_token: String,
    /// Spot or on-demand.
    pub capacity: Capacity,
    /// What the instance is made of.
    pub launch_template: LaunchTemplate,
    /// The types to choose from, in order of preference.
    pub instance_types: Vec<String>,
    /// The subnets to choose from, at most one a zone: EC2 refuses a fleet in which two subnets
    /// offer the same type in the same zone.
    pub subnets: Vec<String>,
    /// The AMI in place of the launch template's.
    pub image: Option<String>,
    /// The instance's tags from its first moment.
    pub tags: BTreeMap<String, String>,
}

/// A launch template and its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchTemplate {
    /// `lt-0123456789abcdef0`, or the template's name.
    pub name_or_id: String,
    /// A number, `$Latest` or `$Default`.
    pub version: String,
}

impl LaunchTemplate {
    fn is_id(&self) -> bool {
        let digits = self.name_or_id.strip_prefix("lt-").unwrap_or_default();
        matches!(digits.len(), 8 | 17) && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    }
}

/// Asks EC2 and reads its answer. The SDK may repeat the call by itself: with the client token a
/// repeat launches nothing more, it only brings the lost answer.
pub(super) async fn launch(scope: &Scope, request: &LaunchRequest) -> LaunchAnswer {
    let answer = scope
        .client
        .create_fleet()
        .r#type(FleetType::Instant)
        .client_token(&request.client_token)
        .launch_template_configs(template_config(request))
        .target_capacity_specification(target(request.capacity))
        .set_spot_options(spot_options(request.capacity))
        .set_on_demand_options(on_demand_options(request.capacity))
        .tag_specifications(tag_specification(&request.tags))
        .send()
        .await;
    match answer {
        Ok(output) => {
            note_errors(request, output.errors());
            launch_answer::read(&output, request.capacity)
        }
        Err(error) => {
            let operation = format!("create a fleet in {}", scope.region);
            launch_answer::read_error(CallError::from_sdk(operation, &error))
        }
    }
}

/// A pool's error beside an instance goes no further, but tells an operator which pools never serve.
fn note_errors(request: &LaunchRequest, errors: &[PoolError]) {
    for error in errors {
        tracing::debug!(
            aws.region = %request.region,
            aws.client_token = %request.client_token,
            aws.error.code = error.error_code(),
            aws.error.message = error.error_message(),
            "a pool of the fleet launched nothing"
        );
    }
}

fn template_config(request: &LaunchRequest) -> FleetLaunchTemplateConfigRequest {
    let template = &request.launch_template;
    let builder = FleetLaunchTemplateSpecificationRequest::builder().version(&template.version);
    let specification = if template.is_id() {
        builder.launch_template_id(&template.name_or_id)
    } else {
        builder.launch_template_name(&template.name_or_id)
    };
    FleetLaunchTemplateConfigRequest::builder()
        .launch_template_specification(specification.build())
        .set_overrides(Some(overrides(request)))
        .build()
}

/// Every type in every subnet. EC2 refuses a pool that is named twice.
fn overrides(request: &LaunchRequest) -> Vec<FleetLaunchTemplateOverridesRequest> {
    let mut pools = BTreeSet::new();
    let types = request.instance_types.iter().enumerate();
    types
        .flat_map(|(rank, kind)| {
            request
                .subnets
                .iter()
                .map(move |subnet| (rank, kind, subnet))
        })
        .filter(|(_, kind, subnet)| pools.insert((kind.as_str(), subnet.as_str())))
        .map(|(rank, kind, subnet)| pool(request, rank, kind, subnet))
        .collect()
}

fn pool(
    request: &LaunchRequest,
    rank: usize,
    kind: &str,
    subnet: &str,
) -> FleetLaunchTemplateOverridesRequest {
    let builder = FleetLaunchTemplateOverridesRequest::builder()
        .instance_type(InstanceType::from(kind))
        .subnet_id(subnet)
        .set_image_id(request.image.clone());
    match request.capacity {
        // The strategy for spot weighs price and capacity and takes no priorities.
        Capacity::Spot => builder.build(),
        // The lowest number is the highest priority.
        Capacity::OnDemand => builder.set_priority(priority(rank)).build(),
    }
}

fn priority(rank: usize) -> Option<f64> {
    u32::try_from(rank).ok().map(f64::from)
}

fn target(capacity: Capacity) -> TargetCapacitySpecificationRequest {
    let kind = match capacity {
        Capacity::Spot => DefaultTargetCapacityType::Spot,
        Capacity::OnDemand => DefaultTargetCapacityType::OnDemand,
    };
    TargetCapacitySpecificationRequest::builder()
        .total_target_capacity(1)
        .default_target_capacity_type(kind)
        .build()
}

fn spot_options(capacity: Capacity) -> Option<SpotOptionsRequest> {
    (capacity == Capacity::Spot).then(|| {
        SpotOptionsRequest::builder()
            .allocation_strategy(SpotAllocationStrategy::PriceCapacityOptimized)
            .build()
    })
}

fn on_demand_options(capacity: Capacity) -> Option<OnDemandOptionsRequest> {
    (capacity == Capacity::OnDemand).then(|| {
        OnDemandOptionsRequest::builder()
            .allocation_strategy(FleetOnDemandAllocationStrategy::Prioritized)
            .build()
    })
}

fn tag_specification(tags: &BTreeMap<String, String>) -> TagSpecification {
    let tags = tags
        .iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build());
    TagSpecification::builder()
        .resource_type(ResourceType::Instance)
        .set_tags(Some(tags.collect()))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(capacity: Capacity) -> LaunchRequest {
        LaunchRequest {
            region: Region::new("eu-west-1"),
            client_token: "reprise-1-0".to_owned(),
            capacity,
            launch_template: LaunchTemplate {
                name_or_id: "runners".to_owned(),
                version: "$Latest".to_owned(),
            },
            instance_types: vec!["c7a.large".to_owned(), "c7i.large".to_owned()],
            subnets: vec!["subnet-a".to_owned(), "subnet-b".to_owned()],
            image: None,
            tags: BTreeMap::new(),
        }
    }

    #[test]
    fn every_type_is_offered_in_every_subnet_once() {
        let mut request = request(Capacity::Spot);
        request.subnets.push("subnet-a".to_owned());
        request.image = Some("ami-1".to_owned());
        let pools: Vec<_> = overrides(&request)
            .iter()
            .map(|pool| {
                assert_eq!(pool.image_id(), Some("ami-1"));
                assert_eq!(pool.priority(), None, "spot takes no priorities");
                let kind = pool.instance_type().map(|kind| kind.as_str().to_owned());
                (kind.expect("a type"), pool.subnet_id().map(str::to_owned))
            })
            .collect();
        let pair = |kind: &str, subnet: &str| (kind.to_owned(), Some(subnet.to_owned()));
        assert_eq!(
            pools,
            [
                pair("c7a.large", "subnet-a"),
                pair("c7a.large", "subnet-b"),
                pair("c7i.large", "subnet-a"),
                pair("c7i.large", "subnet-b"),
            ]
        );
    }

    #[test]
    fn on_demand_is_tried_in_the_order_of_preference() {
        let pools = overrides(&request(Capacity::OnDemand));
        let priorities: Vec<_> = pools.iter().map(|pool| pool.priority()).collect();
        assert_eq!(priorities, [Some(0.0), Some(0.0), Some(1.0), Some(1.0)]);
    }

    #[test]
    fn a_launch_template_is_named_by_id_or_by_name() {
        let of = |name_or_id: &str| LaunchTemplate {
            name_or_id: name_or_id.to_owned(),
            version: "1".to_owned(),
        };
        assert!(of("lt-0123456789abcdef0").is_id());
        assert!(of("lt-01234567").is_id());
        assert!(!of("runners").is_id());
        assert!(!of("lt-runners").is_id());
    }
}
