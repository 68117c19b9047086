//! A segment back to where its files belong.
//!
//! Invariant: nothing is written but below what was declared, never through a link, and each file is there whole or as it
//! was before. The segment's checksum was right before it comes here.

use std::fs::{self, File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tar::{Archive, Entry};

use super::error::CheckpointError;
use super::fetch::Fetched;
use super::files::{LeftOut, Why};
use super::places::Places;
use crate::depot::{UNFINISHED, WINDOW_LOG, stays_within};

/// What came back.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) files: usize,
    pub(super) bytes: u64,
    pub(super) left_out: Vec<LeftOut>,
}

/// Unpacks a segment, of which no more comes out than its manifest says.
pub(super) fn unpack(
    fetched: &Fetched,
    places: &Places,
    tally: &mut Tally,
) -> Result<(), CheckpointError> {
    let Fetched {
        file,
        name,
        segment,
    } = fetched;
    let failed = || CheckpointError::file("unpack", file.path());
    let damaged = || CheckpointError::Damaged(name.clone());
    let file = File::open(file.path()).map_err(failed())?;
    let mut decoder = zstd::Decoder::new(file).map_err(failed())?;
    decoder.window_log_max(WINDOW_LOG).map_err(failed())?;
    let mut archive = Archive::new(decoder);
    let (mut bytes, mut files) = (segment.bytes, segment.files);
    for entry in archive.entries().map_err(failed())? {
        let mut entry = entry.map_err(failed())?;
        bytes = bytes.checked_sub(entry.size()).ok_or_else(damaged)?;
        files = files.checked_sub(1).ok_or_else(damaged)?;
        one(&mut entry, name, places, tally)?;
    }
    Ok(())
}

fn one<R: Read>(
    entry: &mut Entry<'_, R>,
    segment: &str,
    places: &Places,
    tally: &mut Tally,
) -> Result<(), CheckpointError> {
    let damaged = |_| CheckpointError::Damaged(segment.to_owned());
    let member = entry.path().map_err(damaged)?.into_owned();
    let hostile = || CheckpointError::Hostile {
        segment: segment.to_owned(),
        member: member.clone(),
    };
    let (root, below) = places.place(&member).ok_or_else(hostile)?;
    let kind = entry.header().entry_type();
    if kind.is_symlink() {
        let target = entry.link_name().map_err(damaged)?.ok_or_else(hostile)?;
        if !stays_within(&below, &target) {
            return Err(hostile());
        }
    } else if !kind.is_file() && !kind.is_dir() {
        return Err(hostile());
    }
    let folder = places.folder(root);
    let place = folder.join(&below);
    if kind.is_dir() {
        let mode = entry.header().mode().map_err(damaged)?;
        empty_folder(folder, &below, mode, tally);
        return Ok(());
    }
    if !make_way(folder, &below) || place.symlink_metadata().is_ok_and(|facts| facts.is_dir()) {
        tally.left_out.push(LeftOut {
            path: place,
            why: Why::InItsWay,
        });
        return Ok(());
    }
    let failed = CheckpointError::file("bring back", &place);
    swap_in(entry, &place).map_err(failed)?;
    tally.files += 1;
    tally.bytes += entry.size();
    Ok(())
}

/// Makes a folder that was empty; what is in one that is there stays.
fn empty_folder(folder: &Path, below: &Path, mode: u32, tally: &mut Tally) {
    let place = folder.join(below);
    let is_there = || place.symlink_metadata().is_ok_and(|facts| facts.is_dir());
    // Whoever made it could write to it, or would have had no use for it.
    let mode = Permissions::from_mode(mode & 0o777 | 0o700);
    let make = || fs::create_dir(&place).and_then(|()| fs::set_permissions(&place, mode));
    if make_way(folder, below) && (is_there() || make().is_ok()) {
        tally.files += 1;
    } else {
        let why = Why::InItsWay;
        tally.left_out.push(LeftOut { path: place, why });
    }
}

/// Makes the folders that are missing above a file; whether all of them are folders then.
fn make_way(folder: &Path, below: &Path) -> bool {
    let mut path = folder.to_owned();
    let above = below.parent().into_iter().flat_map(Path::components);
    above.into_iter().all(|name| {
        path.push(name);
        match fs::symlink_metadata(&path) {
            Ok(facts) => facts.is_dir(),
            Err(_) => fs::create_dir(&path).is_ok(),
        }
    })
}

/// Under another name first, so that what is there is replaced by the whole file.
fn swap_in<R: Read>(entry: &mut Entry<'_, R>, place: &Path) -> io::Result<()> {
    let above = place.parent().unwrap_or(Path::new("/"));
    let beside: PathBuf = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .tempdir_in(above)?
        .keep();
    let grown = beside.join("file");
    let done = entry.unpack(&grown).and_then(|_| fs::rename(&grown, place));
    let cleared = fs::remove_dir_all(&beside);
    done.and(cleared)
}
