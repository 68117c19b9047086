//! CreateFleet of type `instant`: launch now what there is, tell what there is not.
//!
//! A client token makes the call idempotent: the same token and parameters answer with the same
//! fleet, errors included, without launching anything again.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::InstanceId;
use reprise_model::instance::Capacity;

use super::buckets::Bucket;
use super::call::{Action, Call};
use super::error::Ec2Error;
use super::launch::{Candidate, Place};
use super::state::{Ec2, later};
use super::tags::check_tags;
use super::template::{LaunchTemplate, Registered, TemplateRef};

/// How long a client token is remembered.
const TOKEN_KEPT_FOR: SignedDuration = SignedDuration::from_hours(48);

/// EC2's limit of launch template and override pairs in a request.
const MOST_OVERRIDES: usize = 300;

/// A request for an instant fleet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CreateFleet {
    /// The client token; without one every call launches anew.
    pub client_token: Option<String>,
    /// Launch templates and their overrides, in the order of preference.
    pub configs: Vec<FleetConfig>,
    /// Spot instances wanted.
    pub spot: FleetTarget,
    /// On-demand instances wanted.
    pub on_demand: FleetTarget,
    /// Tags for the instances, beside the launch template's.
    pub instance_tags: BTreeMap<String, String>,
}

/// How many instances of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FleetTarget {
    /// How many.
    pub count: u32,
    /// Launch none unless so many can be.
    pub at_least: u32,
    /// `AllocationStrategy` as sent. `diversified` spreads over the overrides, the `prioritized`
    /// ones obey `Priority`, all others take the overrides in their order.
    pub strategy: Option<String>,
}

/// A launch template and its overrides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetConfig {
    /// The template.
    pub template: TemplateRef,
    /// The version as sent: `$Latest`, `$Default` or 1, which is the only one.
    pub version: String,
    /// What to change in it, one pool each; none is one pool as the template says.
    pub overrides: Vec<FleetOverride>,
}

/// One pool to launch from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FleetOverride {
    /// The type.
    pub instance_type: Option<String>,
    /// The subnet, which decides the zone.
    pub subnet: Option<String>,
    /// The zone, where no subnet is named.
    pub zone: Option<String>,
    /// The image.
    pub image: Option<String>,
    /// `Priority` in thousandths; lower goes first.
    pub priority: Option<i64>,
}

/// The answer: what was launched and what could not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fleet {
    /// The fleet's id.
    pub id: String,
    /// What was launched, a pool each.
    pub launches: Vec<FleetLaunch>,
    /// What could not be, a pool each.
    pub errors: Vec<FleetError>,
}

impl Fleet {
    /// The ids of all its instances.
    pub fn instances(&self) -> impl Iterator<Item = &InstanceId> {
        self.launches.iter().flat_map(|launch| &launch.instances)
    }
}

/// The instances launched from one pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetLaunch {
    /// Spot or on-demand.
    pub capacity: Capacity,
    /// Their type.
    pub instance_type: String,
    /// Their zone.
    pub zone: String,
    /// The override as asked for.
    pub from: FleetOverride,
    /// Their launch template.
    pub template: String,
    /// Their ids.
    pub instances: Vec<InstanceId>,
}

/// Why a pool gave less than was wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetError {
    /// Spot or on-demand.
    pub capacity: Capacity,
    /// The override as asked for.
    pub from: FleetOverride,
    /// Its launch template.
    pub template: String,
    /// EC2's error.
    pub error: Ec2Error,
}

/// A fleet as its client token remembers it.
#[derive(Debug, Clone)]
pub(super) struct RememberedFleet {
    request: CreateFleet,
    fleet: Fleet,
    until: Timestamp,
}

impl Ec2 {
    /// Launches an instant fleet.
    pub fn create_fleet(&mut self, call: &Call, request: &CreateFleet) -> Result<Fleet, Ec2Error> {
        let wanted = request.spot.count.saturating_add(request.on_demand.count);
        let action = Action::CreateFleet;
        let draws = [(Bucket::Calls(action), 1), (Bucket::Launches, wanted)];
        self.called(call, action, &draws, |ec2| {
            if let Some(fleet) = ec2.remembered(request)? {
                return Ok(fleet);
            }
            check_tags(&request.instance_tags)?;
            let candidates = ec2.candidates(request)?;
            check_pools(&candidates)?;
            call.unless_dry()?;
            let fleet = ec2.launch_fleet(call.now, request, &candidates);
            ec2.remember_fleet(call.now, request, &fleet);
            Ok(fleet)
        })
    }

    /// Whether a fleet was launched with this client token: then a repeat is answered as the first
    /// request was, whatever there is to launch now.
    pub fn knows_token(&self, token: &str) -> bool {
        self.fleets.contains_key(token)
    }

