//! EC2: instances that are launched, tagged, taken and ended.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use reprise_controller::ports::{Cloud, LaunchOrder, PortError, PortErrorKind};
use reprise_engine::offer::ImageSource;
use reprise_engine::select::{ImageQuery, ImageView};
use reprise_model::ids::{AccountId, ImageId, InstanceId, Region};
use reprise_model::image::ImageDates;
use reprise_model::instance::{
    Capacity, Instance, InstanceSight, InstanceState, InstanceView, SpotStatus,
};
use reprise_model::launch::{
    FleetAnswer, FleetFailure, FleetOutcome, LaunchFault, Launched, Shortage,
};
use reprise_model::machine::MachineType;
use reprise_model::tags::TagKeys;

use super::clock::TestClock;
use super::samples::{ACCOUNT, REGION, STACK, secs};
use super::{failure, passing, takes};

/// What all instances were launched from.
pub(crate) const IMAGE: &str = "ami-0123456789abcdef0";

#[derive(Debug, Clone)]
pub(crate) struct FakeCloud {
    state: Arc<Mutex<State>>,
    clock: TestClock,
}

#[derive(Debug, Default)]
struct State {
    instances: BTreeMap<InstanceId, InstanceView>,
    fleets: BTreeMap<String, FleetAnswer>,
    launched: Vec<InstanceId>,
    spot_left: Option<u32>,
    on_demand_left: Option<u32>,
    answers_take: Duration,
    /// The subnets in which spot is short.
    short: BTreeSet<String>,
    spot_requests: BTreeMap<InstanceId, SpotStatus>,
    spot_reads: u32,
    no_spot_reads: bool,
    no_looks: bool,
    no_answers: bool,
    throttles_until: Option<Timestamp>,
    no_tags: bool,
    tag_calls: u32,
    panics: BTreeSet<InstanceId>,
    looks: u32,
    lists: u32,
    launch_calls: u32,
    terminate_calls: u32,
    ended_at: Vec<Timestamp>,
    orders: Vec<LaunchOrder>,
    machine_types: Vec<MachineType>,
    machine_type_reads: u32,
    images: Vec<ImageView>,
    image_reads: u32,
    image_dates: BTreeMap<ImageId, ImageDates>,
    image_date_reads: u32,
    launches_take: Duration,
    looks_take: Duration,
    ends_take: Duration,
    /// What EC2 answers about consoles, one after the other; then that it has nothing.
    consoles: BTreeMap<InstanceId, VecDeque<String>>,
    no_consoles: bool,
    console_reads: Vec<(Timestamp, InstanceId)>,
}

impl FakeCloud {
    pub(crate) fn new(clock: TestClock) -> Self {
        Self {
            state: Arc::default(),
            clock,
        }
    }

    /// A running instance of our stack.
    pub(crate) fn add(&self, id: &str, capacity: Capacity) {
        let tags = BTreeMap::from([(TagKeys::default().stack(), STACK.to_owned())]);
        let view = self.view(id.parse().expect("an id"), capacity, tags);
        self.lock().instances.insert(view.instance.id.clone(), view);
    }

    /// What the agent does when it has seen a notice.
    pub(crate) fn tag_interrupted(&self, id: &str) {
        self.change(id, |view| {
            view.tags
                .insert(TagKeys::default().interrupted(), "true".to_owned());
        });
    }

    /// EC2 says this of the request behind a spot instance from now on.
    pub(crate) fn spot_request_is(&self, id: &str, code: &str) {
        let status = SpotStatus {
            code: code.to_owned(),
            since: Some(self.clock.time()),
        };
        let id = id.parse().expect("an id");
        self.lock().spot_requests.insert(id, status);
    }

    /// EC2 answers this when it is asked for a console next; an empty text is none.
    pub(crate) fn console_says(&self, id: &str, text: &str) {
        let id = id.parse().expect("an id");
        let mut state = self.lock();
        state
            .consoles
            .entry(id)
            .or_default()
            .push_back(text.to_owned());
    }

    /// GetConsoleOutput fails.
    pub(crate) fn no_consoles(&self) {
        self.lock().no_consoles = true;
    }

