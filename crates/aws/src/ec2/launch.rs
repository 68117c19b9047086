//! CreateFleet of type instant: one request offers every type in every subnet, and EC2 takes what
//! the strategy likes best.
//!
//! It does not choose types, count tries or fall back. A pool is one type in one subnet. The same
//! request makes the same call, word for word: EC2 refuses a client token with other parameters, so
//! nothing that this process alone knows may go into it.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::operation::create_fleet::CreateFleetError;
use aws_sdk_ec2::operation::create_fleet::builders::CreateFleetFluentBuilder;
use aws_sdk_ec2::types::{
    DefaultTargetCapacityType, FleetBlockDeviceMappingRequest, FleetEbsBlockDeviceRequest,
    FleetLaunchTemplateConfigRequest, FleetLaunchTemplateOverridesRequest,
    FleetLaunchTemplateSpecificationRequest, FleetOnDemandAllocationStrategy, FleetType,
    InstanceType, LaunchTemplateSpecification, OnDemandOptionsRequest, ResourceType,
    SpotAllocationStrategy, SpotOptionsRequest, Tag, TagSpecification,
    TargetCapacitySpecificationRequest, VolumeType,
};
use reprise_model::breaker::LeftOut;
use reprise_model::ids::Region;
use reprise_model::launch::{
    FleetAnswer, FleetFailure, OnDemandStrategy, Purchase, Shortage, SpotStrategy,
};

use super::once::no_repeat_of_throttles;
use super::{Scope, fleet_answer};
use crate::error::CallError;

/// Some instances, all alike, wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchRequest {
    /// In which region.
    pub region: Region,
    /// The same for a repeat of the same request; at most 64 ASCII characters.
    pub client_token: String,
    /// How many. EC2 launches as many of them as it has.
    pub count: u32,
    /// Spot or on-demand, and how to choose among the pools.
    pub purchase: Purchase,
    /// What the instance is made of.
    pub launch_template: LaunchTemplate,
    /// The types to choose from, in order of preference.
    pub instance_types: Vec<String>,
    /// The subnets to choose from, at most one a zone: EC2 refuses a fleet in which two subnets
    /// offer the same type in the same zone.
    pub subnets: Vec<String>,
    /// The pools among those that are not asked.
    pub left_out: LeftOut,
    /// The AMI in place of the launch template's.
    pub image: Option<String>,
    /// A root volume in place of the launch template's or the image's.
    pub volume: Option<RootVolume>,
    /// The instances' tags from their first moment.
    pub tags: BTreeMap<String, String>,
}

/// A root volume; what is `None` is the image's affair. EC2 deletes it with the instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootVolume {
    /// The device, as the image names it: `/dev/sda1`, `/dev/xvda`. With another name it would be a
    /// second volume.
    pub device: String,
    /// How large.
    pub size_gib: Option<u32>,
    /// `gp3` and the like.
    pub kind: Option<String>,
    /// Provisioned operations a second.
    pub iops: Option<u32>,
    /// Provisioned MiB a second.
    pub throughput_mibs: Option<u32>,
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

/// Asks EC2 and reads its answer. The SDK may repeat a call whose answer was lost: with the client token
/// a repeat launches nothing more, it only brings that answer.
pub(super) async fn launch(
    scope: &Scope,
    request: &LaunchRequest,
) -> Result<FleetAnswer, FleetFailure> {
    let purchase = request.purchase;
    let answer = call(scope, request)
        .customize()
        .config_override(no_repeat_of_throttles::<CreateFleetError>())
        .send()
        .await;
    match answer {
        Ok(output) => Ok(fleet_answer::read(&output, purchase.capacity())),
        Err(error) => {
            let operation = format!("create a fleet in {}", scope.region);
            Err(fleet_answer::read_error(CallError::from_sdk(
                operation, &error,
            )))
        }
    }
}

/// The call, not sent yet.
pub(super) fn call(scope: &Scope, request: &LaunchRequest) -> CreateFleetFluentBuilder {
    let purchase = request.purchase;
    scope
        .client
        .create_fleet()
        .r#type(FleetType::Instant)
        .client_token(&request.client_token)
        .launch_template_configs(template_config(request))
        .target_capacity_specification(target(request))
        .set_spot_options(spot_options(purchase))
        .set_on_demand_options(on_demand_options(purchase))
        .tag_specifications(tag_specification(&request.tags))
}

/// The template, as a launch without a fleet names it.
pub(super) fn template(template: &LaunchTemplate) -> LaunchTemplateSpecification {
    let builder = LaunchTemplateSpecification::builder().version(&template.version);
    let builder = if template.is_id() {
        builder.launch_template_id(&template.name_or_id)
    } else {
        builder.launch_template_name(&template.name_or_id)
    };
    builder.build()
}

