//! A folder of this machine as a store: what is in it whole has its own name, by a rename.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::download::settle;
use super::error::DepotError;
use super::landing::{self, Landing, UNFINISHED};
use super::{Moved, Progress};
use crate::key::Key;

/// What is copied at once.
const BLOCK: usize = 1 << 20;

/// Copies a file into the folder.
pub(super) fn put(
    root: &Path,
    key: &Key,
    source: &Path,
    progress: &dyn Progress,
) -> Result<Moved, DepotError> {
    let place = root.join(key.as_str());
    // A store that is not there is a mistake in its address, and not made.
    root.metadata()
        .map_err(DepotError::file("find the store", root))?;
    if let Some(folder) = place.parent() {
        std::fs::create_dir_all(folder).map_err(DepotError::file("make", folder))?;
    }
    let mut from = File::open(source).map_err(DepotError::file("open", source))?;
    let mut landing = Landing::beside(&place)?;
    let size = from
        .metadata()
        .map_err(DepotError::file("look at", source))?
        .len();
    progress.begins(size);
    let copied = copy(&mut from, landing.file(), progress);
    let (count, sha256) = copied.map_err(DepotError::file("copy", source))?;
    if count != size {
        return Err(DepotError::SourceChanged(source.to_owned()));
    }
    landing.place(Some(&sha256))?;
    Ok(Moved {
        bytes: size,
        sha256: Some(sha256),
        reused: 0,
    })
}

/// Copies a file out of the folder.
pub(super) fn get(
    root: &Path,
    key: &Key,
    mut landing: Landing,
    progress: &dyn Progress,
) -> Result<Moved, DepotError> {
    let path = root.join(key.as_str());
    let mut from = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            root.metadata()
                .map_err(DepotError::file("find the store", root))?;
            return Err(DepotError::Missing(key.clone()));
        }
        Err(error) => return Err(DepotError::file("open", &path)(error)),
    };
    let size = from
        .metadata()
        .map_err(DepotError::file("look at", &path))?
        .len();
    progress.begins(size);
    let expected = landing::checksum(&from);
    let copied = copy(&mut from, landing.file(), progress);
    let (count, found) = copied.map_err(DepotError::file("copy", &path))?;
    settle(key, landing, (size, count), (expected, found))
}

pub(super) fn exists(root: &Path, key: &Key) -> Result<bool, DepotError> {
    root.metadata()
        .map_err(DepotError::file("find the store", root))?;
    let path = root.join(key.as_str());
    match path.metadata() {
        Ok(facts) => Ok(facts.is_file()),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(false)
        }
        Err(error) => Err(DepotError::file("look at", &path)(error)),
    }
}

/// What lies below a prefix, with the time of its last change.
pub(super) fn list(root: &Path, prefix: &str) -> io::Result<Vec<(Key, SystemTime)>> {
    // A store that is not there must not look like one that is empty.
    root.metadata()?;
    let mut open = VecDeque::from([prefix.to_owned()]);
    let mut found = Vec::new();
    while let Some(folder) = open.pop_front() {
        let entries = match root.join(&folder).read_dir() {
            Ok(entries) => entries,
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                continue;
            }
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let (path, kind) = (format!("{folder}/{name}"), entry.file_type()?);
            if kind.is_dir() {
                open.push_back(path);
            } else if kind.is_file() && !name.starts_with(UNFINISHED) {
                match (Key::parse(&path), entry.metadata()) {
                    (Ok(key), Ok(facts)) => found.push((key, facts.modified()?)),
                    // Somebody removed it meanwhile.
                    (_, Err(error)) if error.kind() == ErrorKind::NotFound => {}
                    (_, Err(error)) => return Err(error),
                    (Err(_), Ok(_)) => {}
                }
            }
        }
    }
    Ok(found)
}

pub(super) fn remove(root: &Path, key: &Key) -> Result<(), DepotError> {
    let path: PathBuf = root.join(key.as_str());
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(DepotError::file("remove", &path)(error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn copy(from: &mut File, to: &mut File, progress: &dyn Progress) -> io::Result<(u64, String)> {
    let (mut hash, mut count) = (Sha256::new(), 0);
    let mut block = vec![0; BLOCK];
    loop {
        match from.read(&mut block) {
            Ok(0) => return Ok((count, hex::encode(hash.finalize()))),
            Ok(read) => {
                hash.update(&block[..read]);
                to.write_all(&block[..read])?;
                progress.moved(read as u64);
                count += read as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