    /// When which console was asked for.
    pub(crate) fn console_reads(&self) -> Vec<(Timestamp, InstanceId)> {
        self.lock().console_reads.clone()
    }

    /// How often a spot request was read, in vain or not.
    pub(crate) fn spot_reads(&self) -> u32 {
        self.lock().spot_reads
    }

    /// DescribeSpotInstanceRequests fails.
    pub(crate) fn no_spot_reads(&self) {
        self.lock().no_spot_reads = true;
    }

    pub(crate) fn remove_tag(&self, id: &str, key: &str) {
        self.change(id, |view| {
            view.tags.remove(key);
        });
    }

    /// EC2 has ended it.
    pub(crate) fn take(&self, id: &str) {
        self.change(id, |view| view.state = InstanceState::Terminated);
    }

    /// EC2 has these types and images.
    pub(crate) fn has(&self, types: Vec<MachineType>, images: Vec<ImageView>) {
        let mut state = self.lock();
        state.machine_types = types;
        state.images = images;
    }

    /// How often the types were read, and how often an image was.
    pub(crate) fn reads(&self) -> (u32, u32) {
        let state = self.lock();
        (state.machine_type_reads, state.image_reads)
    }

    /// The image of all instances was made then.
    pub(crate) fn image_made_at(&self, time: Timestamp) {
        let image = IMAGE.parse().expect("an image");
        let dates = ImageDates::new(time, None);
        self.lock().image_dates.insert(image, dates);
    }

    /// The image of all instances has a tag that says when its runner came out.
    pub(crate) fn runner_released_at(&self, date: &str) {
        for dates in self.lock().image_dates.values_mut() {
            *dates = ImageDates::new(dates.made_at, Some(date));
        }
    }

    /// How often it was asked when images were made.
    pub(crate) fn image_date_reads(&self) -> u32 {
        self.lock().image_date_reads
    }

    /// CreateTags fails.
    pub(crate) fn no_tags(&self) {
        self.lock().no_tags = true;
    }

    /// How often an instance was tagged, in vain or not.
    pub(crate) fn tag_calls(&self) -> u32 {
        self.lock().tag_calls
    }

    /// The value of an instance's tag.
    pub(crate) fn tag_of(&self, id: &str, key: &str) -> Option<String> {
        let id: InstanceId = id.parse().expect("an id");
        self.lock().instances[&id].tags.get(key).cloned()
    }

    /// EC2 has taken it: it has ended, and says so.
    pub(crate) fn take_by_interruption(&self, id: &str) {
        self.change(id, |view| {
            view.state = InstanceState::Terminated;
            view.state_reason = Some("Server.SpotInstanceTermination".to_owned());
        });
    }

    /// EC2 has stopped it, and says so.
    pub(crate) fn stop_by_interruption(&self, id: &str) {
        self.change(id, |view| {
            view.state = InstanceState::Stopped;
            view.state_reason = Some("Server.SpotInstanceShutdown".to_owned());
        });
    }

    /// What was asked for, in order.
    pub(crate) fn orders(&self) -> Vec<LaunchOrder> {
        self.lock().orders.clone()
    }

    /// EC2 has no spot capacity.
    pub(crate) fn no_spot(&self) {
        self.spot_for(0);
    }

    /// EC2 has spot capacity for so many more instances.
    pub(crate) fn spot_for(&self, instances: u32) {
        self.lock().spot_left = Some(instances);
    }

    /// EC2 has on-demand capacity for so many more instances; `None` for all.
    pub(crate) fn on_demand_for(&self, instances: Option<u32>) {
        self.lock().on_demand_left = instances;
    }

    /// How long a CreateFleet call's answer is under way.
    pub(crate) fn answers_take(&self, time: Duration) {
        self.lock().answers_take = time;
    }

    /// EC2 has spot capacity in all subnets but these.
    pub(crate) fn short_in(&self, subnets: &[&str]) {
        self.lock().short = subnets.iter().map(|subnet| (*subnet).to_owned()).collect();
    }

    /// EC2 takes an instance back.
    pub(crate) fn take_back(&self, id: &str) {
        self.change(id, |view| {
            view.state = InstanceState::Terminated;
            view.state_reason = Some("Server.SpotInstanceTermination".to_owned());
        });
    }

