//! EC2, as a replica reaches it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use reprise_aws::launch_fault;
use reprise_controller::ports::{Cloud, LaunchOrder, PortError, PortErrorKind};
use reprise_engine::offer::ImageSource;
use reprise_engine::select::{ImageQuery, ImageView};
use reprise_model::ids::{AccountId, ImageId, InstanceId, Region};
use reprise_model::image::ImageDates;
use reprise_model::instance::{Capacity, Instance, InstanceSight, InstanceView, SpotStatus};
use reprise_model::launch::{
    FleetAnswer, FleetFailure, FleetOutcome, LaunchFault, Launched, Shortage,
};
use reprise_model::machine::MachineType;
use reprise_world::ec2::{
    Call, CreateFleet, CreateTags, DescribeImages, DescribeInstanceTypes, DescribeInstances,
    Ec2Error, Filter, Fleet, FleetConfig, FleetError, FleetLaunch, FleetOverride, FleetTarget,
    Image, Pool, SpotRequestQuery, Supply, TemplateRef,
};

use super::{Wire, failure};

/// How long one way usually takes at most.
const USUAL: SignedDuration = SignedDuration::from_millis(400);

/// The client's own deadline.
const DEADLINE: SignedDuration = SignedDuration::from_secs(30);

/// The codes by which a pool says that it is short.
const SHORT: &str = "InsufficientInstanceCapacity";

/// The code of a throttle.
const THROTTLED: &str = "RequestLimitExceeded";

/// EC2.
#[derive(Clone)]
pub struct SimCloud(pub Wire);

impl SimCloud {
    async fn describe(
        &self,
        operation: &'static str,
        filter: Filter,
    ) -> Result<Vec<InstanceView>, PortError> {
        if self.throttled() {
            return self.0.call(USUAL, || Err(throttle(operation))).await;
        }
        let request = DescribeInstances {
            filters: vec![filter],
            ..DescribeInstances::default()
        };
        let described = self.0.call(USUAL, || {
            self.0.universe.world(|world, now| {
                let call = Call::by_account(now);
                world.ec2_mut(now).describe_instances(&call, &request)
            })
        });
        match described.await {
            Ok(page) => Ok(page.instances),
            Err(_) => Err(throttle(operation)),
        }
    }

    fn throttled(&self) -> bool {
        let universe = &self.0.universe;
        let throttled = universe.hits(universe.rates().ec2.throttled);
        if throttled {
            self.0.fault("ec2 throttles");
        }
        throttled
    }

    fn is_short_of(&self, capacity: Capacity) -> bool {
        let universe = &self.0.universe;
        let rates = universe.rates().ec2;
        let (chance, what) = match capacity {
            Capacity::Spot => (rates.no_spot, "no spot capacity"),
            Capacity::OnDemand => (rates.no_on_demand, "no on-demand capacity"),
        };
        let short = universe.hits(chance);
        if short {
            self.0.fault(what);
        }
        short
    }

    /// How many of the instances there are all the same: often none.
    fn part_of(&self, order: &LaunchOrder) -> u32 {
        let count = usize::try_from(order.count).unwrap_or(1);
        let part = self.0.universe.throw(|dice| dice.below(count));
        if part > 0 {
            self.0.fault("a part of a fleet");
        }
        u32::try_from(part).unwrap_or_default()
    }

    /// The code of a pool's no that is not about capacity.
    fn says_no(&self) -> Option<&'static str> {
        let universe = &self.0.universe;
        let rates = universe.rates().ec2;
        if universe.hits(rates.pool_throttled) {
            self.0.fault("ec2 throttles a pool");
            Some(THROTTLED)
        } else if universe.hits(rates.refused) {
            self.0.fault("ec2 refuses a launch");
            Some("MaxSpotInstanceCountExceeded")
        } else {
            None
        }
    }

    /// With the zones of the subnets, which the adapter adds.
    fn placed(&self, mut answer: FleetAnswer) -> FleetAnswer {
        self.0.universe.look(|world, _| {
            let zones = &world.ec2().settings().subnets;
            for pool in &mut answer.shortfall {
                pool.zone = pool.subnet.as_ref().and_then(|one| zones.get(one)).cloned();
            }
        });
        answer
    }

    fn create_fleet(&self, order: &LaunchOrder, supply: Supply) -> FleetOutcome {
        let request = fleet_request(order);
        let fleet = self.0.universe.world(|world, now| {
            let call = Call::by_account(now);
            let ec2 = world.ec2_mut(now);
            match supply {
                Supply::Unlimited => ec2.create_fleet(&call, &request),
                supply @ (Supply::Left(_) | Supply::Refused(_)) => {
                    let pool = Pool::of(order.capacity);
                    ec2.while_supplied(pool, supply, |ec2| ec2.create_fleet(&call, &request))
                }
            }
        });
        match fleet {
            Ok(fleet) => Ok(self.placed(fleet_answer(&fleet))),
            Err(error) => Err(refused(error)),
        }
    }
}

