//! The state, the passing of time, and what the world can see of it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::InstanceId;
use reprise_model::instance::{Capacity, InstanceState};

use super::buckets::Buckets;
use super::call::{CallLog, Caller};
use super::credentials::access_key;
use super::fleet::RememberedFleet;
use super::instance::{Ec2Instance, EndReason, SpotRequest};
use super::market::{InterruptionAction, InterruptionCause, Pool, Supply};
use super::settings::Ec2Settings;
use super::template::Registered;
use crate::event_bridge::{Ec2Envelope, Ec2Notification};

/// One account's EC2 in one region.
#[derive(Debug, Clone)]
pub struct Ec2 {
    pub(super) settings: Ec2Settings,
    pub(super) rng: fastrand::Rng,
    pub(super) instances: BTreeMap<InstanceId, Ec2Instance>,
    pub(super) keys: BTreeMap<String, InstanceId>,
    pub(super) templates: BTreeMap<String, Registered>,
    pub(super) fleets: BTreeMap<String, RememberedFleet>,
    pub(super) supplies: Vec<(Pool, Supply)>,
    pub(super) buckets: Buckets,
    pub(super) log: CallLog,
    agenda: BTreeSet<(Timestamp, Step, InstanceId)>,
    events: Vec<String>,
    happenings: Vec<Ec2Happening>,
}

/// What is going to happen to an instance by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// It has booted.
    Run,
    /// The time of its notice has come.
    Reclaim,
    /// It has shut down for good.
    Terminate,
    /// It has shut down to be resumed.
    Halt,
    /// Descriptions forget it.
    Forget,
}

/// One line of the story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ec2Happening {
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub what: Happened,
}

/// What may happen in EC2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// An instance was launched.
    Launched {
        /// The instance.
        id: InstanceId,
        /// Its type.
        instance_type: String,
        /// Its zone.
        zone: String,
        /// Spot or on-demand.
        capacity: Capacity,
        /// Its tags at birth.
        tags: BTreeMap<String, String>,
    },
    /// A pool had no instance to give.
    LaunchRefused {
        /// The type asked for.
        instance_type: String,
        /// The zone asked for.
        zone: String,
        /// Spot or on-demand.
        capacity: Capacity,
        /// The error's code.
        code: String,
    },
    /// An instance has booted.
    Running(InstanceId),
    /// EC2 gave notice.
    Notice {
        /// The instance.
        id: InstanceId,
        /// What is going to be done.
        action: InterruptionAction,
        /// When it is going to be done.
        time: Timestamp,
    },
    /// EC2 recommends to move on.
    RebalanceRecommended(InstanceId),
    /// An instance was tagged after its launch.
    Tagged {
        /// The instance.
        id: InstanceId,
        /// Who tagged it.
        by: Caller,
        /// The tag's key.
        key: String,
        /// The tag's value.
        value: String,
    },
    /// An instance began to end.
    ShuttingDown {
        /// The instance.
        id: InstanceId,
        /// Why.
        reason: EndReason,
    },
    /// An instance stopped and may come back.
    Stopped(InstanceId),
    /// An instance ended.
    Terminated {
        /// The instance.
        id: InstanceId,
        /// Why.
        reason: EndReason,
    },
}

/// An instance that another EC2 launched and this one shall know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// Its id.
    pub id: InstanceId,
    /// Its type.
    pub instance_type: String,
    /// Its zone.
    pub zone: String,
    /// Spot or on-demand.
    pub capacity: Capacity,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// The name of its role.
    pub role: Option<String>,
}

impl Ec2 {
    /// An empty region with unlimited capacity.
    pub fn new(settings: Ec2Settings) -> Self {
        Self {
            rng: fastrand::Rng::with_seed(settings.seed),
            settings,
            instances: BTreeMap::new(),
            keys: BTreeMap::new(),
            templates: BTreeMap::new(),
            fleets: BTreeMap::new(),
            supplies: Vec::new(),
            buckets: Buckets::default(),
            log: CallLog::default(),
            agenda: BTreeSet::new(),
            events: Vec::new(),
            happenings: Vec::new(),
        }
    }

