//! What a step of the job wrote down for whoever saves it later, in another process and perhaps as its machine ends.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::CheckpointError;
use super::places::Places;
use super::scope::Scope;

/// The version that is written and read.
const VERSION: u32 = 1;

/// Nobody declares so much.
const LARGEST: u64 = 1 << 20;

/// Whose it is to write, and nobody else's to read.
const MODE: u32 = 0o600;

/// A job's declaration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declaration {
    version: u32,
    /// The store's address.
    pub store: String,
    /// The region of the store, where the job knew it: the agent's hook has not the job's variables.
    pub region: Option<String>,
    /// Whose checkpoint it is.
    pub scope: Scope,
    /// The attempt of the run.
    pub attempt: u32,
    /// What is saved.
    pub places: Places,
    /// The most bytes that are saved, before they are packed.
    pub most_bytes: u64,
    /// The job began with all that earlier attempts had saved: what is saved of it needs no earlier save below it.
    pub caught_up: bool,
}

impl Declaration {
    /// One of this version.
    pub fn new(
        store: String,
        region: Option<String>,
        scope: Scope,
        attempt: u32,
        places: Places,
        most_bytes: u64,
        caught_up: bool,
    ) -> Self {
        Self {
            version: VERSION,
            store,
            region,
            scope,
            attempt,
            places,
            most_bytes,
            caught_up,
        }
    }

    /// Writes it for this user alone, whole or not at all.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), CheckpointError> {
        let failed = || CheckpointError::file("write", path);
        let text = serde_json::to_vec(self).map_err(|_| CheckpointError::Ended)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed())?;
        file.write_all(&text).map_err(failed())?;
        let file = file.persist(path).map_err(|error| failed()(error.error))?;
        let mode = std::os::unix::fs::PermissionsExt::from_mode(MODE);
        file.set_permissions(mode).map_err(failed())
    }

    /// Reads it, where it is this user's own file and nobody else could have written it.
    ///
    /// # Errors
    /// Where it is not, or is no declaration.
    pub fn read(path: &Path) -> Result<Self, CheckpointError> {
        let failed = || CheckpointError::file("read the declaration", path);
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(no_follow());
        let file: File = options.open(path).map_err(failed())?;
        let facts = file.metadata().map_err(failed())?;
        let own = rustix::process::geteuid().as_raw();
        let others_write = facts.mode() & 0o022 != 0;
        if !facts.is_file() || facts.uid() != own || others_write {
            return Err(CheckpointError::NotOurs(path.to_owned()));
        }
        let mut text = Vec::new();
        file.take(LARGEST)
            .read_to_end(&mut text)
            .map_err(failed())?;
        let unreadable = || CheckpointError::Unreadable(path.to_owned());
        let read: Self = serde_json::from_slice(&text).map_err(|_| unreadable())?;
        if read.version != VERSION {
            return Err(unreadable());
        }
        Ok(read)
    }
}

fn no_follow() -> i32 {
    rustix::fs::OFlags::NOFOLLOW.bits().cast_signed()
}
