//! What is asked for of a machine, by labels or by a runner's configuration.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{FamilyPattern, Name, Range, SpotChoice};
use crate::ids::{ImageId, Region};
use crate::machine::Volume;

/// Each part of a machine that may be asked for; what is absent is somebody else's affair.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MachineWish {
    /// `spot=`.
    pub spot: Option<SpotChoice>,
    /// `family=`, in order of preference; empty means any.
    pub family: Vec<FamilyPattern>,
    /// `cpu=`, in vCPUs.
    pub cpu: Option<Range>,
    /// `ram=`, in GiB.
    pub ram: Option<Range>,
    /// `image=` or `ami=`.
    pub image: Option<ImageChoice>,
    /// `volume=`.
    pub volume: Option<Volume>,
    /// `region=`.
    pub region: Option<Region>,
    /// `private=`: without a public address.
    pub private: Option<bool>,
    /// `tag=`: tags that the instance gets beside ours.
    pub tags: BTreeMap<String, String>,
}

/// `image=` or `ami=`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageChoice {
    /// A name that configuration gives.
    Named(Name),
    /// An AMI by its id, whoever owns it.
    Ami(ImageId),
}

impl fmt::Display for ImageChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => name.fmt(f),
            Self::Ami(id) => id.fmt(f),
        }
    }
}

impl MachineWish {
    /// This wish, and the other one's parts where this one says nothing. A volume is one part; tags
    /// are taken key by key.
    #[must_use]
    pub fn or(self, other: &Self) -> Self {
        let mut tags = other.tags.clone();
        tags.extend(self.tags);
        Self {
            spot: self.spot.or(other.spot),
            family: if self.family.is_empty() {
                other.family.clone()
            } else {
                self.family
            },
            cpu: self.cpu.or(other.cpu),
            ram: self.ram.or(other.ram),
            image: self.image.or_else(|| other.image.clone()),
            volume: self.volume.or(other.volume),
            region: self.region.or_else(|| other.region.clone()),
            private: self.private.or(other.private),
            tags,
        }
    }
}
