//! Which jobs of a run still have to run, judged by their artifacts in object storage.
//!
//! What there is, an [`Inventory`] lists; what that means is decided from data to data.

pub mod checkpoint;
mod decide;
pub mod depot;
pub mod elsewhere;
mod fill;
mod hash;
mod inventory;
mod job;
mod key;
mod manifest;
mod name;
mod problem;
mod report;
mod run;
mod template;

pub use decide::{
    Answer, Judged, OnError, Plan, Seen, Silent, Undecided, Verdict, Why, WhyNot, decide, prefixes,
    questions,
};
pub use fill::{FillError, fill};
pub use hash::{FileSet, HashError, Hashes};
pub use inventory::{Inventory, InventoryError};
pub use job::{Address, AddressError, Job, Leg};
pub use key::{Key, KeyError, Prefix};
pub use manifest::Manifest;
pub use name::{JobName, NameError};
pub use problem::{ManifestError, Problem};
pub use report::{TooLarge, log, outputs, summary};
pub use run::RunFacts;
