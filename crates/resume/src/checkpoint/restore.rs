//! What earlier attempts saved, brought back.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, timeout_at};

use super::error::CheckpointError;
use super::fetch::{Fetched, Fetcher};
use super::files::LeftOut;
use super::manifest::MANIFEST;
use super::places::Places;
use super::scope::Scope;
use super::unpack::{Tally, unpack};
use crate::depot::Depot;
use crate::inventory::Inventory;
use crate::key::{Key, Prefix};

/// What is wanted of earlier attempts.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The attempt that begins.
    pub attempt: u32,
    /// Nothing but a save that came to its end.
    pub whole_only: bool,
    /// The most bytes, unpacked.
    pub most_bytes: u64,
    /// How long the store may take. What it sent until then is put where it belongs after that.
    pub within: Duration,
}

/// How much of what was declared is back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Nothing.
    Nothing,
    /// What was changed last, up to somewhere, or with gaps, or over an older save.
    Partial,
    /// All that was there when it was saved, as it was at one moment.
    Whole,
}

/// What came back.
#[derive(Debug)]
pub struct Restored {
    /// How much of it.
    pub extent: Extent,
    /// Which attempt saved it.
    pub attempt: Option<u32>,
    /// How many files were written; one of two saves counts twice.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// What could not be put where it belongs.
    pub left_out: Vec<LeftOut>,
    /// What was wrong with the rest.
    pub trouble: Vec<CheckpointError>,
}

/// Brings back what earlier attempts of a job have saved; `scratch` is a folder for what is fetched.
///
/// The newest save that ended, and over it what later ones have that did not: those are files that changed since.
///
/// # Errors
/// Where the store does not say what there is.
pub async fn restore(
    depot: &Depot,
    scope: &Scope,
    places: &Places,
    wanted: &Wanted,
    scratch: &Path,
) -> Result<Restored, CheckpointError> {
    let scratch = TempDir::new_in(scratch).map_err(CheckpointError::file("use", scratch))?;
    let until = Instant::now() + wanted.within;
    let mut fetcher = Fetcher::new(depot, until, scratch.path());
    let saves = timeout_at(until, saves(depot, scope, wanted.attempt)).await;
    let saves = saves.map_err(|_| CheckpointError::Silent)??;
    let chosen = fetcher.choose(saves, scope, wanted).await;
    let mut restored = Restored {
        extent: Extent::Nothing,
        attempt: None,
        files: 0,
        bytes: 0,
        left_out: Vec::new(),
        trouble: Vec::new(),
    };
    for save in chosen {
        let segments = fetcher.all(&save).await;
        let is_whole = save.manifest.whole && segments.len() == save.manifest.segments.len();
        if wanted.whole_only && !is_whole {
            continue;
        }
        let (tally, trouble) = placed(segments, places.clone()).await?;
        let is_back = trouble.is_none() && !tally.left_out.iter().any(|one| one.why.leaves_a_gap());
        restored.add(save.attempt, is_whole && is_back, tally);
        restored.trouble.extend(trouble);
    }
    restored.trouble.splice(0..0, fetcher.trouble);
    Ok(restored)
}

impl Restored {
    /// Whether all came back that was looked for.
    pub fn is_complete(&self) -> bool {
        let mut left_out = self.left_out.iter();
        self.trouble.is_empty() && left_out.all(|one| !one.why.leaves_a_gap())
    }

    fn add(&mut self, attempt: u32, is_whole: bool, tally: Tally) {
        if tally.files > 0 {
            let is_first = self.files == 0;
            self.extent = if is_whole && is_first {
                Extent::Whole
            } else {
                Extent::Partial
            };
            self.attempt = Some(attempt);
        }
        self.files += tally.files;
        self.bytes += tally.bytes;
        self.left_out.extend(tally.left_out);
    }
}

/// Unpacks segments one after the other, up to the first that is not what it should be.
async fn placed(
    segments: Vec<Fetched>,
    places: Places,
) -> Result<(Tally, Option<CheckpointError>), CheckpointError> {
    let unpacking = tokio::task::spawn_blocking(move || {
        let mut tally = Tally::default();
        let mut each = segments.iter();
        let trouble = each.find_map(|one| unpack(one, &places, &mut tally).err());
        (tally, trouble)
    });
    unpacking.await.map_err(|_| CheckpointError::Ended)
}

/// A save whose manifest is there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Named {
    pub(super) attempt: u32,
    pub(super) name: String,
}

/// Those of earlier attempts, the newest first.
async fn saves(depot: &Depot, scope: &Scope, attempt: u32) -> Result<Vec<Named>, CheckpointError> {
    let prefix = scope.prefix()?;
    let keys = depot.list(&prefix, &BTreeSet::new()).await?;
    let mut found: Vec<Named> = keys.iter().filter_map(|key| named(&prefix, key)).collect();
    found.retain(|save| save.attempt < attempt);
    found.sort();
    found.reverse();
    Ok(found)
}

fn named(prefix: &Prefix, key: &Key) -> Option<Named> {
    let rest = key
        .as_str()
        .strip_prefix(prefix.as_str())?
        .strip_prefix('/')?;
    let (attempt, rest) = rest.split_once('/')?;
    let (name, file) = rest.split_once('/')?;
    let attempt = attempt.parse().ok()?;
    let name = name.to_owned();
    (file == MANIFEST).then_some(Named { attempt, name })
}
