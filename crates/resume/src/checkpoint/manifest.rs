//! What a save consists of so far.

use serde::{Deserialize, Serialize};

use super::choose::MOST_FILES;
use super::error::CheckpointError;
use super::scope::Scope;
use crate::key::Key;

const VERSION: u32 = 1;

/// No manifest has more bytes: each segment takes 200, so these are some 80,000 segments.
pub(super) const LARGEST: u64 = 16 << 20;

/// What a member of an archive takes besides its content: a header and its padding, and the same again for a long name and
/// a long target, with up to 4 KiB of each.
const OVERHEAD: u64 = 12 << 10;

/// The name of a manifest in the folder of its save.
pub(super) const MANIFEST: &str = "manifest.json";

/// A save, whole up to here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    version: u32,
    pub(super) scope: Scope,
    pub(super) attempt: u32,
    pub(super) segments: Vec<Segment>,
    /// All that was looked at was sent, but for what could not be read; and nothing of earlier saves is missed by it.
    pub(super) ended: bool,
    /// It ended, and nothing is missing that was declared and there.
    pub(super) whole: bool,
}

/// An archive of some of its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Segment {
    /// BLAKE3 of the archive.
    pub(super) checksum: String,
    /// The bytes of its files, unpacked.
    pub(super) bytes: u64,
    /// How many there are.
    pub(super) files: usize,
}

impl Manifest {
    pub(super) fn new(scope: Scope, attempt: u32) -> Self {
        Self {
            version: VERSION,
            scope,
            attempt,
            segments: Vec::new(),
            ended: false,
            whole: false,
        }
    }

    /// Reads one that must be of this job and attempt.
    pub(super) fn read(
        text: &[u8],
        key: &Key,
        scope: &Scope,
        attempt: u32,
    ) -> Result<Self, CheckpointError> {
        let foreign = || CheckpointError::Foreign(key.to_string());
        let read: Self = serde_json::from_slice(text).map_err(|_| foreign())?;
        let is_ours = read.version == VERSION && read.scope == *scope && read.attempt == attempt;
        let too_many = read.segments.iter().any(|one| one.files > MOST_FILES);
        if !is_ours || read.segments.is_empty() || too_many {
            return Err(foreign());
        }
        Ok(read)
    }

    pub(super) fn bytes(&self) -> u64 {
        let bytes = self.segments.iter().map(|segment| segment.bytes);
        bytes.fold(0, u64::saturating_add)
    }
}

impl Segment {
    /// The most bytes that its archive can have: zstd makes what it cannot pack a 256th longer.
    pub(super) fn largest_archive(&self) -> u64 {
        let files = u64::try_from(self.files).unwrap_or(u64::MAX);
        let unpacked = self
            .bytes
            .saturating_add(files.saturating_add(8).saturating_mul(OVERHEAD));
        unpacked.saturating_add(unpacked / 256)
    }
}

/// The name of a segment in the folder of its save.
pub(super) fn segment_name(number: usize) -> String {
    format!("{number:05}.tar.zst")
}