    pub(super) fn forget_fleets(&mut self, now: Timestamp) {
        self.fleets.retain(|_, remembered| remembered.until > now);
    }

    fn remembered(&self, request: &CreateFleet) -> Result<Option<Fleet>, Ec2Error> {
        let token = request.client_token.as_ref();
        let remembered = token.and_then(|token| self.fleets.get(token));
        match remembered {
            None => Ok(None),
            Some(remembered) if remembered.request == *request => {
                Ok(Some(remembered.fleet.clone()))
            }
            Some(_) => Err(Ec2Error::new(
                400,
                "IdempotentParameterMismatch",
                "The client token was used before with other parameters.",
            )),
        }
    }

    fn remember_fleet(&mut self, now: Timestamp, request: &CreateFleet, fleet: &Fleet) {
        if let Some(token) = &request.client_token {
            let remembered = RememberedFleet {
                request: request.clone(),
                fleet: fleet.clone(),
                until: later(now, TOKEN_KEPT_FOR),
            };
            self.fleets.insert(token.clone(), remembered);
        }
    }

    pub(super) fn candidates(&self, request: &CreateFleet) -> Result<Vec<Candidate>, Ec2Error> {
        let mut candidates = Vec::new();
        for config in &request.configs {
            let template = self.template(&config.template)?;
            if !matches!(config.version.as_str(), "$Latest" | "$Default" | "1") {
                return Err(Ec2Error::new(
                    400,
                    "InvalidLaunchTemplateId.VersionNotFound",
                    format!("Could not find launch template version {}.", config.version),
                ));
            }
            let as_is = [FleetOverride::default()];
            let overrides = if config.overrides.is_empty() {
                &as_is[..]
            } else {
                &config.overrides
            };
            candidates.extend(overrides.iter().map(|one| self.candidate(template, one)));
        }
        if candidates.is_empty() {
            return Err(Ec2Error::missing_parameter("LaunchTemplateConfigs"));
        }
        if candidates.len() > MOST_OVERRIDES {
            return Err(Ec2Error::invalid_value(format!(
                "A fleet takes at most {MOST_OVERRIDES} launch template overrides."
            )));
        }
        Ok(candidates)
    }

    fn candidate(&self, registered: &Registered, from: &FleetOverride) -> Candidate {
        Candidate {
            registered: registered.clone(),
            from: from.clone(),
            place: self.place(&registered.template, from),
        }
    }

    fn place(&self, template: &LaunchTemplate, from: &FleetOverride) -> Result<Place, Ec2Error> {
        let zone = match (&from.subnet, &from.zone) {
            (Some(subnet), _) => self.settings.subnets.get(subnet).ok_or_else(|| {
                let message = format!("The subnet ID '{subnet}' does not exist");
                Ec2Error::new(400, "InvalidSubnetID.NotFound", message)
            }),
            (None, Some(zone)) => Some(zone)
                .filter(|zone| self.settings.zones.contains(zone))
                .ok_or_else(|| {
                    Ec2Error::invalid_value(format!("Invalid availability zone: [{zone}]"))
                }),
            (None, None) => self
                .settings
                .zones
                .first()
                .ok_or_else(|| Ec2Error::missing_parameter("SubnetId")),
        }?;
        let choose = |from: &Option<String>, template: &Option<String>, name| {
            from.clone()
                .or_else(|| template.clone())
                .ok_or_else(|| Ec2Error::missing_parameter(name))
        };
        Ok(Place {
            instance_type: self.known_type(choose(
                &from.instance_type,
                &template.instance_type,
                "InstanceType",
            )?)?,
            zone: zone.clone(),
            image: choose(&from.image, &template.image, "ImageId")?,
        })
    }

    fn known_type(&self, name: String) -> Result<String, Ec2Error> {
        let known = &self.settings.machine_types;
        if known.iter().any(|one| one.name == name) {
            return Ok(name);
        }
        let message = format!("Invalid value '{name}' for InstanceType.");
        Err(Ec2Error::invalid_value(message))
    }
}

/// No type may be offered twice in a zone, by whatever subnets.
fn check_pools(candidates: &[Candidate]) -> Result<(), Ec2Error> {
    let mut pools = BTreeSet::new();
    let places = candidates
        .iter()
        .filter_map(|candidate| candidate.place.as_ref().ok());
    for place in places {
        if !pools.insert((&place.instance_type, &place.zone)) {
            let message = format!(
                "The fleet configuration contains duplicate instance pools: {} in {}",
                place.instance_type, place.zone
            );
            return Err(Ec2Error::new(400, "InvalidFleetConfig", message));
        }
    }
    Ok(())
}
