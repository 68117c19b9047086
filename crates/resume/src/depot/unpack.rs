//! A `.tar.zst` on its way into a folder.
//!
//! Invariant: nothing is written outside of a new folder, whoever made the archive; and that folder gets the name that
//! was asked for only when all of the archive came in and its checksum was right.

use std::fs::{self, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tar::{Archive, Entry, EntryType};
use tempfile::TempDir;

use super::archive::{member, stays_within};
use super::error::DepotError;
use super::landing::{UNFINISHED, folder_of, sync};

/// The widest window that is unpacked, 16 MiB: what `zstd -19` uses is half of it, and memory stays small.
pub(crate) const WINDOW_LOG: u32 = 24;

/// A folder that does not count yet; it is gone when nobody places it.
#[derive(Debug)]
pub(super) struct Unpacked {
    folder: TempDir,
    place: PathBuf,
}

impl Unpacked {
    /// Begins one for a place where there is nothing yet, or an empty folder.
    pub(super) fn beside(place: &Path) -> Result<Self, DepotError> {
        is_free(place)?;
        let above = folder_of(place);
        let made = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .tempdir_in(above);
        Ok(Self {
            folder: made.map_err(DepotError::file("begin a folder in", above))?,
            place: place.to_owned(),
        })
    }

    /// Unpacks all members of an archive.
    pub(super) fn fill(self, archive: impl Read) -> Result<Self, DepotError> {
        members(archive, self.folder.path())?;
        Ok(self)
    }

    /// It is whole: from now on it stands at its place.
    pub(super) fn place(self) -> Result<(), DepotError> {
        let wrong = || DepotError::file("write", &self.place);
        let open = Permissions::from_mode(0o755);
        fs::set_permissions(self.folder.path(), open).map_err(wrong())?;
        fs::rename(self.folder.path(), &self.place).map_err(wrong())?;
        // It has another name now, under which it stays.
        let _ = self.folder.keep();
        sync(folder_of(&self.place)).map_err(wrong())
    }
}

fn is_free(target: &Path) -> Result<(), DepotError> {
    match fs::read_dir(target).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Ok(false) => Err(DepotError::NotEmpty(target.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(DepotError::file("unpack into", target)(error)),
    }
}

fn members(archive: impl Read, folder: &Path) -> Result<(), DepotError> {
    let whole = || DepotError::file("unpack into", folder);
    let mut decoder = zstd::Decoder::new(archive).map_err(whole())?;
    decoder.window_log_max(WINDOW_LOG).map_err(whole())?;
    let mut archive = Archive::new(decoder);
    let mut folders = Vec::new();
    for entry in archive.entries().map_err(whole())? {
        let mut entry = entry.map_err(whole())?;
        if let Some(made) = unpack(&mut entry, folder)? {
            folders.push(made);
        }
    }
    // Last, and the inner ones first: nothing could be written into a folder that is read-only already.
    for (made, mode) in folders.iter().rev() {
        let mode = Permissions::from_mode(mode & 0o777);
        fs::set_permissions(made, mode).map_err(DepotError::file("set the mode of", made))?;
    }
    Ok(())
}

fn unpack<R: Read>(
    entry: &mut Entry<'_, R>,
    folder: &Path,
) -> Result<Option<(PathBuf, u32)>, DepotError> {
    let name = entry
        .path()
        .map_err(DepotError::file("unpack into", folder))?
        .into_owned();
    let hostile = || DepotError::Hostile(name.clone());
    let kind = entry.header().entry_type();
    // What a whole archive is said to be, as git writes it, makes no file.
    if kind == EntryType::XGlobalHeader {
        return Ok(None);
    }
    let inner = member(&name).ok_or_else(hostile)?;
    let path = folder.join(&inner);
    above_is_real(folder, &inner).map_err(|()| hostile())?;
    let failed = || DepotError::file("unpack", &path);
    if kind.is_dir() {
        real_folder(&path).map_err(|()| hostile())?;
        let mode = entry.header().mode().map_err(failed())?;
        return Ok((inner != Path::new("")).then_some((path, mode)));
    }
    if kind.is_symlink() {
        let target = entry.link_name().map_err(failed())?.ok_or_else(hostile)?;
        if !stays_within(&inner, &target) {
            return Err(hostile());
        }
    } else if !kind.is_file() && kind != EntryType::Continuous {
        // Hard links, devices, pipes and whatever else: nothing that is packed here.
        return Err(hostile());
    }
    if fs::symlink_metadata(&path).is_ok() {
        return Err(hostile());
    }
    entry.unpack(&path).map_err(failed())?;
    Ok(None)
}

/// Each folder above a member is one that was made here, and no link.
fn above_is_real(folder: &Path, inner: &Path) -> Result<(), ()> {
    let mut path = folder.to_owned();
    for name in inner.parent().into_iter().flat_map(Path::components) {
        path.push(name);
        real_folder(&path)?;
    }
    Ok(())
}

fn real_folder(path: &Path) -> Result<(), ()> {
    match fs::symlink_metadata(path) {
        Ok(facts) if facts.is_dir() => Ok(()),
        Ok(_) => Err(()),
        Err(_) => fs::create_dir(path).map_err(|_| ()),
    }
}
