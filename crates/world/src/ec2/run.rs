//! RunInstances, as far as a dry run goes: what a fleet is checked by, template, type, subnet and image.
//!
//! Nothing is launched by it: this world's machines come in fleets.

use super::buckets::Bucket;
use super::call::{Action, Call};
use super::error::Ec2Error;
use super::fleet::{CreateFleet, FleetConfig, FleetOverride};
use super::fleet_wire::template_ref;
use super::query::Params;
use super::state::Ec2;
use super::tags::{check_tags, tag_specifications};
use super::xml::Xml;

impl Ec2 {
    pub(super) fn run_instances_wire(
        &mut self,
        call: &Call,
        params: &Params,
    ) -> Result<Xml, Ec2Error> {
        let action = Action::RunInstances;
        self.called(call, action, &[(Bucket::Calls(action), 1)], |ec2| {
            let tags = tag_specifications(params)?;
            tags.get("instance").map(check_tags).transpose()?;
            let template = params.sub("LaunchTemplate");
            let text = |name| params.get(name).map(str::to_owned);
            let request = CreateFleet {
                configs: vec![FleetConfig {
                    template: template_ref(&template)?,
                    version: template.get("Version").unwrap_or("$Default").to_owned(),
                    overrides: vec![FleetOverride {
                        instance_type: text("InstanceType"),
                        subnet: text("SubnetId"),
                        image: text("ImageId"),
                        ..FleetOverride::default()
                    }],
                }],
                ..CreateFleet::default()
            };
            for candidate in ec2.candidates(&request)? {
                candidate.place?;
            }
            call.unless_dry()?;
            Err(Ec2Error::new(
                400,
                "UnsupportedOperation",
                "This EC2 launches by CreateFleet only.",
            ))
        })
    }
}
