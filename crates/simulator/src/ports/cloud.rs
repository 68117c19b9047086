//! EC2, as a replica reaches it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use reprise_controller::ports::{Cloud, LaunchOrder, PortError};
use reprise_engine::offer::ImageSource;
use reprise_engine::select::{ImageQuery, ImageView};
use reprise_model::ids::{AccountId, ImageId, InstanceId, Region};
use reprise_model::instance::{Capacity, Instance, InstanceSight, InstanceView};
use reprise_model::ledger::LaunchAnswer;
use reprise_model::machine::MachineType;
use reprise_world::ec2::{
    Call, CreateFleet, DescribeImages, DescribeInstanceTypes, DescribeInstances, Ec2Error, Filter,
    Fleet, FleetConfig, FleetOverride, FleetTarget, Image, TemplateRef,
};

use super::{Wire, passing};

/// How long one way usually takes at most.
const USUAL: SignedDuration = SignedDuration::from_millis(400);

/// The client's own deadline.
const DEADLINE: SignedDuration = SignedDuration::from_secs(30);

/// The codes by which a pool says that it is short.
const SHORT: &str = "InsufficientInstanceCapacity";

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

    /// A no that is not about capacity.
    fn says_no(&self) -> Option<LaunchAnswer> {
        let universe = &self.0.universe;
        let rates = universe.rates().ec2;
        if universe.hits(rates.pool_throttled) {
            self.0.fault("ec2 throttles a pool");
            Some(LaunchAnswer::Throttled)
        } else if universe.hits(rates.refused) {
            self.0.fault("ec2 refuses a launch");
            let message = "MaxSpotInstanceCountExceeded".to_owned();
            Some(LaunchAnswer::Refused { message })
        } else {
            None
        }
    }

    fn create_fleet(&self, order: &LaunchOrder) -> LaunchAnswer {
        let request = fleet_request(order);
        let fleet = self.0.universe.world(|world, now| {
            let call = Call::by_account(now);
            world.ec2_mut(now).create_fleet(&call, &request)
        });
        match fleet {
            Ok(fleet) => fleet_answer(&fleet),
            Err(error) => refused(error),
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

    async fn launch(&self, order: &LaunchOrder) -> LaunchAnswer {
        let universe = &self.0.universe;
        if self.throttled() {
            let throttled = || unclear("RequestLimitExceeded");
            return self.0.call(USUAL, throttled).await;
        }
        // EC2 answers a repeat as it answered before.
        let token = &order.client_token;
        let is_repeat = universe.look(|world, now| world.ec2_mut(now).knows_token(token));
        if !is_repeat && self.is_short_of(order.capacity) {
            let short = || LaunchAnswer::NoCapacity {
                codes: vec![SHORT.to_owned()],
            };
            return self.0.call(USUAL, short).await;
        }
        if !is_repeat && let Some(no) = self.says_no() {
            return self.0.call(USUAL, || no).await;
        }
        if !universe.hits(universe.rates().ec2.lost_answers) {
            return self.0.call(USUAL, || self.create_fleet(order)).await;
        }
        self.0.fault("a launch's answer is lost");
        let carried_out = universe.throw(|dice| dice.below(2) == 0);
        let launch = || carried_out.then(|| self.create_fleet(order));
        self.0.call(USUAL, launch).await;
        universe.clock.pause(DEADLINE).await;
        self.0.life.goes_on().await;
        unclear("no answer came in time")
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

    async fn list_stack(
        &self,
        _: &Region,
        tag_key: &str,
        stack: &str,
    ) -> Result<Vec<InstanceView>, PortError> {
        let filter = Filter::new(format!("tag:{tag_key}"), [stack]);
        self.describe("list the stack's instances", filter).await
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

    async fn images_made_at(
        &self,
        _: &Region,
        images: &BTreeSet<ImageId>,
    ) -> Result<BTreeMap<ImageId, Timestamp>, PortError> {
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
        let dates = images
            .into_iter()
            .filter_map(|image| Some((image.id.parse().ok()?, image.created_at)));
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
        order.subnets.iter().map(move |subnet| FleetOverride {
            instance_type: Some(kind.clone()),
            subnet: Some(subnet.clone()),
            image: order.image.clone(),
            ..FleetOverride::default()
        })
    });
    let one = FleetTarget {
        count: 1,
        ..FleetTarget::default()
    };
    let (spot, on_demand) = match order.capacity {
        Capacity::Spot => (one, FleetTarget::default()),
        Capacity::OnDemand => (FleetTarget::default(), one),
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

/// As the EC2 adapter reads a fleet: an instance counts, whatever stands beside it.
fn fleet_answer(fleet: &Fleet) -> LaunchAnswer {
    let launched = fleet.launches.iter().find_map(|launch| {
        let instance = launch.instances.first()?.clone();
        let capacity = launch.capacity;
        Some(LaunchAnswer::Launched { instance, capacity })
    });
    launched.unwrap_or_else(|| LaunchAnswer::NoCapacity {
        codes: fleet
            .errors
            .iter()
            .map(|error| error.error.code.clone())
            .collect(),
    })
}

/// An error of the whole call. A fault of EC2's own says nothing of an earlier call.
fn refused(error: Ec2Error) -> LaunchAnswer {
    let message = error.to_string();
    if error.status >= 500 {
        LaunchAnswer::Unclear { message }
    } else {
        LaunchAnswer::Refused { message }
    }
}

fn unclear(words: &str) -> LaunchAnswer {
    LaunchAnswer::Unclear {
        message: words.to_owned(),
    }
}

fn throttle(operation: &'static str) -> PortError {
    passing(operation, "RequestLimitExceeded")
}
