//! EC2 and the runner table of each region; what belongs to no region stays the world's.
//!
//! The first region is home: it is what a caller means who names none. Invariant: an instance is in
//! one region, and no two regions give the same id.

use std::collections::BTreeMap;

use http::{Request, Response};
use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::{InstanceId, Region};
use reprise_model::machine::Architecture;

use super::WorldSettings;
use crate::aws_auth::signer;
use crate::drills::Drills;
use crate::ec2::{Ec2, Ec2Happening, Ec2Instance, Ec2Settings, Image, LaunchTemplate};
use crate::runner_table::RunnerTable;

/// Far enough apart that no region's ids are another's.
const SEEDS_APART: u64 = 0x9e37_79b9_7f4a_7c15;

/// The image that runners are launched from where nothing else is said.
pub(super) const RUNNER_IMAGE: &str = "ami-0123456789abcdef0";

/// How old it is when a world begins.
const RUNNER_IMAGE_AGE: SignedDuration = SignedDuration::from_hours(10 * 24);

/// One region.
pub(super) struct Place {
    pub(super) ec2: Ec2,
    pub(super) runner_table: RunnerTable,
    pub(super) drills: Drills,
}

/// All regions.
pub(super) struct Places {
    pub(super) home: Place,
    further: BTreeMap<Region, Place>,
}

