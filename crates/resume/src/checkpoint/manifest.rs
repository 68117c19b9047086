//! What a save consists of so far.

use serde::{Deserialize, Serialize};

use super::error::CheckpointError;
use super::scope::Scope;
use crate::key::Key;

const VERSION: u32 = 1;

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
        if !is_ours || read.segments.is_empty() {
            return Err(foreign());
        }
        Ok(read)
    }

    pub(super) fn bytes(&self) -> u64 {
        let bytes = self.segments.iter().map(|segment| segment.bytes);
        bytes.fold(0, u64::saturating_add)
    }
}

/// The name of a segment in the folder of its save.
pub(super) fn segment_name(number: usize) -> String {
    format!("{number:05}.tar.zst")
}