/// A pool's error beside enough instances goes no further, but tells an operator which pools never
/// serve.
pub(super) fn note_shortfall(request: &LaunchRequest, shortfall: &[Shortage]) {
    for pool in shortfall {
        tracing::debug!(
            aws.region = %request.region,
            aws.client_token = %request.client_token,
            aws.error = pool.detail,
            aws.instance_type = pool.instance_type,
            aws.subnet = pool.subnet,
            aws.zone = pool.zone,
            reason = pool.fault.as_str(),
            "a pool of the fleet gave less than was wanted"
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

/// EC2's limit of overrides in a request.
const MOST_POOLS: usize = 300;

/// Every type in every subnet but what is left out, the preferred types first where that is more than EC2 takes. EC2
/// refuses a pool that is named twice.
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
        .filter(|(_, kind, subnet)| !request.left_out.holds(subnet, kind))
        .filter(|(_, kind, subnet)| pools.insert((kind.as_str(), subnet.as_str())))
        .take(MOST_POOLS)
        .map(|(rank, kind, subnet)| pool(request, rank, kind, subnet))
        .collect()
}

fn pool(
    request: &LaunchRequest,
    rank: usize,
    kind: &str,
    subnet: &str,
) -> FleetLaunchTemplateOverridesRequest {
    let priority = obeys_priorities(request.purchase)
        .then(|| priority(rank))
        .flatten();
    let volume = request.volume.as_ref().map(|volume| vec![device(volume)]);
    FleetLaunchTemplateOverridesRequest::builder()
        .instance_type(InstanceType::from(kind))
        .subnet_id(subnet)
        .set_image_id(request.image.clone())
        .set_block_device_mappings(volume)
        .set_priority(priority)
        .build()
}

fn obeys_priorities(purchase: Purchase) -> bool {
    match purchase {
        Purchase::Spot(SpotStrategy::CapacityOptimizedPrioritized)
        | Purchase::OnDemand(OnDemandStrategy::Prioritized) => true,
        Purchase::Spot(
            SpotStrategy::PriceCapacityOptimized
            | SpotStrategy::CapacityOptimized
            | SpotStrategy::LowestPrice,
        )
        | Purchase::OnDemand(OnDemandStrategy::LowestPrice) => false,
    }
}

/// The lowest number is the highest priority.
fn priority(rank: usize) -> Option<f64> {
    u32::try_from(rank).ok().map(f64::from)
}

/// A runner's volume holds nothing that anybody wants back.
fn device(volume: &RootVolume) -> FleetBlockDeviceMappingRequest {
    let ebs = FleetEbsBlockDeviceRequest::builder()
        .set_volume_size(volume.size_gib.map(number))
        .set_volume_type(volume.kind.as_deref().map(VolumeType::from))
        .set_iops(volume.iops.map(number))
        .set_throughput(volume.throughput_mibs.map(number))
        .delete_on_termination(true);
    FleetBlockDeviceMappingRequest::builder()
        .device_name(&volume.device)
        .ebs(ebs.build())
        .build()
}

/// EC2's limits are far below what is cut off here.
fn number(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn target(request: &LaunchRequest) -> TargetCapacitySpecificationRequest {
    let kind = match request.purchase {
        Purchase::Spot(_) => DefaultTargetCapacityType::Spot,
        Purchase::OnDemand(_) => DefaultTargetCapacityType::OnDemand,
    };
    TargetCapacitySpecificationRequest::builder()
        .total_target_capacity(number(request.count))
        .default_target_capacity_type(kind)
        .build()
}

fn spot_options(purchase: Purchase) -> Option<SpotOptionsRequest> {
    let Purchase::Spot(strategy) = purchase else {
        return None;
    };
    let strategy = SpotAllocationStrategy::from(strategy.as_str());
    let options = SpotOptionsRequest::builder().allocation_strategy(strategy);
    Some(options.build())
}

fn on_demand_options(purchase: Purchase) -> Option<OnDemandOptionsRequest> {
    let Purchase::OnDemand(strategy) = purchase else {
        return None;
    };
    let strategy = FleetOnDemandAllocationStrategy::from(strategy.as_str());
    let options = OnDemandOptionsRequest::builder().allocation_strategy(strategy);
    Some(options.build())
}

pub(super) fn tag_specification(tags: &BTreeMap<String, String>) -> TagSpecification {
    let tags = tags
        .iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build());
    TagSpecification::builder()
        .resource_type(ResourceType::Instance)
        .set_tags(Some(tags.collect()))
        .build()
}

#[cfg(test)]
mod tests;