impl Places {
    pub(super) fn new(settings: &WorldSettings) -> Self {
        let mut seed = settings.seed;
        let further = settings.further_regions.iter().map(|region| {
            seed = seed.wrapping_add(SEEDS_APART);
            (region.clone(), Place::new(settings, region, seed))
        });
        Self {
            home: Place::new(settings, &settings.region, settings.seed),
            further: further.collect(),
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Place> {
        std::iter::once(&self.home).chain(self.further.values())
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut Place> {
        std::iter::once(&mut self.home).chain(self.further.values_mut())
    }

    pub(super) fn in_region(&self, region: &Region) -> Option<&Place> {
        let home = Some(&self.home).filter(|home| home.is_in(region));
        home.or_else(|| self.further.get(region))
    }

    pub(super) fn in_region_mut(&mut self, region: &Region) -> Option<&mut Place> {
        if self.home.is_in(region) {
            return Some(&mut self.home);
        }
        self.further.get_mut(region)
    }

    /// Where an instance is; home for one that nobody knows, and that says so.
    pub(super) fn of(&self, id: &InstanceId) -> &Place {
        let knows = |place: &&Place| place.ec2.instance(id).is_some();
        self.further.values().find(knows).unwrap_or(&self.home)
    }

    pub(super) fn of_mut(&mut self, id: &InstanceId) -> &mut Place {
        let knows = |place: &&mut Place| place.ec2.instance(id).is_some();
        self.further
            .values_mut()
            .find(knows)
            .unwrap_or(&mut self.home)
    }

    pub(super) fn instances(&self) -> impl Iterator<Item = &Ec2Instance> {
        self.all().flat_map(|place| place.ec2.instances())
    }

    pub(super) fn advance(&mut self, now: Timestamp) {
        self.all_mut().for_each(|place| place.ec2.advance(now));
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.all().filter_map(|place| place.ec2.next_due()).min()
    }

    pub(super) fn register_launch_template(&mut self, now: Timestamp, template: &LaunchTemplate) {
        for place in self.all_mut() {
            place.ec2.register_launch_template(now, template.clone());
        }
    }

    /// What has happened in all of them, in the order of time.
    pub(super) fn take_happenings(&mut self) -> Vec<Ec2Happening> {
        let places = self.all_mut();
        let mut all: Vec<_> = places
            .flat_map(|place| place.ec2.take_happenings())
            .collect();
        all.sort_by_key(|happening| happening.at);
        all
    }

    /// EventBridge hands the events of all regions on to the home's queue.
    pub(super) fn take_events(&mut self) -> Vec<String> {
        let places = self.all_mut();
        places.flat_map(|place| place.ec2.take_events()).collect()
    }

    /// A request is for the region that its signature names. Home refuses what names none of ours.
    pub(super) fn asked(&mut self, request: &Request<Vec<u8>>) -> &mut Place {
        let region = signer(request)
            .ok()
            .map(|signer| Region::new(signer.region));
        match region.and_then(|region| self.further.get_mut(&region)) {
            Some(place) => place,
            None => &mut self.home,
        }
    }
}

impl Place {
    fn new(settings: &WorldSettings, region: &Region, seed: u64) -> Self {
        Self {
            ec2: new_ec2(settings, region, seed),
            runner_table: RunnerTable::new(&settings.runner_table, settings.runner_role.clone()),
            drills: Drills::default(),
        }
    }

    fn is_in(&self, region: &Region) -> bool {
        self.ec2.settings().region == *region
    }

    pub(super) fn answer_for_drills(
        &mut self,
        now: Timestamp,
        stack: (&str, &str),
        request: &Request<Vec<u8>>,
    ) -> Response<Vec<u8>> {
        self.drills.handle(now, &mut self.ec2, stack, request)
    }

    pub(super) fn answer_for_table(
        &mut self,
        now: Timestamp,
        request: &Request<Vec<u8>>,
    ) -> Response<Vec<u8>> {
        self.runner_table.handle(now, &self.ec2, request)
    }
}

fn new_ec2(settings: &WorldSettings, region: &Region, seed: u64) -> Ec2 {
    let mut ec2 = Ec2Settings::new(settings.account.clone(), region.clone(), seed);
    ec2.instance_may_tag.0 = settings.tags.interrupted();
    ec2.images.push(runner_image(settings));
    let behaviour = settings.ec2;
    Ec2::new(Ec2Settings {
        list_delay: behaviour.list_delay,
        list_delay_varies_by: behaviour.list_delay_varies_by,
        boot_takes: behaviour.boot_takes,
        shutdown_takes: behaviour.shutdown_takes,
        rate_limits: behaviour.rate_limits,
        ..ec2
    })
}

/// What the launch template names.
fn runner_image(settings: &WorldSettings) -> Image {
    let made_at = settings.start.checked_sub(RUNNER_IMAGE_AGE);
    Image {
        id: RUNNER_IMAGE.to_owned(),
        name: "runner-x64".to_owned(),
        owner: settings.account.to_string(),
        owner_alias: None,
        architecture: Architecture::X64,
        root_device: "/dev/sda1".to_owned(),
        created_at: made_at.unwrap_or(settings.start),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ec2::{Call, CreateFleet, FleetConfig, FleetOverride, FleetTarget, TemplateRef};
    use crate::testbed;
    use crate::world::{AwsReply, World};

    const SECOND: &str = "eu-central-1";

    fn world() -> World {
        let mut settings = testbed::settings();
        settings.further_regions = vec![Region::new(SECOND)];
        World::new(settings).expect("a world")
    }

    /// Launches one in a region, by the template that all have.
    fn launched(world: &mut World, region: &str) -> InstanceId {
        let now = testbed::start();
        let request = CreateFleet {
            configs: vec![FleetConfig {
                template: TemplateRef::Name(world.settings().launch_template.clone()),
                version: "$Default".to_owned(),
                overrides: vec![FleetOverride {
                    instance_type: Some("c7a.large".to_owned()),
                    subnet: Some(format!("subnet-{region}a")),
                    ..FleetOverride::default()
                }],
            }],
            on_demand: FleetTarget {
                count: 1,
                ..FleetTarget::default()
            },
            ..CreateFleet::default()
        };
        let ec2 = world.ec2_in_mut(now, &Region::new(region)).expect("there");
        let fleet = ec2.create_fleet(&Call::by_account(now), &request);
        let fleet = fleet.expect("launched");
        fleet.instances().next().expect("one").clone()
    }

    fn described(world: &mut World, region: &str) -> String {
        let signature = "0".repeat(64);
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=AKIAFAKE/20260101/{region}/ec2/aws4_request, \
             SignedHeaders=host, Signature={signature}"
        );
        let request = Request::post("/")
            .header("authorization", authorization)
            .body(b"Action=DescribeInstances&Version=2016-11-15".to_vec())
            .expect("a request");
        match world.handle_aws(testbed::start(), None, &request) {
            AwsReply::Ready(answer) => String::from_utf8(answer.into_body()).expect("text"),
            AwsReply::WaitUntil(_) => panic!("EC2 lets nobody wait"),
        }
    }

    #[test]
    fn a_signature_names_the_region_that_answers() {
        let mut world = world();
        let here = launched(&mut world, "eu-west-1");
        let there = launched(&mut world, SECOND);
        let (home, second) = (
            described(&mut world, "eu-west-1"),
            described(&mut world, SECOND),
        );
        assert!(home.contains(here.as_str()) && !home.contains(there.as_str()));
        assert!(second.contains(there.as_str()) && !second.contains(here.as_str()));
        let none = described(&mut world, "us-east-1");
        assert!(none.contains("AuthFailure"), "{none}");
    }

    #[test]
    fn an_instance_is_found_wherever_it_is_and_its_events_reach_the_home() {
        let mut world = world();
        let there = launched(&mut world, SECOND);
        let region = world.region_of(&there).expect("known");
        assert_eq!(region.as_str(), SECOND);
        world.advance(testbed::at(60));
        assert!(world.instance(&there).expect("known").is_up());
        assert!(world.machine(&there).is_some());
        assert!(!world.is_queue_empty(crate::world::Queue::Ec2Events));
    }
}
