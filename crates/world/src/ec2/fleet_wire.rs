//! CreateFleet on the wire.

use reprise_model::instance::Capacity;

use super::call::Call;
use super::error::Ec2Error;
use super::fleet::{CreateFleet, Fleet, FleetConfig, FleetOverride, FleetTarget};
use super::query::Params;
use super::state::Ec2;
use super::tags::tag_specifications;
use super::template::TemplateRef;
use super::xml::Xml;

impl Ec2 {
    pub(super) fn create_fleet_wire(
        &mut self,
        call: &Call,
        params: &Params,
    ) -> Result<Xml, Ec2Error> {
        let request = read_request(params)?;
        let fleet = self.create_fleet(call, &request)?;
        Ok(render(&fleet))
    }
}

fn read_request(params: &Params) -> Result<CreateFleet, Ec2Error> {
    if params.get("Type") != Some("instant") {
        return Err(Ec2Error::new(
            400,
            "UnsupportedOperation",
            "This EC2 knows fleets of type instant only.",
        ));
    }
    let tags = tag_specifications(params)?;
    if let Some(kind) = tags
        .keys()
        .find(|kind| !matches!(kind.as_str(), "fleet" | "instance"))
    {
        return Err(Ec2Error::invalid_value(format!(
            "'{kind}' is not a valid taggable resource type for this operation."
        )));
    }
    let (spot, on_demand) = read_targets(params)?;
    Ok(CreateFleet {
        client_token: params.get("ClientToken").map(str::to_owned),
        configs: params
            .structs("LaunchTemplateConfigs")
            .map(|config| read_config(&config))
            .collect::<Result<_, _>>()?,
        spot,
        on_demand,
        instance_tags: tags.get("instance").cloned().unwrap_or_default(),
    })
}

fn read_targets(params: &Params) -> Result<(FleetTarget, FleetTarget), Ec2Error> {
    let target = params.sub("TargetCapacitySpecification");
    let total: u32 = target
        .number("TotalTargetCapacity")?
        .ok_or_else(|| Ec2Error::missing_parameter("TotalTargetCapacity"))?;
    let spot: u32 = target.number("SpotTargetCapacity")?.unwrap_or_default();
    let on_demand: u32 = target.number("OnDemandTargetCapacity")?.unwrap_or_default();
    let rest = total
        .checked_sub(spot.saturating_add(on_demand))
        .ok_or_else(|| {
            Ec2Error::new(
                400,
                "InvalidTargetCapacitySpecification",
                "The spot and on-demand target capacity exceed the total target capacity.",
            )
        })?;
    let (spot, on_demand) = match target.get("DefaultTargetCapacityType") {
        Some("spot") => (spot + rest, on_demand),
        Some("on-demand") | None => (spot, on_demand + rest),
        Some(other) => {
            return Err(Ec2Error::invalid_value(format!(
                "Value ({other}) for parameter DefaultTargetCapacityType is invalid."
            )));
        }
    };
    Ok((
        read_target(spot, &params.sub("SpotOptions"))?,
        read_target(on_demand, &params.sub("OnDemandOptions"))?,
    ))
}

fn read_target(count: u32, options: &Params) -> Result<FleetTarget, Ec2Error> {
    Ok(FleetTarget {
        count,
        at_least: options.number("MinTargetCapacity")?.unwrap_or_default(),
        strategy: options.get("AllocationStrategy").map(str::to_owned),
    })
}

/// How a request names its launch template.
pub(super) fn template_ref(template: &Params) -> Result<TemplateRef, Ec2Error> {
    let by_id = template.get("LaunchTemplateId").map(str::to_owned);
    let by_name = template.get("LaunchTemplateName").map(str::to_owned);
    match (by_id, by_name) {
        (Some(id), None) => Ok(TemplateRef::Id(id)),
        (None, Some(name)) => Ok(TemplateRef::Name(name)),
        (Some(_), Some(_)) | (None, None) => Err(Ec2Error::invalid_value(
            "Name the launch template by either LaunchTemplateId or LaunchTemplateName.",
        )),
    }
}

fn read_config(config: &Params) -> Result<FleetConfig, Ec2Error> {
    let template = config.sub("LaunchTemplateSpecification");
    Ok(FleetConfig {
        template: template_ref(&template)?,
        version: template.required("Version")?.to_owned(),
        overrides: config
            .structs("Overrides")
            .map(|one| read_override(&one))
            .collect::<Result<_, _>>()?,
    })
}

fn read_override(one: &Params) -> Result<FleetOverride, Ec2Error> {
    let text = |name| one.get(name).map(str::to_owned);
    let priority: Option<f64> = one.number("Priority")?;
    Ok(FleetOverride {
        instance_type: text("InstanceType"),
        subnet: text("SubnetId"),
        zone: text("AvailabilityZone"),
        image: text("ImageId"),
        // A float has no total order; thousandths are finer than anybody sets priorities.
        priority: priority.map(|priority| (priority * 1000.0) as i64),
    })
}

fn render(fleet: &Fleet) -> Xml {
    let mut xml = Xml::default();
    xml.text("fleetId", &fleet.id);
    xml.items("errorSet", &fleet.errors, |xml, error| {
        template_and_override(xml, &error.template, &error.from);
        xml.text("lifecycle", lifecycle(error.capacity));
        xml.text("errorCode", &error.error.code);
        xml.text("errorMessage", &error.error.message);
    });
    xml.items("fleetInstanceSet", &fleet.launches, |xml, launch| {
        template_and_override(xml, &launch.template, &launch.from);
        xml.text("lifecycle", lifecycle(launch.capacity));
        xml.within("instanceIds", |xml| {
            for id in &launch.instances {
                xml.text("item", id.as_str());
            }
        });
        xml.text("instanceType", &launch.instance_type);
        xml.text("availabilityZone", &launch.zone);
    });
    xml
}

fn template_and_override(xml: &mut Xml, template: &str, from: &FleetOverride) {
    xml.within("launchTemplateAndOverrides", |xml| {
        xml.within("launchTemplateSpecification", |xml| {
            xml.text("launchTemplateId", template);
            xml.text("version", "1");
        });
        xml.within("overrides", |xml| {
            xml.maybe("instanceType", from.instance_type.as_deref());
            xml.maybe("subnetId", from.subnet.as_deref());
            xml.maybe("availabilityZone", from.zone.as_deref());
            xml.maybe("imageId", from.image.as_deref());
        });
    });
}

fn lifecycle(capacity: Capacity) -> &'static str {
    match capacity {
        Capacity::Spot => "spot",
        Capacity::OnDemand => "on-demand",
    }
}