impl Cloud for SimCloud {
    async fn look(&self, _: &Region, id: &InstanceId) -> Result<InstanceSight, PortError> {
        let filter = Filter::new("instance-id", [id.as_str()]);
        let mut seen = self.describe("describe an instance", filter).await?;
        Ok(seen
            .pop()
            .map_or(InstanceSight::Absent, InstanceSight::Seen))
    }

    async fn spot_status(
        &self,
        _: &Region,
        id: &InstanceId,
    ) -> Result<Option<SpotStatus>, PortError> {
        const WHAT: &str = "describe a spot request";
        if self.throttled() {
            return self.0.call(USUAL, || Err(throttle(WHAT))).await;
        }
        let query = SpotRequestQuery {
            filters: vec![Filter::new("instance-id", [id.as_str()])],
            ..SpotRequestQuery::default()
        };
        let described = self.0.call(USUAL, || {
            self.0.universe.world(|world, now| {
                let call = Call::by_account(now);
                world.ec2_mut(now).describe_spot_requests(&call, &query)
            })
        });
        let mut found = described.await.map_err(|_| throttle(WHAT))?;
        Ok(found.pop().map(|(_, request)| SpotStatus {
            code: request.status,
            since: Some(request.updated_at),
        }))
    }

    async fn launch(&self, order: &LaunchOrder) -> FleetOutcome {
        let universe = &self.0.universe;
        if self.throttled() {
            let throttled = || Err(unanswered(LaunchFault::Throttled, THROTTLED));
            return self.0.call(USUAL, throttled).await;
        }
        // EC2 answers a repeat as it answered before.
        let token = &order.client_token;
        let is_repeat = universe.look(|world, now| world.ec2_mut(now).knows_token(token));
        let mut supply = Supply::Unlimited;
        if !is_repeat && self.is_short_of(order.capacity) {
            match self.part_of(order) {
                0 => {
                    let short = || Ok(self.placed(brings_none(order, SHORT)));
                    return self.0.call(USUAL, short).await;
                }
                part => supply = Supply::Left(part),
            }
        }
        if !is_repeat && let Some(code) = self.says_no() {
            return self.0.call(USUAL, || Ok(brings_none(order, code))).await;
        }
        if !universe.hits(universe.rates().ec2.lost_answers) {
            let create = || self.create_fleet(order, supply);
            return self.0.call(USUAL, create).await;
        }
        self.0.fault("a launch's answer is lost");
        let carried_out = universe.throw(|dice| dice.below(2) == 0);
        let launch = || carried_out.then(|| self.create_fleet(order, supply));
        self.0.call(USUAL, launch).await;
        universe.clock.pause(DEADLINE).await;
        self.0.life.goes_on().await;
        Err(unanswered(LaunchFault::Unclear, "no answer came in time"))
    }

    async fn terminate(&self, instance: &Instance) -> Result<(), PortError> {
        const WHAT: &str = "terminate an instance";
        let universe = &self.0.universe;
        if universe.hits(universe.rates().ec2.terminate_fails) {
            self.0.fault("a termination fails");
            return self.0.call(USUAL, || Err(throttle(WHAT))).await;
        }
        let ids = [instance.id.clone()];
        let ended = self.0.call(USUAL, || {
            universe.world(|world, now| {
                let call = Call::by_account(now);
                world.ec2_mut(now).terminate_instances(&call, &ids)
            })
        });
        match ended.await {
            Ok(_) => Ok(()),
            Err(error) if error.code == "InvalidInstanceID.NotFound" => Ok(()),
            Err(_) => Err(throttle(WHAT)),
        }
    }

