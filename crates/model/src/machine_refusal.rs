//! Why a machine that labels ask for is not to be had: what was asked, what there is, and the setting
//! that says so.

use std::fmt;

use crate::ids::{ImageId, Region};
use crate::labels::{FamilyPattern, Name, Range};
use crate::machine::{Architecture, Volume};

/// One reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MachineRefusal {
    /// `runner=` names none.
    #[error("runner={asked} is neither one of [runners] nor of the form 2cpu-linux-x64; {known}")]
    UnknownRunner {
        /// The name.
        asked: Name,
        /// The configured names.
        known: Known,
    },
    /// `image=` names none.
    #[error("image={asked} is none of [images]; {known}")]
    UnknownImage {
        /// The name.
        asked: Name,
        /// The configured names.
        known: Known,
    },
    /// EC2 has no such image in the region.
    #[error("there is no image {asked} in {region}")]
    NoSuchImage {
        /// The id, or what its owner and name must be.
        asked: String,
        /// Where it was looked for.
        region: Region,
    },
    /// An AMI of somebody whose images are not to be trusted.
    #[error("ami={asked} belongs to {owner}, which is none of limits.image_owners; {allowed}")]
    ImageOwner {
        /// The AMI.
        asked: ImageId,
        /// Its owner's account.
        owner: String,
        /// The owners that are allowed.
        allowed: Known,
    },
    /// Any AMI by its id, where no owner is allowed.
    #[error("ami={asked} is named by its id, and limits.image_owners names no owner")]
    NoImageOwners {
        /// The AMI.
        asked: ImageId,
    },
    /// The runner is of one architecture and the image of another.
    #[error("the image is for {image}, and runner={runner} is for another architecture")]
    Architecture {
        /// The image's architecture.
        image: Architecture,
        /// The runner's name.
        runner: Name,
    },
    /// A family that is not allowed.
    #[error("family={asked} is not allowed by limits.families; {allowed}")]
    Family {
        /// What the label says.
        asked: FamilyPattern,
        /// The families that are allowed.
        allowed: Known,
    },
    /// A family that EC2 does not have, or that is not among the configured types.
    #[error("family={asked} is no family that there is; {known}")]
    UnknownFamily {
        /// What the label says.
        asked: FamilyPattern,
        /// The families that there are.
        known: Known,
    },
    /// More vCPUs than allowed.
    #[error("cpu={asked} is more than limits.cpu, which is {most}")]
    Cpu {
        /// What the label says.
        asked: Range,
        /// The most vCPUs.
        most: u32,
    },
    /// More memory than allowed.
    #[error("ram={asked} is more than limits.ram, which is {most}")]
    Ram {
        /// What the label says.
        asked: Range,
        /// The most GiB.
        most: u32,
    },
    /// A larger volume than allowed.
    #[error("volume={asked}gb is more than limits.volume, which is {most} GiB")]
    Volume {
        /// What the label says, in GiB.
        asked: u32,
        /// The most GiB.
        most: u32,
    },
    /// A faster volume than allowed.
    #[error("volume={asked}iops is more than limits.iops, which is {most}")]
    Iops {
        /// What the label says.
        asked: u32,
        /// The most operations a second.
        most: u32,
    },
    /// A region that nothing is launched in.
    #[error("region={asked} is none that is launched in; {known}")]
    UnknownRegion {
        /// The region.
        asked: Region,
        /// Those that there are.
        known: Known,
    },
    /// A region that is not allowed.
    #[error("region={asked} is not allowed by limits.regions; {allowed}")]
    Region {
        /// The region.
        asked: Region,
        /// Those that are allowed.
        allowed: Known,
    },
    /// A private address, and no subnet for one.
    #[error("private=true, and no private_subnets are configured for {region}")]
    NoPrivateSubnets {
        /// The region.
        region: Region,
    },
    /// A tag that is ours or AWS's.
    #[error("tag={key} is reserved; its key begins as those of this installation or of AWS do")]
    ReservedTag {
        /// The key.
        key: String,
    },
    /// More tags than a launch takes.
    #[error("tag= sets {asked} tags, and an instance takes {most} beside ours")]
    TooManyTags {
        /// How many are asked for.
        asked: usize,
        /// How many there may be.
        most: usize,
    },
    /// A strategy by the order of types, and no order.
    #[error("spot=capacity-optimized-prioritized goes by exact types, and {why}")]
    InexactTypes {
        /// Which family is none.
        why: String,
    },
    /// Everything that fits is sold on-demand alone.
    #[error("EC2 sells none of {types} as spot; say spot=false")]
    NotSoldAsSpot {
        /// The types.
        types: String,
    },
    /// No type fits all that is asked for at once.
    #[error("no instance type that may be launched fits {asked}")]
    NoTypeFits {
        /// What is asked for, with the defaults.
        asked: String,
    },
    /// A volume of its own, and nobody knows what the image calls its root.
    #[error(
        "volume={asked} needs the name of the image's root device; name an image, or set \
         fleet.root_device for that of the launch template"
    )]
    NoRootDevice {
        /// What is asked for.
        asked: Volume,
    },
    /// A label beside ours by which others may find runners.
    #[error(
        "label {asked:?} says nothing to Reprise and is not allowed by limits.labels; {allowed}"
    )]
    Label {
        /// The label.
        asked: String,
        /// What the setting allows.
        allowed: Known,
    },
    /// The run has as many instances as a run may have.
    #[error("the run has {there} instances, and limits.instances_per_run is {most}")]
    RunIsFull {
        /// How many it has.
        there: u32,
        /// The most.
        most: u32,
    },
}