    /// CreateFleet's answers are lost: nothing is launched, as far as anybody knows.
    pub(crate) fn no_launch_answers(&self, lost: bool) {
        self.lock().no_answers = lost;
    }

    /// CreateFleet and TerminateInstances are throttled for so long.
    pub(crate) fn throttles_for(&self, seconds: i64) {
        let until = self.clock.time() + secs(seconds);
        self.lock().throttles_until = Some(until);
    }

    /// DescribeInstances fails, or works again.
    pub(crate) fn no_looks(&self, fails: bool) {
        self.lock().no_looks = fails;
    }

    /// A look at this instance is a defect that panics, or is mended.
    pub(crate) fn panics_at(&self, id: &str, panics: bool) {
        let id: InstanceId = id.parse().expect("an id");
        let mut state = self.lock();
        if panics {
            state.panics.insert(id);
        } else {
            state.panics.remove(&id);
        }
    }

    /// How long a CreateFleet call takes until EC2 acts.
    pub(crate) fn launches_take(&self, time: Duration) {
        self.lock().launches_take = time;
    }

    /// How long a DescribeInstances call takes.
    pub(crate) fn looks_take(&self, time: Duration) {
        self.lock().looks_take = time;
    }

    /// How many CreateFleet calls were begun.
    pub(crate) fn launch_calls(&self) -> u32 {
        self.lock().launch_calls
    }

    /// What was launched, in the order of the launches.
    pub(crate) fn launched(&self) -> Vec<Capacity> {
        let state = self.lock();
        let launched = state.launched.iter();
        launched.map(|id| state.instances[id].capacity).collect()
    }

    /// The id of the only launched instance.
    pub(crate) fn only_launched(&self) -> String {
        let state = self.lock();
        match state.launched.as_slice() {
            [only] => only.to_string(),
            launched => panic!("not one was launched but {launched:?}"),
        }
    }

    /// The id of the instance that was launched last.
    pub(crate) fn last_launched(&self) -> String {
        let state = self.lock();
        let last = state.launched.last().expect("one was launched");
        last.to_string()
    }

    pub(crate) fn state_of(&self, id: &str) -> InstanceState {
        let id: InstanceId = id.parse().expect("an id");
        self.lock().instances[&id].state
    }

    /// How many calls asked about an instance.
    pub(crate) fn looks(&self) -> u32 {
        self.lock().looks
    }

    fn create_fleet(&self, order: &LaunchOrder) -> FleetOutcome {
        let mut state = self.lock();
        if let Some(before) = state.fleets.get(&order.client_token) {
            return Ok(before.clone());
        }
        if self.throttles(&state) {
            return Err(FleetFailure {
                fault: LaunchFault::Throttled,
                code: Some("RequestLimitExceeded".to_owned()),
                detail: "RequestLimitExceeded".to_owned(),
            });
        }
        if state.no_answers {
            return Err(FleetFailure {
                fault: LaunchFault::Unclear,
                code: None,
                detail: "no answer came".to_owned(),
            });
        }
        let fleet = self.fleet(&mut state, order);
        let token = order.client_token.clone();
        state.fleets.insert(token, fleet.clone());
        Ok(fleet)
    }

    fn fleet(&self, state: &mut State, order: &LaunchOrder) -> FleetAnswer {
        let mut shortfall = short_pools(order, &state.short);
        let subnet = subnets_asked(order).find(|subnet| !state.short.contains(*subnet));
        let subnet = match order.capacity {
            Capacity::Spot => subnet,
            Capacity::OnDemand => order.subnets.first(),
        };
        let Some(subnet) = subnet else {
            return FleetAnswer {
                shortfall,
                ..FleetAnswer::default()
            };
        };
        let left = match order.capacity {
            Capacity::Spot => &mut state.spot_left,
            Capacity::OnDemand => &mut state.on_demand_left,
        };
        let given = order.count.min(left.unwrap_or(u32::MAX));
        *left = left.map(|left| left - given);
        if given < order.count {
            shortfall.push(short_of(order.capacity));
        }
        let launched = (0..given).map(|_| {
            let number = state.launched.len() + 1;
            let id: InstanceId = format!("i-{number:017}").parse().expect("an id");
            let view = self.view(id.clone(), order.capacity, order.tags.clone());
            state.instances.insert(id.clone(), view);
            state.launched.push(id.clone());
            Launched {
                instance: id,
                capacity: order.capacity,
                instance_type: order.instance_types.first().cloned(),
                zone: Some(zone_of(subnet)),
                subnet: Some(subnet.clone()),
            }
        });
        FleetAnswer {
            fleet: None,
            launched: launched.collect(),
            shortfall,
        }
    }

