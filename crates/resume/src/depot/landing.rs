//! Where a file is written until it is whole: beside its place, under a name of its own.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::error::DepotError;

/// What unfinished files of a folder are called; no list has them.
pub(super) const UNFINISHED: &str = ".reprise-unfinished-";

/// The name of the checksum among a file's extended attributes.
const CHECKSUM: &str = "user.reprise.sha256";

/// A file that does not count yet; it is gone when nobody places it.
#[derive(Debug)]
pub(super) struct Landing {
    file: tempfile::NamedTempFile,
    place: PathBuf,
}

impl Landing {
    /// Begins one for a place, in a folder that is there.
    pub(super) fn beside(place: &Path) -> Result<Self, DepotError> {
        let folder = folder_of(place);
        let mut builder = tempfile::Builder::new();
        // As other files are made, and less what the process's mask takes away.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
        let made = builder
            .prefix(UNFINISHED)
            .permissions(mode)
            .tempfile_in(folder);
        Ok(Self {
            file: made.map_err(DepotError::file("begin a file in", folder))?,
            place: place.to_owned(),
        })
    }

    pub(super) fn file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// It is whole: from now on it stands at its place, also after the machine has lost its power.
    pub(super) fn place(self, sha256: Option<&str>) -> Result<(), DepotError> {
        let wrong = |source| DepotError::file("write", &self.place)(source);
        if let Some(sha256) = sha256 {
            keep_checksum(self.file.as_file(), sha256).map_err(wrong)?;
        }
        self.file.as_file().sync_all().map_err(wrong)?;
        let placed = self.file.persist(&self.place);
        placed.map_err(|error| DepotError::file("write", &self.place)(error.error))?;
        let folder = File::open(folder_of(&self.place)).and_then(|folder| folder.sync_all());
        folder.map_err(DepotError::file("write", &self.place))
    }
}

/// The checksum that was kept with a file.
pub(super) fn checksum(file: &File) -> Option<String> {
    let mut value = [0; 64];
    let count = rustix::fs::fgetxattr(file, CHECKSUM, &mut value).ok()?;
    String::from_utf8(value.get(..count)?.to_vec()).ok()
}

/// A file system may have no room for it: then the file is as good as a copy by other means, and its size is checked.
fn keep_checksum(file: &File, sha256: &str) -> io::Result<()> {
    use rustix::io::Errno;
    match rustix::fs::fsetxattr(
        file,
        CHECKSUM,
        sha256.as_bytes(),
        rustix::fs::XattrFlags::empty(),
    ) {
        Ok(()) | Err(Errno::NOTSUP) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn folder_of(place: &Path) -> &Path {
    match place.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    }
}
