//! The EC2 fleet: look at instances, launch, end, list, and know what types there are.
//!
//! EC2's requests are counted per account and region, and one unknown id spoils a call by id list.
//! So looks and terminations of many callers go together, looks ask by filter (an absent id is
//! simply not in the answer), and a batch of terminations is split at the ids that EC2 rejects.

mod console;
mod describe;
mod fault;
mod fleet_answer;
mod images;
mod launch;
mod machine_types;
mod once;
mod probe;
mod spot;
mod tags;
mod terminate;
mod zones;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_ec2::Client;
use reprise_model::ids::{AccountId, ImageId, InstanceId, Region};
use reprise_model::image::ImageDates;
use reprise_model::instance::{Instance, InstanceSight, InstanceView, SpotStatus};
use reprise_model::launch::{FleetAnswer, FleetFailure, LaunchFault};
use reprise_model::machine::MachineType;

use crate::batcher::{Batcher, Shape, Unanswered};
use crate::connect::{self, RegionSettings};
use crate::error::{CallError, Ec2Error};
use zones::Zones;

pub use fault::launch_fault;
pub use images::{Image, ImageQuery};
pub use launch::{LaunchRequest, LaunchTemplate, RootVolume};

/// EC2 takes at most 200 values in a filter. Looks wait only shortly: a run's last verdict to its
/// re-run has a budget of one second.
const LOOKS: Shape = Shape {
    most: 200,
    window: Duration::from_millis(20),
    in_flight: 4,
};

/// EC2 takes 1,000 ids in a call and advises fewer. Nobody waits for an end, so that a longer
/// window gathers more.
const ENDS: Shape = Shape {
    most: 500,
    window: Duration::from_millis(100),
    in_flight: 2,
};

/// The fleet in every configured region; a clone is the same fleet.
#[derive(Debug, Clone)]
pub struct Ec2 {
    regions: Arc<BTreeMap<Region, RegionalEc2>>,
}

#[derive(Debug)]
struct RegionalEc2 {
    scope: Scope,
    zones: Zones,
    looks: Batcher<InstanceId, Result<InstanceSight, Ec2Error>>,
    spots: Batcher<InstanceId, Result<Option<SpotStatus>, Ec2Error>>,
    ends: Batcher<InstanceId, Result<(), Ec2Error>>,
}

/// A client and where it looks.
#[derive(Debug, Clone)]
struct Scope {
    client: Client,
    region: Region,
    account: AccountId,
}

impl Ec2 {
    /// Prepares a client a region, from the usual AWS variables. It contacts nobody: a missing
    /// permission shows at the first call.
    pub async fn connect(regions: &[RegionSettings]) -> Ec2 {
        let mut clients = BTreeMap::new();
        let Some(first) = regions.first() else {
            return Ec2 {
                regions: Arc::new(clients),
            };
        };
        let base = connect::base(&first.region).await;
        for settings in regions {
            let role = settings.role_arn.as_deref();
            let config = connect::in_region(&base, &settings.region, role).await;
            let scope = Scope {
                client: Client::new(&config),
                region: settings.region.clone(),
                account: settings.account.clone(),
            };
            clients.insert(settings.region.clone(), RegionalEc2::new(scope));
        }
        Ec2 {
            regions: Arc::new(clients),
        }
    }

    /// What EC2 says of an instance now. It is eventually consistent: "absent" may mean "not yet".
    pub async fn look(&self, region: &Region, id: &InstanceId) -> Result<InstanceSight, Ec2Error> {
        let answer = self.region(region)?.looks.ask(id.clone()).await;
        answer.unwrap_or_else(|Unanswered| Err(unanswered("describe an instance", region)))
    }

    /// What EC2 says of the request behind a spot instance now; `None` where it shows none.
    pub async fn spot_status(
        &self,
        region: &Region,
        id: &InstanceId,
    ) -> Result<Option<SpotStatus>, Ec2Error> {
        let answer = self.region(region)?.spots.ask(id.clone()).await;
        answer.unwrap_or_else(|Unanswered| Err(unanswered("describe a spot request", region)))
    }

    /// Asks for some instances. Safe to repeat with the same client token until an answer came; once
    /// one came, a further try needs a new token, since EC2 repeats its answer for a known one.
    pub async fn launch(&self, request: &LaunchRequest) -> Result<FleetAnswer, FleetFailure> {
        let regional = self.region(&request.region).map_err(|error| FleetFailure {
            fault: LaunchFault::Request,
            code: None,
            detail: error.to_string(),
        })?;
        let mut answer = launch::launch(&regional.scope, request).await?;
        let unplaced = fleet_answer::without_zone(&answer);
        if !unplaced.is_empty() {
            let zones = regional.zones.of(&regional.scope, unplaced).await;
            fleet_answer::add_zones(&mut answer, &zones);
        }
        launch::note_shortfall(request, &answer.shortfall);
        Ok(answer)
    }