impl MachineRefusal {
    /// The label value for metrics and logs: one of a fixed set.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::UnknownRunner { .. } => "unknown-runner",
            Self::UnknownImage { .. } => "unknown-image",
            Self::NoSuchImage { .. } => "no-such-image",
            Self::ImageOwner { .. } | Self::NoImageOwners { .. } => "image-owner-not-allowed",
            Self::Architecture { .. } => "architectures-differ",
            Self::Family { .. } => "family-not-allowed",
            Self::UnknownFamily { .. } => "unknown-family",
            Self::Cpu { .. } => "cpu-above-limit",
            Self::Ram { .. } => "ram-above-limit",
            Self::Volume { .. } => "volume-above-limit",
            Self::Iops { .. } => "iops-above-limit",
            Self::UnknownRegion { .. } => "unknown-region",
            Self::Region { .. } => "region-not-allowed",
            Self::NoPrivateSubnets { .. } => "no-private-subnets",
            Self::ReservedTag { .. } => "reserved-tag",
            Self::TooManyTags { .. } => "too-many-tags",
            Self::InexactTypes { .. } => "inexact-types",
            Self::NotSoldAsSpot { .. } => "not-sold-as-spot",
            Self::NoTypeFits { .. } => "no-type-fits",
            Self::NoRootDevice { .. } => "no-root-device",
            Self::Label { .. } => "label-not-allowed",
            Self::RunIsFull { .. } => "run-is-full",
        }
    }
}

/// All reasons at once, of which there is at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineRefusals {
    first: MachineRefusal,
    rest: Vec<MachineRefusal>,
}

impl MachineRefusals {
    /// `None` for no reason at all.
    pub fn new(refusals: Vec<MachineRefusal>) -> Option<Self> {
        let mut refusals = refusals.into_iter();
        Some(Self {
            first: refusals.next()?,
            rest: refusals.collect(),
        })
    }

    /// The first.
    pub fn first(&self) -> &MachineRefusal {
        &self.first
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &MachineRefusal> {
        std::iter::once(&self.first).chain(&self.rest)
    }
}

impl From<MachineRefusal> for MachineRefusals {
    fn from(first: MachineRefusal) -> Self {
        Self {
            first,
            rest: Vec::new(),
        }
    }
}

impl fmt::Display for MachineRefusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)?;
        self.rest.iter().try_for_each(|one| write!(f, "; {one}"))
    }
}

/// What there is to choose from, and the word of it that was likely meant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    names: Vec<String>,
    nearest: Option<String>,
}

impl Known {
    /// The most names that are told: a catalogue has hundreds.
    const MOST_TOLD: usize = 12;

    /// Of names, in their order.
    pub fn of<T: ToString>(names: impl IntoIterator<Item = T>) -> Self {
        Self {
            names: names.into_iter().map(|name| name.to_string()).collect(),
            nearest: None,
        }
    }

    /// With the one that is nearest to what was written.
    #[must_use]
    pub fn nearest_to(self, word: &str) -> Self {
        let names = self.names.iter().map(String::as_str);
        let nearest = crate::labels::nearest(word, names).map(str::to_owned);
        Self { nearest, ..self }
    }
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(nearest) = &self.nearest {
            return write!(f, "did you mean {nearest}?");
        }
        let told: Vec<&str> = self.names.iter().map(String::as_str).collect();
        match told.get(..Self::MOST_TOLD) {
            Some(some) if told.len() > Self::MOST_TOLD => {
                write!(f, "to be had: {} and others", some.join(", "))
            }
            Some(_) | None if told.is_empty() => f.write_str("to be had: none"),
            Some(_) | None => write!(f, "to be had: {}", told.join(", ")),
        }
    }
}
