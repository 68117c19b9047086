//! What a simulated EC2 is like; each field may be changed after [`Ec2Settings::new`].

use std::collections::BTreeMap;

use jiff::SignedDuration;
use reprise_model::ids::{AccountId, Region};
use reprise_model::machine::MachineType;
use reprise_model::tags::{TRUE, TagKeys};

use super::images::{Image, usual_images};
use super::machines::machine_types;

/// The settings of one account in one region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ec2Settings {
    /// The account that owns everything.
    pub account: AccountId,
    /// The region.
    pub region: Region,
    /// The zones, as `eu-west-1a`.
    pub zones: Vec<String>,
    /// Subnet ids and the zone of each.
    pub subnets: BTreeMap<String, String>,
    /// The instance types that there are; another one is refused.
    pub machine_types: Vec<MachineType>,
    /// The images that descriptions tell of.
    pub images: Vec<Image>,
    /// Decides ids; the same seed and the same calls give the same world.
    pub seed: u64,
    /// How long a terminated instance stays visible.
    pub visible_after_end: SignedDuration,
    /// How far descriptions lag behind: new instances, states and tags show up so much later.
    pub list_delay: SignedDuration,
    /// Up to so much further, drawn anew for each description: answers of different servers, of
    /// which a later one may show an earlier moment.
    pub list_delay_varies_by: SignedDuration,
    /// From the launch to the state `running`.
    pub boot_takes: SignedDuration,
    /// From `shutting-down` (or `stopping`) to `terminated` (or `stopped`).
    pub shutdown_takes: SignedDuration,
    /// Whether the token buckets of the API are enforced.
    pub rate_limits: bool,
    /// How far the time of a signature may be from now. Where clocks are scaled there is no telling:
    /// clients sign by the wall's.
    pub signatures_last: Option<SignedDuration>,
    /// The one tag that an instance may put on itself, as its role's policy says.
    pub instance_may_tag: (String, String),
}

impl Ec2Settings {
    /// Three zones, each with one subnet named after it (`subnet-eu-west-1a`); an instance boots in
    /// 20 s and ends in 30 s, which is usual for Linux; descriptions do not lag.
    pub fn new(account: AccountId, region: Region, seed: u64) -> Self {
        let zones: Vec<String> = ["a", "b", "c"]
            .iter()
            .map(|letter| format!("{region}{letter}"))
            .collect();
        let subnets = zones
            .iter()
            .map(|zone| (format!("subnet-{zone}"), zone.clone()))
            .collect();
        Self {
            account,
            region,
            zones,
            subnets,
            machine_types: machine_types(),
            images: usual_images(),
            seed,
            visible_after_end: SignedDuration::from_hours(1),
            list_delay: SignedDuration::ZERO,
            list_delay_varies_by: SignedDuration::ZERO,
            boot_takes: SignedDuration::from_secs(20),
            shutdown_takes: SignedDuration::from_secs(30),
            rate_limits: true,
            signatures_last: None,
            instance_may_tag: (TagKeys::default().interrupted(), TRUE.to_owned()),
        }
    }
}
