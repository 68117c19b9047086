//! EC2 instances as they are seen from outside.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{AccountId, ImageId, InstanceId, Region};

/// An instance, named so that two accounts or regions can never be mixed up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Instance {
    /// The account that owns it.
    pub account: AccountId,
    /// The region it runs in.
    pub region: Region,
    /// Its id.
    pub id: InstanceId,
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.account, self.region, self.id)
    }
}

/// How an instance is paid for, and whether EC2 may take it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Capacity {
    /// May be taken back at two minutes' notice.
    Spot,
    /// Stays until somebody ends it.
    OnDemand,
}

impl Capacity {
    /// The word for logs, metrics and tags.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Spot => "spot",
            Self::OnDemand => "on-demand",
        }
    }
}

impl fmt::Display for Capacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The state word of DescribeInstances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstanceState {
    /// Being started.
    Pending,
    /// Running.
    Running,
    /// Being ended.
    ShuttingDown,
    /// Ended; visible for about an hour more.
    Terminated,
    /// Being stopped.
    Stopping,
    /// Stopped; its tags stay.
    Stopped,
    /// A word that EC2 has added since.
    Unknown,
}

impl InstanceState {
    /// The state that EC2 names so.
    pub fn from_word(word: &str) -> Self {
        match word {
            "pending" => Self::Pending,
            "running" => Self::Running,
            "shutting-down" => Self::ShuttingDown,
            "terminated" => Self::Terminated,
            "stopping" => Self::Stopping,
            "stopped" => Self::Stopped,
            _ => Self::Unknown,
        }
    }

    /// EC2's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Unknown => "unknown",
        }
    }

    /// Whether no job can begin on it any more. One that was stopped has lost its runner, too: it takes a job
    /// once, at its first boot.
    pub fn is_over(self) -> bool {
        match self {
            Self::ShuttingDown | Self::Terminated | Self::Stopping | Self::Stopped => true,
            Self::Pending | Self::Running | Self::Unknown => false,
        }
    }
}

/// What EC2 says of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceView {
    /// Which instance.
    pub instance: Instance,
    /// Spot or on-demand.
    pub capacity: Capacity,
    /// Its state.
    pub state: InstanceState,
    /// `StateReason.Code`, as `Server.SpotInstanceTermination`.
    pub state_reason: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its type, as `c7a.large`.
    pub instance_type: String,
    /// Its zone, as `eu-west-1a`.
    pub zone: Option<String>,
    /// Its subnet.
    pub subnet: Option<String>,
    /// When it was launched.
    pub launched_at: Option<Timestamp>,
    /// Its image.
    pub image: Option<ImageId>,
}

/// What EC2 says of the request behind a spot instance, as `fulfilled` or `marked-for-termination`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpotStatus {
    /// `Status.Code`.
    pub code: String,
    /// Since when: `Status.UpdateTime`.
    pub since: Option<Timestamp>,
}

/// The answer to "what is this instance?".
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "made once a look and taken apart at once, never stored in numbers"
)]
pub enum InstanceSight {
    /// EC2 knows it.
    Seen(InstanceView),
    /// EC2 does not list it: forgotten about an hour after its end, not yet listed (EC2 is
    /// eventually consistent), or never ours.
    Absent,
}