    fn view(
        &self,
        id: InstanceId,
        capacity: Capacity,
        tags: BTreeMap<String, String>,
    ) -> InstanceView {
        InstanceView {
            instance: Instance {
                account: AccountId::new(ACCOUNT),
                region: Region::new(REGION),
                id,
            },
            capacity,
            state: InstanceState::Running,
            state_reason: None,
            tags,
            instance_type: "c7a.large".to_owned(),
            zone: Some(zone_of("subnet-a")),
            subnet: Some("subnet-a".to_owned()),
            launched_at: Some(self.clock.time()),
            image: Some(IMAGE.parse().expect("an image")),
        }
    }

    /// How often the instances of the stack were listed.
    pub(crate) fn lists(&self) -> u32 {
        self.lock().lists
    }

    /// How often TerminateInstances was called.
    pub(crate) fn terminate_calls(&self) -> u32 {
        self.lock().terminate_calls
    }

    /// How long a TerminateInstances call takes.
    pub(crate) fn ends_take(&self, time: Duration) {
        self.lock().ends_take = time;
    }

    /// How many moments there were at which instances ended: those of one moment share a call.
    pub(crate) fn moments_of_ends(&self) -> usize {
        let ended_at: BTreeSet<Timestamp> = self.lock().ended_at.iter().copied().collect();
        ended_at.len()
    }

    /// How many instances have not ended.
    pub(crate) fn alive(&self) -> usize {
        let state = self.lock();
        let lives = |view: &&InstanceView| view.state != InstanceState::Terminated;
        state.instances.values().filter(lives).count()
    }

    /// Somebody stops it.
    pub(crate) fn stop(&self, id: &str) {
        self.change(id, |view| view.state = InstanceState::Stopped);
    }

    fn throttles(&self, state: &State) -> bool {
        let now = self.clock.time();
        state.throttles_until.is_some_and(|until| now < until)
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut InstanceView)) {
        let id: InstanceId = id.parse().expect("an id");
        change(self.lock().instances.get_mut(&id).expect("it is there"));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .unwrap_or_else(|poison| poison.into_inner())
    }
}

impl Cloud for FakeCloud {
    async fn look(&self, _: &Region, id: &InstanceId) -> Result<InstanceSight, PortError> {
        let time = self.lock().looks_take;
        takes(time).await;
        let mut state = self.lock();
        state.looks += 1;
        assert!(!state.panics.contains(id), "a defect at {id}");
        if state.no_looks {
            return Err(passing("describe an instance"));
        }
        Ok(match state.instances.get(id) {
            Some(view) => InstanceSight::Seen(view.clone()),
            None => InstanceSight::Absent,
        })
    }

    async fn spot_status(
        &self,
        _: &Region,
        id: &InstanceId,
    ) -> Result<Option<SpotStatus>, PortError> {
        let mut state = self.lock();
        state.spot_reads += 1;
        if state.no_spot_reads {
            return Err(passing("describe a spot request"));
        }
        Ok(state.spot_requests.get(id).cloned())
    }

    async fn launch(&self, order: &LaunchOrder) -> FleetOutcome {
        let time = {
            let mut state = self.lock();
            state.launch_calls += 1;
            state.orders.push(order.clone());
            state.launches_take
        };
        takes(time).await;
        let outcome = self.create_fleet(order);
        let time = self.lock().answers_take;
        if time > Duration::ZERO {
            takes(time).await;
        }
        outcome
    }

    async fn tag(
        &self,
        _: &Region,
        id: &InstanceId,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), PortError> {
        let mut state = self.lock();
        state.tag_calls += 1;
        if state.no_tags {
            return Err(passing("tag an instance"));
        }
        if let Some(view) = state.instances.get_mut(id) {
            view.tags.extend(tags.clone());
        }
        Ok(())
    }