    async fn tag(
        &self,
        _: &Region,
        id: &InstanceId,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), PortError> {
        const WHAT: &str = "tag an instance";
        if self.throttled() {
            return self.0.call(USUAL, || Err(throttle(WHAT))).await;
        }
        let request = CreateTags {
            instances: vec![id.clone()],
            tags: tags.clone(),
        };
        let tagged = self.0.call(USUAL, || {
            self.0.universe.world(|world, now| {
                let call = Call::by_account(now);
                world.ec2_mut(now).create_tags(&call, &request)
            })
        });
        tagged.await.map_err(|_| throttle(WHAT))
    }

    async fn console_output(&self, instance: &Instance) -> Result<Option<String>, PortError> {
        const WHAT: &str = "read an instance's console";
        if self.throttled() {
            return self.0.call(USUAL, || Err(throttle(WHAT))).await;
        }
        let read = self.0.call(USUAL, || {
            self.0.universe.world(|world, now| {
                let call = Call::by_account(now);
                let ec2 = world.ec2_mut(now);
                let latest = ec2.console_output(&call, &instance.id, true);
                // As the adapter does.
                latest.or_else(|_| ec2.console_output(&call, &instance.id, false))
            })
        });
        match read.await {
            Ok(output) => Ok(output.map(|output| output.text)),
            Err(error) if error.code == "InvalidInstanceID.NotFound" => Ok(None),
            Err(_) => Err(throttle(WHAT)),
        }
    }

    async fn list_stack(
        &self,
        _: &Region,
        tag_key: &str,
        stack: &str,
        each: &mut (dyn FnMut(InstanceView) + Send),
    ) -> Result<(), PortError> {
        let filter = Filter::new(format!("tag:{tag_key}"), [stack]);
        let views = self.describe("list the stack's instances", filter).await?;
        views.into_iter().for_each(each);
        Ok(())
    }

    async fn machine_types(&self, _: &Region) -> Result<Vec<MachineType>, PortError> {
        const WHAT: &str = "describe instance types";
        if self.throttled() {
            return self.0.call(USUAL, || Err(throttle(WHAT))).await;
        }
        let request = DescribeInstanceTypes::default();
        let described = self.0.call(USUAL, || {
            self.0.universe.world(|world, now| {
                let call = Call::by_account(now);
                world.ec2_mut(now).describe_instance_types(&call, &request)
            })
        });
        match described.await {
            Ok(page) => Ok(page.types),
            Err(_) => Err(throttle(WHAT)),
        }
    }

    async fn image(&self, query: &ImageQuery) -> Result<Option<ImageView>, PortError> {
        const WHAT: &str = "describe images";
        if self.throttled() {
            return self.0.call(USUAL, || Err(throttle(WHAT))).await;
        }
        let request = images_request(query);
        let described = self.0.call(USUAL, || {
            self.0.universe.world(|world, now| {
                let call = Call::by_account(now);
                world.ec2_mut(now).describe_images(&call, &request)
            })
        });
        let (images, _) = described.await.map_err(|_| throttle(WHAT))?;
        let newest = images.into_iter().max_by_key(|image| image.created_at);
        Ok(newest.and_then(image_view))
    }

    async fn image_dates(
        &self,
        _: &Region,
        images: &BTreeSet<ImageId>,
    ) -> Result<BTreeMap<ImageId, ImageDates>, PortError> {
        const WHAT: &str = "describe the images in use";
        if self.throttled() {
            return self.0.call(USUAL, || Err(throttle(WHAT))).await;
        }
        let ids = images.iter().map(ImageId::as_str);
        let request = DescribeImages {
            filters: vec![Filter::new("image-id", ids)],
            ..DescribeImages::default()
        };
        let described = self.0.call(USUAL, || {
            self.0.universe.world(|world, now| {
                let call = Call::by_account(now);
                world.ec2_mut(now).describe_images(&call, &request)
            })
        });
        let (images, _) = described.await.map_err(|_| throttle(WHAT))?;
        let dates = images.into_iter().filter_map(|image| {
            let dates = ImageDates::new(image.created_at, None);
            Some((image.id.parse().ok()?, dates))
        });
        Ok(dates.collect())
    }
}

