//! Checkpoints: what a job has made so far, saved while its machine still is there, and brought back to its next attempt.
//!
//! A save is a row of segments, each an archive of files, the files changed last first, and a manifest that names the
//! segments so far with their checksums. The manifest is put again after each segment, so that a save that was cut off
//! anywhere is whole up to its last mark, or has no manifest and does not count (ADR 31).

mod choose;
mod declaration;
mod error;
mod fetch;
mod files;
mod manifest;
mod pack;
mod places;
mod restore;
mod save;
mod scope;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_hostile_saves;
mod trust;
mod unpack;

pub use declaration::Declaration;
pub use error::CheckpointError;
pub use files::{LeftOut, Why};
pub use places::Places;
pub use restore::{Extent, Restored, Wanted, restore};
pub use save::{CutOff, Marked, save};
pub use scope::Scope;
pub use trust::Trust;
