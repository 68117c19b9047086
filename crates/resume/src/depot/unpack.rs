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
    place: Place,
}

/// Where it belongs.
#[derive(Debug)]
enum Place {
    /// There is nothing yet.
    New(PathBuf),
    /// An empty folder, which stays: somebody may stand in it, and it may be where another disk begins.
    Empty(PathBuf),
}

impl Unpacked {
    /// Begins one for a place where there is nothing yet, or an empty folder.
    pub(super) fn beside(place: &Path) -> Result<Self, DepotError> {
        let place = free(place)?;
        let within = match &place {
            Place::New(path) => folder_of(path),
            Place::Empty(path) => path,
        };
        let made = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .tempdir_in(within);
        Ok(Self {
            folder: made.map_err(DepotError::file("begin a folder in", within))?,
            place,
        })
    }

    /// Unpacks all members of an archive.
    pub(super) fn fill(self, archive: impl Read) -> Result<Self, DepotError> {
        members(archive, self.folder.path())?;
        Ok(self)
    }

    /// It is whole: from now on it stands at its place.
    pub(super) fn place(self) -> Result<(), DepotError> {
        match &self.place {
            Place::New(place) => {
                let wrong = || DepotError::file("write", place);
                let open = Permissions::from_mode(0o755);
                fs::set_permissions(self.folder.path(), open).map_err(wrong())?;
                fs::rename(self.folder.path(), place).map_err(wrong())?;
                sync(folder_of(place)).map_err(wrong())?;
                // It has another name now, under which it stays.
                let _ = self.folder.keep();
                Ok(())
            }
            Place::Empty(place) => {
                let wrong = || DepotError::file("write into", place);
                is_alone(self.folder.path(), place)?;
                move_all(self.folder.path(), place).map_err(wrong())?;
                self.folder.close().map_err(wrong())?;
                sync(place).map_err(wrong())
            }
        }
    }
}

fn free(target: &Path) -> Result<Place, DepotError> {
    match fs::read_dir(target).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(Place::Empty(target.to_owned())),
        Ok(false) => Err(DepotError::NotEmpty(target.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Place::New(target.to_owned())),
        Err(error) => Err(DepotError::file("unpack into", target)(error)),
    }
}

/// Nobody has put anything beside it meanwhile.
fn is_alone(unpacked: &Path, place: &Path) -> Result<(), DepotError> {
    let failed = || DepotError::file("look into", place);
    for entry in fs::read_dir(place).map_err(failed())? {
        if entry.map_err(failed())?.path().file_name() != unpacked.file_name() {
            return Err(DepotError::NotEmpty(place.to_owned()));
        }
    }
    Ok(())
}

/// Moves all that is in one folder to another, or nothing.
fn move_all(from: &Path, to: &Path) -> io::Result<()> {
    let names = fs::read_dir(from)?.map(|entry| Ok(entry?.file_name()));
    let names = names.collect::<io::Result<Vec<_>>>()?;
    for (count, name) in names.iter().enumerate() {
        let Err(error) = move_one(&from.join(name), &to.join(name)) else {
            continue;
        };
        for name in &names[..count] {
            move_one(&to.join(name), &from.join(name))?;
        }
        return Err(error);
    }
    Ok(())
}

/// A folder says in itself which one it is in: so one that is read-only is not, for a moment.
fn move_one(from: &Path, to: &Path) -> io::Result<()> {
    let facts = fs::symlink_metadata(from)?;
    let mode = facts.permissions();
    if !facts.is_dir() || mode.mode() & 0o200 != 0 {
        return fs::rename(from, to);
    }
    fs::set_permissions(from, Permissions::from_mode(mode.mode() | 0o200))?;
    fs::rename(from, to)?;
    fs::set_permissions(to, mode)
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
