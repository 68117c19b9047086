//! One instance: its history of states and tags, its notice, its spot request.
//!
//! Histories rather than values, because a description that lags shows an earlier moment.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::InstanceId;
use reprise_model::instance::{Capacity, Instance, InstanceState, InstanceView};

use super::market::{InterruptionAction, InterruptionCause};
use super::settings::Ec2Settings;

/// Why an instance ended or stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EndReason {
    /// EC2 took it back for good.
    SpotTermination,
    /// EC2 took it back by stopping or hibernating it.
    SpotShutdown,
    /// An API call ended it.
    UserInitiated,
    /// Its own operating system shut down.
    FromInside,
    /// Its host died.
    HostFailure,
}

impl EndReason {
    /// `StateReason.Code`.
    pub fn code(self) -> &'static str {
        match self {
            Self::SpotTermination => "Server.SpotInstanceTermination",
            Self::SpotShutdown => "Server.SpotInstanceShutdown",
            Self::UserInitiated => "Client.UserInitiatedShutdown",
            Self::FromInside => "Client.InstanceInitiatedShutdown",
            Self::HostFailure => "Server.InternalError",
        }
    }

    pub(super) fn message(self) -> String {
        let words = match self {
            Self::SpotTermination => "Spot instance termination",
            Self::SpotShutdown => "Spot instance shutdown",
            Self::UserInitiated => "User initiated shutdown",
            Self::FromInside => "Instance initiated shutdown",
            Self::HostFailure => "Internal error",
        };
        format!("{}: {words}", self.code())
    }
}

/// A standing interruption notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notice {
    /// What EC2 is going to do.
    pub action: InterruptionAction,
    /// Since when it stands.
    pub since: Timestamp,
    /// When EC2 says that it acts.
    pub time: Timestamp,
    /// When it does.
    pub(super) acts_at: Option<Timestamp>,
}

/// The request behind a spot instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpotRequest {
    /// Its id, as `sir-0123abcd`.
    pub id: String,
    /// `active` or `closed`.
    pub state: &'static str,
    /// `fulfilled`, `marked-for-termination`, `instance-terminated-by-price` ...
    pub status: String,
    /// When the status last changed.
    pub updated_at: Timestamp,
    /// Why EC2 takes the instance, once it does.
    pub(super) cause: InterruptionCause,
    /// What it was before, the oldest first.
    pub(super) earlier: Vec<SpotRequest>,
}

impl SpotRequest {
    /// The request as it was at a moment; `None` before it was made.
    pub(super) fn at(&self, moment: Timestamp) -> Option<Self> {
        let was = |one: &&Self| one.updated_at <= moment;
        let history = std::iter::once(self).chain(self.earlier.iter().rev());
        history.into_iter().find(was).cloned()
    }
}

/// One instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ec2Instance {
    /// Its id.
    pub id: InstanceId,
    /// Its type, as `c7a.large`.
    pub instance_type: String,
    /// Its zone.
    pub zone: String,
    /// Its subnet, when one was named.
    pub subnet: Option<String>,
    /// Its image.
    pub image: String,
    /// Spot or on-demand.
    pub capacity: Capacity,
    /// When it was launched.
    pub launched_at: Timestamp,
    /// The name of its role, if it has one.
    pub role: Option<String>,
    /// Whether the metadata service tells its tags.
    pub tags_in_metadata: bool,
    /// Its user data as the launch template has it (base64).
    pub user_data: Option<String>,
    /// The reservation (one launch of a fleet) that it belongs to.
    pub reservation: String,
    /// Its spot request.
    pub spot_request: Option<SpotRequest>,
    /// The notice that stands now.
    pub notice: Option<Notice>,
    /// Since when a rebalance recommendation stands.
    pub rebalance_since: Option<Timestamp>,
    pub(super) states: Vec<(Timestamp, InstanceState, Option<EndReason>)>,
    pub(super) tag_log: Vec<(Timestamp, String, String)>,
}

impl Ec2Instance {
    /// Its state now.
    pub fn state(&self) -> InstanceState {
        self.states
            .last()
            .map_or(InstanceState::Pending, |(_, state, _)| *state)
    }

    /// Why it is ending, ended or stopped.
    pub fn end_reason(&self) -> Option<EndReason> {
        self.states.last().and_then(|(_, _, reason)| *reason)
    }

    /// Whether its operating system runs: the metadata service answers and programs work.
    pub fn is_up(&self) -> bool {
        match self.state() {
            InstanceState::Running => true,
            InstanceState::Pending
            | InstanceState::ShuttingDown
            | InstanceState::Terminated
            | InstanceState::Stopping
            | InstanceState::Stopped
            | InstanceState::Unknown => false,
        }
    }

    /// Whether it has not begun to end.
    pub fn is_alive(&self) -> bool {
        match self.state() {
            InstanceState::Pending | InstanceState::Running => true,
            InstanceState::ShuttingDown
            | InstanceState::Terminated
            | InstanceState::Stopping
            | InstanceState::Stopped
            | InstanceState::Unknown => false,
        }
    }

    /// Its tags now.
    pub fn tags(&self) -> BTreeMap<String, String> {
        self.tags_at(Timestamp::MAX)
    }

    /// The end of its life.
    pub fn terminated_at(&self) -> Option<Timestamp> {
        self.states
            .last()
            .and_then(|(at, state, _)| (*state == InstanceState::Terminated).then_some(*at))
    }

    pub(super) fn tags_at(&self, moment: Timestamp) -> BTreeMap<String, String> {
        self.tag_log
            .iter()
            .filter(|(at, _, _)| *at <= moment)
            .map(|(_, key, value)| (key.clone(), value.clone()))
            .collect()
    }

    pub(super) fn is_listed_at(&self, moment: Timestamp) -> bool {
        self.launched_at <= moment
    }

    pub(super) fn state_at(&self, moment: Timestamp) -> (InstanceState, Option<EndReason>) {
        self.states
            .iter()
            .rev()
            .find(|(at, _, _)| *at <= moment)
            .map_or((InstanceState::Pending, None), |(_, state, reason)| {
                (*state, *reason)
            })
    }

    pub(super) fn view_at(&self, moment: Timestamp, settings: &Ec2Settings) -> InstanceView {
        let (state, reason) = self.state_at(moment);
        InstanceView {
            instance: Instance {
                account: settings.account.clone(),
                region: settings.region.clone(),
                id: self.id.clone(),
            },
            capacity: self.capacity,
            state,
            state_reason: reason.map(|reason| reason.code().to_owned()),
            tags: self.tags_at(moment),
            instance_type: self.instance_type.clone(),
            zone: Some(self.zone.clone()),
            subnet: self.subnet.clone(),
            launched_at: Some(self.launched_at),
            image: self.image.parse().ok(),
        }
    }
}

/// The moment that a description made at `now` shows.
pub(super) fn moment_shown(now: Timestamp, list_delay: SignedDuration) -> Timestamp {
    now.checked_sub(list_delay).unwrap_or(Timestamp::MIN)
}

/// DescribeInstances' number for a state.
pub(super) fn state_code(state: InstanceState) -> u16 {
    match state {
        InstanceState::Pending => 0,
        InstanceState::Running => 16,
        InstanceState::ShuttingDown => 32,
        InstanceState::Terminated => 48,
        InstanceState::Stopping => 64,
        InstanceState::Stopped => 80,
        InstanceState::Unknown => 255,
    }
}