    /// The settings.
    pub fn settings(&self) -> &Ec2Settings {
        &self.settings
    }

    /// All instances that are still remembered, without any lag.
    pub fn instances(&self) -> impl Iterator<Item = &Ec2Instance> {
        self.instances.values()
    }

    /// One instance, without any lag.
    pub fn instance(&self, id: &InstanceId) -> Option<&Ec2Instance> {
        self.instances.get(id)
    }

    /// Takes over an instance that another EC2 launched; here it runs at once.
    pub fn register_instance(&mut self, now: Timestamp, adopted: Adopted) {
        self.advance(now);
        let reservation = self.new_id("r-", 17);
        let mut instance = Ec2Instance {
            id: adopted.id,
            instance_type: adopted.instance_type,
            zone: adopted.zone,
            subnet: None,
            image: "ami-00000000000000000".to_owned(),
            capacity: adopted.capacity,
            launched_at: now,
            role: adopted.role,
            tags_in_metadata: true,
            user_data: None,
            reservation,
            spot_request: None,
            notice: None,
            rebalance_since: None,
            states: vec![(now, InstanceState::Running, None)],
            tag_log: Vec::new(),
        };
        instance.spot_request = self.spot_request_for(now, adopted.capacity);
        instance.tag_log = at_birth(now, adopted.tags);
        self.remember(instance);
    }

    /// Lets everything happen that is due by `now`, in order. Every other call does this first.
    pub fn advance(&mut self, now: Timestamp) {
        while let Some((at, step, id)) = self.agenda.first().cloned() {
            if at > now {
                break;
            }
            self.agenda.pop_first();
            self.perform(at, step, &id);
        }
        self.forget_fleets(now);
    }