    async fn terminate(&self, instance: &Instance) -> Result<(), PortError> {
        let time = self.lock().ends_take;
        if time > Duration::ZERO {
            takes(time).await;
        }
        let mut state = self.lock();
        state.terminate_calls += 1;
        state.ended_at.push(self.clock.time());
        if self.throttles(&state) {
            let kind = PortErrorKind::Throttled;
            return Err(failure("terminate an instance", kind, None));
        }
        if let Some(view) = state.instances.get_mut(&instance.id) {
            view.state = InstanceState::Terminated;
        }
        Ok(())
    }

    async fn console_output(&self, instance: &Instance) -> Result<Option<String>, PortError> {
        let mut state = self.lock();
        let read = (self.clock.time(), instance.id.clone());
        state.console_reads.push(read);
        if state.no_consoles {
            return Err(passing("read an instance's console"));
        }
        let answers = state.consoles.get_mut(&instance.id);
        let text = answers.and_then(VecDeque::pop_front);
        Ok(text.filter(|text| !text.is_empty()))
    }

    async fn list_stack(
        &self,
        _: &Region,
        tag_key: &str,
        stack: &str,
        each: &mut (dyn FnMut(InstanceView) + Send),
    ) -> Result<(), PortError> {
        let mut state = self.lock();
        state.lists += 1;
        let ours = |view: &&InstanceView| view.tags.get(tag_key).map(String::as_str) == Some(stack);
        state
            .instances
            .values()
            .filter(ours)
            .cloned()
            .for_each(each);
        Ok(())
    }

    async fn machine_types(&self, _: &Region) -> Result<Vec<MachineType>, PortError> {
        let mut state = self.lock();
        state.machine_type_reads += 1;
        Ok(state.machine_types.clone())
    }

    async fn image(&self, query: &ImageQuery) -> Result<Option<ImageView>, PortError> {
        let mut state = self.lock();
        state.image_reads += 1;
        let images = state.images.iter();
        let mut images = images.filter(|image| match &query.source {
            ImageSource::Ami(id) => image.id == *id,
            ImageSource::Newest { .. } => query.architecture == Some(image.architecture),
        });
        Ok(images.next().cloned())
    }

    async fn image_dates(
        &self,
        _: &Region,
        images: &BTreeSet<ImageId>,
    ) -> Result<BTreeMap<ImageId, ImageDates>, PortError> {
        let mut state = self.lock();
        state.image_date_reads += 1;
        if state.no_looks {
            return Err(passing("describe the images in use"));
        }
        let dates = images.iter().filter_map(|image| {
            let dates = state.image_dates.get(image)?;
            Some((image.clone(), *dates))
        });
        Ok(dates.collect())
    }
}

/// The subnets that a request names for its first type.
fn subnets_asked(order: &LaunchOrder) -> impl Iterator<Item = &String> {
    let kind = order.instance_types.first().map_or("", String::as_str);
    let subnets = order.subnets.iter();
    subnets.filter(move |subnet| !order.left_out.holds(subnet, kind))
}

fn short_pools(order: &LaunchOrder, short: &BTreeSet<String>) -> Vec<Shortage> {
    if order.capacity == Capacity::OnDemand {
        return Vec::new();
    }
    let asked = subnets_asked(order).filter(|subnet| short.contains(*subnet));
    let short = asked.map(|subnet| Shortage {
        instance_type: order.instance_types.first().cloned(),
        zone: Some(zone_of(subnet)),
        subnet: Some(subnet.clone()),
        ..short_of(Capacity::Spot)
    });
    short.collect()
}

/// `subnet-a` is in the region's zone a.
fn zone_of(subnet: &str) -> String {
    let letter = subnet.trim_start_matches("subnet-");
    format!("{REGION}{letter}")
}

fn short_of(capacity: Capacity) -> Shortage {
    const CODE: &str = "InsufficientInstanceCapacity";
    Shortage {
        capacity,
        instance_type: None,
        zone: None,
        subnet: None,
        fault: LaunchFault::Capacity,
        code: Some(CODE.to_owned()),
        detail: CODE.to_owned(),
    }
}
