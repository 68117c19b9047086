//! What configuration offers to queued jobs, and within which limits labels may choose.
//!
//! Labels are written by whoever opens a pull request; what stands here is written by the operator.
//! So limits bind what labels say, and not what a configured runner stands for.

use std::collections::BTreeMap;
use std::fmt;

use reprise_model::ids::{AccountId, ImageId, Region};
use reprise_model::labels::{FamilyPattern, LabelPattern, MachineWish, Name};
use reprise_model::machine::Architecture;

use crate::room::InstanceLimits;
use crate::types::InstanceType;

/// What may be launched.
#[derive(Debug, Clone)]
pub struct FleetOffer {
    /// Where to launch unless a label says otherwise.
    pub region: Region,
    /// Where can be launched; it holds `region`.
    pub regions: Vec<RegionOffer>,
    /// The only types that may be launched, in order of preference; empty where all that EC2 has may
    /// be, within the limits.
    pub types: Vec<InstanceType>,
    /// What the image of the launch template is for.
    pub architecture: Architecture,
    /// What that image calls its root device; unknown where it is not configured.
    pub root_device: Option<String>,
    /// Runners by the name that `runner=` may say.
    pub runners: BTreeMap<Name, MachineWish>,
    /// Images by the name that `image=` may say.
    pub images: BTreeMap<Name, ImageOffer>,
    /// What labels may ask for.
    pub limits: Limits,
    /// The environment that is served, where several installations hear of the same jobs.
    pub environment: Environment,
}

/// The environment of jobs with this `env=`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment(String);

impl Environment {
    /// That of a name.
    pub fn named(name: &Name) -> Self {
        Self(name.as_str().to_owned())
    }

    /// Whether jobs with this `env=` are of it.
    pub fn serves(&self, env: Option<&Name>) -> bool {
        self.0 == env.map_or(DEFAULT_ENVIRONMENT, Name::as_str)
    }
}

/// The environment of jobs without `env=`.
const DEFAULT_ENVIRONMENT: &str = "production";

impl Default for Environment {
    fn default() -> Self {
        Self(DEFAULT_ENVIRONMENT.to_owned())
    }
}

impl FleetOffer {
    /// Some types in one region, and nothing else.
    pub fn of_types(region: RegionOffer, types: Vec<InstanceType>) -> Self {
        Self {
            region: region.region.clone(),
            regions: vec![region],
            types,
            architecture: Architecture::default(),
            root_device: None,
            runners: BTreeMap::new(),
            images: BTreeMap::new(),
            limits: Limits::default(),
            environment: Environment::default(),
        }
    }
}

/// A region that can be launched in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionOffer {
    /// Which.
    pub region: Region,
    /// The account that instances there belong to.
    pub account: AccountId,
    /// Subnets, one a zone.
    pub subnets: Vec<String>,
    /// Subnets for `private=true`, one a zone; empty where there is none.
    pub private_subnets: Vec<String>,
}

/// A configured image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageOffer {
    /// Which.
    pub source: ImageSource,
    /// What it is for.
    pub architecture: Architecture,
}

/// How an image is found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ImageSource {
    /// By its id, which holds in one region.
    Ami(ImageId),
    /// The newest of an owner with such a name.
    Newest {
        /// The owner: an account, or an alias as `amazon` and `self`.
        owner: String,
        /// The name; `*` stands for any text.
        name: String,
    },
}

impl fmt::Display for ImageSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ami(id) => id.fmt(f),
            Self::Newest { owner, name } => write!(f, "{name:?} of {owner}"),
        }
    }
}

/// What labels may ask for. What is `None` has no limit, and an empty list allows everything but what
/// its field says.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// The families that may be launched; empty allows all but whole hosts and those with
    /// accelerators.
    pub families: Vec<FamilyPattern>,
    /// The most vCPUs.
    pub cpu: Option<u32>,
    /// The most GiB of memory.
    pub ram: Option<u32>,
    /// The most GiB of a volume.
    pub volume: Option<u32>,
    /// The most provisioned operations a second of a volume.
    pub iops: Option<u32>,
    /// Whose images may be named by their id; empty allows nobody's.
    pub image_owners: Vec<String>,
    /// Where may be launched; empty allows all regions of the offer.
    pub regions: Vec<Region>,
    /// Labels that a job may have beside ours and GitHub's own words; empty allows none.
    pub labels: Vec<LabelPattern>,
    /// The most instances at once.
    pub instances: InstanceLimits,
}

impl RegionOffer {
    /// The subnets for an instance with or without a public address.
    pub fn subnets(&self, private: bool) -> &[String] {
        if private {
            &self.private_subnets
        } else {
            &self.subnets
        }
    }
}
