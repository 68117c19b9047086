//! Where a file is written until it is whole: beside its place, under a name of its own.
//!
//! It is locked as long as its process lives, so that what a killed one left can be told from what grows.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::error::DepotError;

/// What unfinished files of a folder are called; no list has them.
pub(crate) const UNFINISHED: &str = ".reprise-unfinished-";

/// The name of the checksum among a file's extended attributes.
const CHECKSUM: &str = "user.reprise.blake3";

/// The disk is given so much at a time: else it would stand idle until all is written, and be waited for then.
const EARLY: u64 = 16 << 20;

/// An unfinished file that nobody wrote to for so long is left over, where nobody has it locked either. A lock of another
/// machine may be invisible on a shared file system, and no store is silent that long within a transfer.
const ABANDONED: Duration = Duration::from_secs(3600);

/// How often another name is tried: somebody who looks for leftovers has a new file for a moment.
const TRIES: usize = 16;

/// A file that does not count yet; it is gone when nobody places it.
#[derive(Debug)]
pub(super) struct Landing {
    file: tempfile::NamedTempFile,
    place: PathBuf,
    written: u64,
    given: u64,
}

impl Landing {
    /// Begins one for a place, in a folder that is there.
    pub(super) fn beside(place: &Path) -> Result<Self, DepotError> {
        let folder = folder_of(place);
        let file = locked(folder).map_err(DepotError::file("begin a file in", folder))?;
        // By the clock that the folder's files have their times from.
        let now = file.as_file().metadata().and_then(|facts| facts.modified());
        if let Some(before) = now.ok().and_then(|now| now.checked_sub(ABANDONED)) {
            // It is a courtesy: what cannot be removed is in nobody's way.
            remove_abandoned(folder, before).ok();
        }
        Ok(Self {
            file,
            place: place.to_owned(),
            written: 0,
            given: 0,
        })
    }

    #[cfg(test)]
    pub(super) fn file(&self) -> &File {
        self.file.as_file()
    }

    /// It is whole: from now on it stands at its place, also after the machine has lost its power.
    pub(super) fn place(self, checksum: Option<&str>) -> Result<(), DepotError> {
        let wrong = |source| DepotError::file("write", &self.place)(source);
        if let Some(checksum) = checksum {
            keep_checksum(self.file.as_file(), checksum).map_err(wrong)?;
        }
        self.file.as_file().sync_all().map_err(wrong)?;
        let placed = self.file.persist(&self.place);
        placed.map_err(|error| DepotError::file("write", &self.place)(error.error))?;
        sync(folder_of(&self.place)).map_err(DepotError::file("write", &self.place))
    }
}

impl Write for Landing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.written += count as u64;
        if let Some(length) = NonZeroU64::new(self.written - self.given)
            && length.get() >= EARLY
        {
            // Linux begins to write out what is said not to be needed. Where it does not, the end takes longer.
            let advice = rustix::fs::Advice::DontNeed;
            rustix::fs::fadvise(self.file.as_file(), self.given, Some(length), advice).ok();
            self.given = self.written;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A new file that nobody else takes for a leftover.
fn locked(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    // As other files are made, and less what the process's mask takes away.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    builder.prefix(UNFINISHED).permissions(mode);
    for _ in 0..TRIES {
        let file = builder.tempfile_in(folder)?;
        match file.as_file().try_lock() {
            Ok(()) => return Ok(file),
            Err(std::fs::TryLockError::WouldBlock) => {}
            // A file system without locks: leftovers there stay, since nobody can lock them.
            Err(std::fs::TryLockError::Error(_)) => return Ok(file),
        }
    }
    Err(io::Error::other(
        "each new file was locked by somebody else",
    ))
}

/// Removes what killed processes left in a folder, last written to before a moment; how many files those were.
pub(super) fn remove_abandoned(folder: &Path, before: SystemTime) -> io::Result<usize> {
    let mut removed = 0;
    for entry in folder.read_dir()? {
        let entry = entry?;
        let name = entry.file_name();
        let unfinished = name.as_encoded_bytes().starts_with(UNFINISHED.as_bytes());
        if !unfinished || !entry.file_type()?.is_file() {
            continue;
        }
        removed += match remove_if_abandoned(&entry.path(), before) {
            Ok(removed) => usize::from(removed),
            // It has come to its place, or somebody else removed it.
            Err(error) if error.kind() == ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
    }
    Ok(removed)
}

fn remove_if_abandoned(path: &Path, before: SystemTime) -> io::Result<bool> {
    let file = File::open(path)?;
    if file.metadata()?.modified()? >= before || file.try_lock().is_err() {
        return Ok(false);
    }
    std::fs::remove_file(path).map(|()| true)
}

/// Has the disk keep which names a folder has.
pub(super) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The checksum that was kept with a file.
pub(super) fn checksum(file: &File) -> Option<String> {
    let mut value = [0; 64];
    let count = rustix::fs::fgetxattr(file, CHECKSUM, &mut value).ok()?;
    String::from_utf8(value.get(..count)?.to_vec()).ok()
}

/// A file system may have no room for it: then the file is as good as a copy by other means, and its size is checked.
fn keep_checksum(file: &File, checksum: &str) -> io::Result<()> {
    use rustix::io::Errno;
    match rustix::fs::fsetxattr(
        file,
        CHECKSUM,
        checksum.as_bytes(),
        rustix::fs::XattrFlags::empty(),
    ) {
        Ok(()) | Err(Errno::NOTSUP) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

pub(super) fn folder_of(place: &Path) -> &Path {
    match place.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    }
}