    /// When something is going to happen by itself next.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.agenda.first().map(|(at, _, _)| *at)
    }

    /// The EventBridge envelopes (JSON texts) since the last time this was asked.
    pub fn take_events(&mut self) -> Vec<String> {
        std::mem::take(&mut self.events)
    }

    /// The story since the last time this was asked.
    pub fn take_happenings(&mut self) -> Vec<Ec2Happening> {
        std::mem::take(&mut self.happenings)
    }

    fn perform(&mut self, at: Timestamp, step: Step, id: &InstanceId) {
        let Some(instance) = self.instances.get(id) else {
            return;
        };
        let state = instance.state();
        let reason = instance.end_reason();
        // A step that was overtaken (an API call ended the instance first) finds another state.
        match step {
            Step::Run if state == InstanceState::Pending => {
                self.transition(at, id, InstanceState::Running, None);
            }
            Step::Reclaim
                if instance
                    .notice
                    .is_some_and(|notice| notice.acts_at == Some(at)) =>
            {
                self.reclaim(at, id);
            }
            Step::Terminate if state == InstanceState::ShuttingDown => {
                self.transition(at, id, InstanceState::Terminated, reason);
            }
            Step::Halt if state == InstanceState::Stopping => {
                self.transition(at, id, InstanceState::Stopped, reason);
            }
            Step::Forget => self.forget(id),
            Step::Run | Step::Reclaim | Step::Terminate | Step::Halt => {}
        }
    }

    /// Moves an instance to a state and tells everybody.
    pub(super) fn transition(
        &mut self,
        at: Timestamp,
        id: &InstanceId,
        state: InstanceState,
        reason: Option<EndReason>,
    ) {
        let Some(instance) = self.instances.get_mut(id) else {
            return;
        };
        instance.states.push((at, state, reason));
        self.notify(at, id, Ec2Notification::StateChange(state.as_str()));
        let then = match state {
            InstanceState::Pending => Some((self.settings.boot_takes, Step::Run)),
            InstanceState::ShuttingDown => Some((self.settings.shutdown_takes, Step::Terminate)),
            InstanceState::Stopping => Some((self.settings.shutdown_takes, Step::Halt)),
            InstanceState::Terminated => Some((self.settings.visible_after_end, Step::Forget)),
            InstanceState::Running | InstanceState::Stopped | InstanceState::Unknown => None,
        };
        if let Some((after, step)) = then {
            self.plan(later(at, after), step, id);
        }
        self.tell_transition(at, id, state, reason);
    }

    fn tell_transition(
        &mut self,
        at: Timestamp,
        id: &InstanceId,
        state: InstanceState,
        reason: Option<EndReason>,
    ) {
        let id = id.clone();
        match (state, reason) {
            (InstanceState::Running, _) => self.tell(at, Happened::Running(id)),
            (InstanceState::Stopped, _) => self.tell(at, Happened::Stopped(id)),
            (InstanceState::ShuttingDown | InstanceState::Stopping, Some(reason)) => {
                self.tell(at, Happened::ShuttingDown { id, reason });
            }
            (InstanceState::Terminated, Some(reason)) => {
                self.tell(at, Happened::Terminated { id, reason });
            }
            (
                InstanceState::ShuttingDown | InstanceState::Stopping | InstanceState::Terminated,
                None,
            )
            | (InstanceState::Pending | InstanceState::Unknown, _) => {}
        }
    }

    pub(super) fn plan(&mut self, at: Timestamp, step: Step, id: &InstanceId) {
        self.agenda.insert((at, step, id.clone()));
    }

    pub(super) fn tell(&mut self, at: Timestamp, what: Happened) {
        self.happenings.push(Ec2Happening { at, what });
    }

    pub(super) fn notify(&mut self, at: Timestamp, id: &InstanceId, what: Ec2Notification) {
        let event_id = uuid(&mut self.rng);
        if let Some(instance) = self.instances.get(id) {
            let envelope = Ec2Envelope {
                id: event_id,
                at,
                account: &self.settings.account,
                region: &self.settings.region,
                zone: &instance.zone,
                instance: id,
                notification: what,
            };
            self.events.push(envelope.to_json());
        }
    }

    pub(super) fn remember(&mut self, instance: Ec2Instance) {
        if instance.role.is_some() {
            self.keys
                .insert(access_key(&instance.id), instance.id.clone());
        }
        self.instances.insert(instance.id.clone(), instance);
    }

    fn forget(&mut self, id: &InstanceId) {
        self.keys.remove(&access_key(id));
        self.instances.remove(id);
    }

    pub(super) fn spot_request_for(
        &mut self,
        now: Timestamp,
        capacity: Capacity,
    ) -> Option<SpotRequest> {
        (capacity == Capacity::Spot).then(|| SpotRequest {
            id: self.new_id("sir-", 8),
            state: "active",
            status: "fulfilled".to_owned(),
            updated_at: now,
            cause: InterruptionCause::NoCapacity,
            earlier: Vec::new(),
        })
    }

    /// A fresh id: the prefix and so many hexadecimal digits.
    pub(super) fn new_id(&mut self, prefix: &str, digits: usize) -> String {
        let mut id = prefix.to_owned();
        id.extend(std::iter::repeat_with(|| self.rng.digit(16)).take(digits));
        id
    }
}

/// Tags that an instance had from its first moment.
pub(super) fn at_birth(
    now: Timestamp,
    tags: BTreeMap<String, String>,
) -> Vec<(Timestamp, String, String)> {
    tags.into_iter()
        .map(|(key, value)| (now, key, value))
        .collect()
}

/// The moment `after` a time; the end of time when that is too far.
pub(super) fn later(at: Timestamp, after: SignedDuration) -> Timestamp {
    at.checked_add(after).unwrap_or(Timestamp::MAX)
}

fn uuid(rng: &mut fastrand::Rng) -> String {
    let hex = hex::encode(rng.u128(..).to_be_bytes());
    let variant = ['8', '9', 'a', 'b'][rng.usize(..4)];
    format!(
        "{}-{}-4{}-{variant}{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[13..16],
        &hex[17..20],
        &hex[20..]
    )
}
