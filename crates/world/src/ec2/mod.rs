//! A simulated EC2: instant fleets, instances with tags, the spot market and its notices.
//!
//! Two doors lead to the same state: direct calls ([`Ec2::create_fleet`] and its siblings), and
//! [`Ec2::handle`], which speaks the Query protocol of the real SDKs. It does not model networks,
//! disks, prices or any fleet type but `instant`, and it never reads a clock: each call begins by
//! bringing the state up to the time that the caller names, so time must not run backwards.

mod buckets;
mod call;
mod console;
mod credentials;
mod describe;
mod describe_types;
mod describe_wire;
mod error;
mod filter;
mod fleet;
mod fleet_wire;
mod images;
mod instance;
mod launch;
mod machines;
mod market;
mod query;
mod run;
mod settings;
mod spot;
mod state;
mod subnets;
mod tags;
mod template;
mod terminate;
#[cfg(test)]
mod tests;
mod xml;

pub use call::{Action, ApiCall, Call, Caller};
pub use console::ConsoleOutput;
pub use credentials::InstanceCredentials;
pub use describe::{DescribeInstances, InstancePage};
pub use describe_types::{DescribeInstanceTypes, MachineTypePage};
pub use error::Ec2Error;
pub use filter::Filter;
pub use fleet::{
    CreateFleet, Fleet, FleetConfig, FleetError, FleetLaunch, FleetOverride, FleetTarget,
};
pub use images::{DescribeImages, Image};
pub use instance::{Ec2Instance, EndReason, Notice, SpotRequest};
pub use machines::machine_types;
pub use market::{
    CarriedOut, Interruption, InterruptionAction, InterruptionCause, MarketError, Pool, Supply,
};
pub use settings::Ec2Settings;
pub use spot::SpotRequestQuery;
pub use state::{Adopted, Ec2, Ec2Happening, Happened};
pub use tags::CreateTags;
pub use template::{LaunchTemplate, TemplateRef};
pub use terminate::StateTransition;