fn images_request(query: &ImageQuery) -> DescribeImages {
    match &query.source {
        ImageSource::Ami(id) => DescribeImages {
            filters: vec![Filter::new("image-id", [id.as_str()])],
            ..DescribeImages::default()
        },
        ImageSource::Newest { owner, name } => DescribeImages {
            owners: vec![owner.clone()],
            filters: vec![Filter::new("name", [name.as_str()])],
            ..DescribeImages::default()
        },
    }
}

fn image_view(image: Image) -> Option<ImageView> {
    Some(ImageView {
        id: image.id.parse().ok()?,
        owner: AccountId::new(image.owner),
        owner_alias: image.owner_alias,
        architecture: image.architecture,
        root_device: Some(image.root_device),
    })
}

fn fleet_request(order: &LaunchOrder) -> CreateFleet {
    let pools = order.instance_types.iter().flat_map(|kind| {
        let asked = order.subnets.iter();
        let asked = asked.filter(|subnet| !order.left_out.holds(subnet, kind));
        asked.map(move |subnet| FleetOverride {
            instance_type: Some(kind.clone()),
            subnet: Some(subnet.clone()),
            image: order.image.clone(),
            ..FleetOverride::default()
        })
    });
    let wanted = FleetTarget {
        count: order.count,
        ..FleetTarget::default()
    };
    let (spot, on_demand) = match order.capacity {
        Capacity::Spot => (wanted, FleetTarget::default()),
        Capacity::OnDemand => (FleetTarget::default(), wanted),
    };
    CreateFleet {
        client_token: Some(order.client_token.clone()),
        configs: vec![FleetConfig {
            template: TemplateRef::Name(order.launch_template.clone()),
            version: order.launch_template_version.clone(),
            overrides: pools.collect(),
        }],
        spot,
        on_demand,
        instance_tags: order.tags.clone(),
    }
}

/// The world's fleet, pool by pool, with the adapter's own classes of errors.
fn fleet_answer(fleet: &Fleet) -> FleetAnswer {
    FleetAnswer {
        fleet: Some(fleet.id.clone()),
        launched: fleet.launches.iter().flat_map(launched).collect(),
        shortfall: fleet.errors.iter().map(short_of).collect(),
    }
}

fn launched(pool: &FleetLaunch) -> impl Iterator<Item = Launched> {
    pool.instances.iter().map(|id| Launched {
        instance: id.clone(),
        capacity: pool.capacity,
        instance_type: Some(pool.instance_type.clone()),
        zone: Some(pool.zone.clone()),
        subnet: pool.from.subnet.clone(),
    })
}

fn short_of(pool: &FleetError) -> Shortage {
    let error = &pool.error;
    Shortage {
        capacity: pool.capacity,
        instance_type: pool.from.instance_type.clone(),
        zone: pool.from.zone.clone(),
        subnet: pool.from.subnet.clone(),
        fault: launch_fault(Some(&error.code), Some(&error.message), None),
        code: Some(error.code.clone()),
        detail: error.to_string(),
    }
}

/// An answer in which every pool says the same, which fate made up and EC2 does not remember.
fn brings_none(order: &LaunchOrder, code: &str) -> FleetAnswer {
    FleetAnswer {
        fleet: None,
        launched: Vec::new(),
        shortfall: vec![Shortage {
            capacity: order.capacity,
            instance_type: order.instance_types.first().cloned(),
            zone: None,
            subnet: order.subnets.first().cloned(),
            fault: launch_fault(Some(code), None, None),
            code: Some(code.to_owned()),
            detail: code.to_owned(),
        }],
    }
}

/// An error of the whole call.
fn refused(error: Ec2Error) -> FleetFailure {
    FleetFailure {
        fault: launch_fault(Some(&error.code), Some(&error.message), Some(error.status)),
        detail: error.to_string(),
        code: Some(error.code),
    }
}

fn unanswered(fault: LaunchFault, words: &str) -> FleetFailure {
    FleetFailure {
        fault,
        code: None,
        detail: words.to_owned(),
    }
}

fn throttle(operation: &'static str) -> PortError {
    failure(operation, PortErrorKind::Throttled, THROTTLED)
}
