//! How a world is set up.

use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::{AccountId, Region, StackName};
use reprise_model::runner_row::RoleId;
use reprise_model::tags::TagKeys;

use crate::fate::Fate;
use crate::github;
use crate::machine::MachineSettings;

/// What is fixed when a world is made.
#[derive(Clone)]
pub struct WorldSettings {
    /// When the world begins.
    pub start: Timestamp,
    /// Seeds everything in it; the same seed and the same calls give the same world.
    pub seed: u64,
    /// The stack whose tag tells our instances.
    pub stack: StackName,
    /// The keys of the tags.
    pub tags: TagKeys,
    /// The account.
    pub account: AccountId,
    /// The region: home of the queues, and of what is launched where nothing else is said.
    pub region: Region,
    /// Further regions with an EC2 and a runner table of their own.
    pub further_regions: Vec<Region>,
    /// The simulated GitHub's own settings; its seed is replaced by that of the world.
    pub github: github::Settings,
    /// The names of the queues.
    pub queues: QueueNames,
    /// How often a message is received before the next receive makes it a dead letter.
    pub max_receive_count: u32,
    /// Where webhooks and EC2 events go.
    pub delivery: DeliveryMode,
    /// The table through which instances get their runner's configuration.
    pub runner_table: String,
    /// The unique id of the instances' role.
    pub runner_role: RoleId,
    /// The name of the launch template that runners are launched from.
    pub launch_template: String,
    /// How EC2 behaves.
    pub ec2: Ec2Behaviour,
    /// How runner instances behave.
    pub machines: MachineSettings,
    /// The fate of a job that no scenario speaks of.
    pub usual_fate: Fate,
}

impl WorldSettings {
    /// The usual values: stack `reprise`, one account, `eu-west-1`, the world's own queues.
    pub fn new(seed: u64, start: Timestamp, github: github::Settings) -> Self {
        Self {
            start,
            seed,
            stack: StackName::new("reprise"),
            tags: TagKeys::default(),
            account: AccountId::new("123456789012"),
            region: Region::new("eu-west-1"),
            further_regions: Vec::new(),
            github,
            queues: QueueNames::default(),
            max_receive_count: 5,
            delivery: DeliveryMode::Own,
            runner_table: "reprise-runners".to_owned(),
            runner_role: fake_role(),
            launch_template: "reprise-runner".to_owned(),
            ec2: Ec2Behaviour::default(),
            machines: MachineSettings::default(),
            usual_fate: Fate::passes(SignedDuration::from_secs(60)),
        }
    }
}

#[expect(
    clippy::expect_used,
    reason = "a constant, which every world is made with"
)]
fn fake_role() -> RoleId {
    RoleId::try_from("AROAFAKEFAKEFAKEFAKE0".to_owned()).expect("the form of a role's id")
}

/// How EC2 behaves; see [`Ec2Settings`](crate::ec2::Ec2Settings) for what each means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ec2Behaviour {
    /// How far descriptions lag behind.
    pub list_delay: SignedDuration,
    /// Up to so much further, each description by its own.
    pub list_delay_varies_by: SignedDuration,
    /// From the launch to the state `running`.
    pub boot_takes: SignedDuration,
    /// From `shutting-down` (or `stopping`) to `terminated` (or `stopped`).
    pub shutdown_takes: SignedDuration,
    /// Whether the token buckets of the API are enforced.
    pub rate_limits: bool,
}

impl Default for Ec2Behaviour {
    /// An instance boots in 20 s and ends in 30 s, which is usual for Linux; descriptions do not lag.
    fn default() -> Self {
        Self {
            list_delay: SignedDuration::ZERO,
            list_delay_varies_by: SignedDuration::ZERO,
            boot_takes: SignedDuration::from_secs(20),
            shutdown_takes: SignedDuration::from_secs(30),
            rate_limits: true,
        }
    }
}

/// The names of the queues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueNames {
    /// Webhooks of GitHub.
    pub webhooks: String,
    /// Webhooks that nobody could handle.
    pub webhooks_dead: String,
    /// Events of EC2.
    pub ec2_events: String,
    /// Events of EC2 that nobody could handle.
    pub ec2_events_dead: String,
}

impl QueueNames {
    /// The name of a queue.
    pub fn of(&self, queue: Queue) -> &str {
        match queue {
            Queue::Webhooks => &self.webhooks,
            Queue::Ec2Events => &self.ec2_events,
        }
    }

    /// The name of a queue's dead-letter queue.
    pub fn dead_letters_of(&self, queue: Queue) -> &str {
        match queue {
            Queue::Webhooks => &self.webhooks_dead,
            Queue::Ec2Events => &self.ec2_events_dead,
        }
    }
}

impl Default for QueueNames {
    fn default() -> Self {
        Self {
            webhooks: "webhooks".to_owned(),
            webhooks_dead: "webhooks-dead".to_owned(),
            ec2_events: "ec2-events".to_owned(),
            ec2_events_dead: "ec2-events-dead".to_owned(),
        }
    }
}

/// A queue that the world sends to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Queue {
    /// Webhooks of GitHub.
    Webhooks,
    /// Events of EC2.
    Ec2Events,
}

/// Where webhooks and EC2 events go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryMode {
    /// To the world's own queues.
    Own,
    /// Nowhere: [`World::take_outgoing`](super::World::take_outgoing) hands them out, so that a
    /// test can send them to another SQS, or lose, double and reorder them.
    Elsewhere,
}

/// A message that was not sent to the world's own queues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Where it belongs.
    pub queue: Queue,
    /// Its body.
    pub body: String,
    /// Its message attributes, all of type String.
    pub attributes: Vec<(String, String)>,
}

/// Why a world cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// The simulated GitHub's settings are of no use.
    #[error("failed to set up the simulated GitHub")]
    GitHub(#[from] github::SettingsError),
}