    /// The instance types of a region that a runner can be launched on, by name. Some ten calls.
    pub async fn machine_types(&self, region: &Region) -> Result<Vec<MachineType>, Ec2Error> {
        let scope = &self.region(region)?.scope;
        Ok(machine_types::all(scope).await?)
    }

    /// What EC2 says of an image; `None` where there is no such one for our architectures.
    pub async fn image(
        &self,
        region: &Region,
        query: &ImageQuery,
    ) -> Result<Option<Image>, Ec2Error> {
        let scope = &self.region(region)?.scope;
        Ok(images::find(scope, query).await?)
    }

    /// When each of these images was made, and its runner; those that EC2 does not show are left out.
    pub async fn image_dates(
        &self,
        region: &Region,
        images: &BTreeSet<ImageId>,
    ) -> Result<BTreeMap<ImageId, ImageDates>, Ec2Error> {
        let scope = &self.region(region)?.scope;
        Ok(images::dates(scope, images).await?)
    }

    /// Puts tags on an instance, in the place of earlier values.
    pub async fn tag(
        &self,
        region: &Region,
        id: &InstanceId,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), Ec2Error> {
        let scope = &self.region(region)?.scope;
        Ok(tags::tag(scope, id, tags).await?)
    }

    /// Ends an instance. One that EC2 does not know (any more) counts as ended.
    pub async fn terminate(&self, instance: &Instance) -> Result<(), Ec2Error> {
        let regional = self.region(&instance.region)?;
        let answer = regional.ends.ask(instance.id.clone()).await;
        answer
            .unwrap_or_else(|Unanswered| Err(unanswered("terminate an instance", &instance.region)))
    }

    /// What an instance wrote to its console, as far as EC2 has it.
    pub async fn console_output(&self, instance: &Instance) -> Result<Option<String>, Ec2Error> {
        let scope = &self.region(&instance.region)?.scope;
        Ok(console::output(scope, &instance.id).await?)
    }

    /// Hands on every instance of a region with this stack tag, ended ones included as long as EC2 shows
    /// them (about an hour), page by page. What was handed on before an error is not all of them.
    pub async fn list_stack(
        &self,
        region: &Region,
        stack_tag_key: &str,
        stack: &str,
        each: &mut (dyn FnMut(InstanceView) + Send),
    ) -> Result<(), Ec2Error> {
        let scope = &self.region(region)?.scope;
        Ok(describe::list_stack(scope, stack_tag_key, stack, each).await?)
    }

    /// Whether this launch would be allowed, as a fleet and as the instances that EC2 makes of it: a dry run.
    pub async fn may_launch(&self, request: &LaunchRequest) -> Result<(), Ec2Error> {
        let scope = &self.region(&request.region)?.scope;
        Ok(probe::launch(scope, request).await?)
    }

    /// Whether an instance may be ended: a dry run.
    pub async fn may_terminate(&self, instance: &Instance) -> Result<(), Ec2Error> {
        let scope = &self.region(&instance.region)?.scope;
        Ok(probe::terminate(scope, &instance.id).await?)
    }

    /// Whether an instance may get these tags: a dry run.
    pub async fn may_tag(
        &self,
        instance: &Instance,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), Ec2Error> {
        let scope = &self.region(&instance.region)?.scope;
        Ok(probe::tag(scope, &instance.id, tags).await?)
    }

    /// Whether the console of an instance may be read: a dry run.
    pub async fn may_read_console(&self, instance: &Instance) -> Result<(), Ec2Error> {
        let scope = &self.region(&instance.region)?.scope;
        Ok(probe::console(scope, &instance.id).await?)
    }

    fn region(&self, region: &Region) -> Result<&RegionalEc2, Ec2Error> {
        self.regions
            .get(region)
            .ok_or_else(|| Ec2Error::UnknownRegion {
                region: region.clone(),
            })
    }
}

impl RegionalEc2 {
    fn new(scope: Scope) -> Self {
        let (looking, asking, ending) = (scope.clone(), scope.clone(), scope.clone());
        Self {
            scope,
            zones: Zones::default(),
            looks: Batcher::new(LOOKS, move |ids| describe::look(looking.clone(), ids)),
            spots: Batcher::new(LOOKS, move |ids| spot::statuses(asking.clone(), ids)),
            ends: Batcher::new(ENDS, move |ids| terminate::terminate(ending.clone(), ids)),
        }
    }
}

fn unanswered(what: &str, region: &Region) -> Ec2Error {
    CallError::unanswered(format!("{what} in {region}")).into()
}
