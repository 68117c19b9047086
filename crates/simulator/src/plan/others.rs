//! Launches that are none of the controllers'.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reprise_model::instance::Capacity;
use reprise_world::ec2::{
    Call, CreateFleet, Ec2Error, Fleet, FleetConfig, FleetOverride, FleetTarget, TemplateRef,
};
use reprise_world::world::World;

/// Somebody in our account launches an instance with these tags.
///
/// # Errors
/// When EC2 refuses the call as a whole.
pub fn launch(
    world: &mut World,
    now: Timestamp,
    capacity: Capacity,
    token: &str,
    tags: BTreeMap<String, String>,
) -> Result<Fleet, Ec2Error> {
    let settings = world.settings();
    let one = FleetTarget {
        count: 1,
        ..FleetTarget::default()
    };
    let (spot, on_demand) = match capacity {
        Capacity::Spot => (one, FleetTarget::default()),
        Capacity::OnDemand => (FleetTarget::default(), one),
    };
    let request = CreateFleet {
        client_token: Some(token.to_owned()),
        configs: vec![FleetConfig {
            template: TemplateRef::Name(settings.launch_template.clone()),
            version: "$Latest".to_owned(),
            overrides: vec![FleetOverride {
                instance_type: Some("c7a.large".to_owned()),
                subnet: Some(format!("subnet-{}a", settings.region)),
                ..FleetOverride::default()
            }],
        }],
        spot,
        on_demand,
        instance_tags: tags,
    };
    let call = Call::by_account(now);
    world.ec2_mut(now).create_fleet(&call, &request)
}
