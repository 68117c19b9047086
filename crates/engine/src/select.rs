//! Which machine a job gets: from its labels, what configuration offers, and what EC2 has.
//!
//! Where a fact costs a call the answer is "read this", and the question is asked again; a refusal
//! that needs no call comes first. All reasons of a refusal are told at once. Says nothing about
//! spot or on-demand: that is [`crate::capacity`].

mod choice;
mod image;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use reprise_model::ids::{AccountId, ImageId, Region};
use reprise_model::instance::Capacity;
use reprise_model::labels::JobLabels;
use reprise_model::launch::SpotStrategy;
use reprise_model::machine::{Architecture, MachineType, RootVolume};
use reprise_model::machine_refusal::MachineRefusals;
use reprise_model::tags::TagKeys;

use self::choice::Choice;
use crate::offer::{FleetOffer, ImageSource};

/// The most overrides that one CreateFleet request takes, each a type in a subnet. EC2's API
/// reference (`FleetLaunchTemplateConfigRequest`) says so of its other kinds of fleet and is silent
/// about instant ones, so that no more are sent there either.
pub const MOST_POOLS: usize = 300;

/// The most types of a launch. AWS advises at least ten for spot; more find hardly more capacity, and
/// the claim that holds them must stay below the kilobyte that a write unit of DynamoDB takes.
pub const MOST_TYPES: usize = 15;

/// The most tags beside ours: EC2 takes 50 an instance, and the launch template may have some.
pub const MOST_TAGS: usize = 30;

/// All that a machine is chosen by.
#[derive(Debug, Clone, Copy)]
pub struct MachineFacts<'a> {
    /// The job's labels.
    pub labels: &'a JobLabels,
    /// What configuration offers.
    pub offer: &'a FleetOffer,
    /// The keys of our own tags.
    pub tags: &'a TagKeys,
    /// As what the machine is to be bought first.
    pub capacity: Capacity,
    /// What EC2 has.
    pub ec2: &'a Ec2Facts,
}

/// What EC2 has, as far as it was read.
#[derive(Debug, Clone, Default)]
pub struct Ec2Facts {
    /// Its instance types, by region.
    pub catalogue: BTreeMap<Region, Arc<[MachineType]>>,
    /// Its images; `None` for one that it does not have.
    pub images: BTreeMap<ImageQuery, Option<ImageView>>,
}

/// A question to EC2 about an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageQuery {
    /// Where.
    pub region: Region,
    /// Which.
    pub source: ImageSource,
    /// Of which architecture, where it matters.
    pub architecture: Option<Architecture>,
}

/// What EC2 says of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageView {
    /// Its id.
    pub id: ImageId,
    /// The account that owns it.
    pub owner: AccountId,
    /// The owner's alias, as `amazon`.
    pub owner_alias: Option<String>,
    /// What it is for.
    pub architecture: Architecture,
    /// What it calls its root device, as `/dev/sda1`.
    pub root_device: Option<String>,
}

/// A fact that must be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// The instance types of a region.
    MachineTypes(Region),
    /// An image.
    Image(ImageQuery),
}

/// What a job gets.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Selection {
    /// This must be read first.
    Read(Need),
    /// This machine.
    Machine(MachineRequest),
    /// None, for these reasons.
    Refused(MachineRefusals),
}

/// A machine to ask EC2 for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineRequest {
    /// Where.
    pub region: Region,
    /// In which subnets, one a zone.
    pub subnets: Vec<String>,
    /// As which types, best first. With the subnets they are no more pools than a request takes.
    pub instance_types: Vec<String>,
    /// How EC2 is to choose among spot pools.
    pub strategy: SpotStrategy,
    /// From which image; `None` for that of the launch template.
    pub image: Option<ImageId>,
    /// With which root volume; `None` for the image's.
    pub volume: Option<RootVolume>,
    /// With which tags beside ours.
    pub tags: BTreeMap<String, String>,
}

/// Chooses the machine.
pub fn select(facts: &MachineFacts<'_>) -> Selection {
    let mut choice = Choice::new(facts);
    let request = choice.make();
    if let Some(refusals) = MachineRefusals::new(choice.refusals) {
        return Selection::Refused(refusals);
    }
    match choice.needs.into_iter().next() {
        Some(need) => Selection::Read(need),
        None => Selection::Machine(request),
    }
}
