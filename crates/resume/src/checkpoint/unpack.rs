//! A segment back to where its files belong.
//!
//! Invariant: nothing is written but below what was declared, never through a link, and each file is there whole or as it
//! was before. The segment's checksum was right before it comes here.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tar::{Archive, Entry};

use super::error::CheckpointError;
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

/// Unpacks a segment, whose name is for messages; `most` is how many bytes its files have.
pub(super) fn unpack(
    segment: &Path,
    name: &str,
    most: u64,
    places: &Places,
    tally: &mut Tally,
) -> Result<(), CheckpointError> {
    let failed = || CheckpointError::file("unpack", segment);
    let file = File::open(segment).map_err(failed())?;
    let mut decoder = zstd::Decoder::new(file).map_err(failed())?;
    decoder.window_log_max(WINDOW_LOG).map_err(failed())?;
    let mut archive = Archive::new(decoder);
    let mut left = most;
    for entry in archive.entries().map_err(failed())? {
        let mut entry = entry.map_err(failed())?;
        left = left
            .checked_sub(entry.size())
            .ok_or_else(|| CheckpointError::Damaged(name.to_owned()))?;
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
    } else if !kind.is_file() {
        return Err(hostile());
    }
    let folder = places.folder(root);
    let place = folder.join(&below);
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
