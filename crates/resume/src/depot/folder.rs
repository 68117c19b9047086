//! A folder of this machine as a store: what is in it whole has its own name, by a rename.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::checksum::{Hasher, hex};

use super::archive::pack;
use super::blocks::{Aside, Pool};
use super::error::DepotError;
use super::landing::{self, Landing, UNFINISHED};
use super::seal::Check;
use super::{Moved, Progress, Stored};
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
    let mut from = File::open(source).map_err(DepotError::file("open", source))?;
    let mut landing = landing(root, key)?;
    let size = from
        .metadata()
        .map_err(DepotError::file("look at", source))?
        .len();
    progress.begins(size);
    let failed = || DepotError::file("copy", source);
    let hash = Aside::hash().map_err(failed())?;
    let count = copy(&mut from, &mut landing, &hash, progress).map_err(failed())?;
    let checksum = hex(&hash.finish()?);
    if count != size {
        return Err(DepotError::SourceChanged(source.to_owned()));
    }
    landing.place(Some(&checksum))?;
    Ok(Moved {
        bytes: size,
        checksum: Some(checksum),
        reused: 0,
    })
}

/// Packs a folder into this one.
pub(super) fn put_packed(
    root: &Path,
    key: &Key,
    source: &Path,
    progress: &dyn Progress,
) -> Result<Moved, DepotError> {
    progress.begins(0);
    let counted = Counted {
        into: landing(root, key)?,
        hash: Hasher::new(),
        count: 0,
        progress,
    };
    let counted = pack(source, counted)?;
    let checksum = hex(&counted.hash);
    counted.into.place(Some(&checksum))?;
    Ok(Moved {
        bytes: counted.count,
        checksum: Some(checksum),
        reused: 0,
    })
}

/// Begins an object.
fn landing(root: &Path, key: &Key) -> Result<Landing, DepotError> {
    let place = root.join(key.as_str());
    // A store that is not there is a mistake in its address, and not made.
    root.metadata().map_err(no_folder(root))?;
    if let Some(folder) = place.parent() {
        std::fs::create_dir_all(folder).map_err(DepotError::file("make", folder))?;
    }
    Landing::beside(&place)
}

/// Copies a file out of the folder.
pub(super) fn fetch<W: Write>(
    root: &Path,
    key: &Key,
    most: u64,
    mut into: W,
    progress: &dyn Progress,
) -> Result<(W, Moved), DepotError> {
    let path = root.join(key.as_str());
    let mut from = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            root.metadata().map_err(no_folder(root))?;
            return Err(DepotError::Missing(key.clone()));
        }
        Err(error) => return Err(DepotError::file("open", &path)(error)),
    };
    let size = from
        .metadata()
        .map_err(DepotError::file("look at", &path))?
        .len();
    DepotError::unless_within(key, size, most)?;
    progress.begins(size);
    let failed = || DepotError::file("copy", &path);
    let check = Check::of(key, size, landing::checksum(&from));
    let check = Aside::begin(check, Check::update).map_err(failed())?;
    copy(&mut from, &mut into, &check, progress).map_err(failed())?;
    let checksum = check.finish()?.finish()?;
    let moved = Moved {
        bytes: size,
        checksum,
        reused: 0,
    };
    Ok((into, moved))
}

fn no_folder(root: &Path) -> impl FnOnce(io::Error) -> DepotError {
    let path = root.to_owned();
    move |source| DepotError::NoFolder { path, source }
}

pub(super) fn exists(root: &Path, key: &Key) -> Result<bool, DepotError> {
    root.metadata().map_err(no_folder(root))?;
    let path = root.join(key.as_str());
    match path.metadata() {
        Ok(facts) => Ok(facts.is_file()),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(false)
        }
        Err(error) => Err(DepotError::file("look at", &path)(error)),
    }
}

/// What lies below a prefix.
pub(super) fn list(root: &Path, prefix: &str) -> io::Result<Vec<Stored>> {
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
                    (Ok(key), Ok(facts)) => found.push(Stored {
                        key,
                        at: facts.modified()?,
                        bytes: facts.len(),
                    }),
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

/// Removes what killed processes left below a prefix before a moment; how many files those were.
pub(super) fn sweep(root: &Path, prefix: &str, before: SystemTime) -> io::Result<usize> {
    root.metadata()?;
    let mut open = VecDeque::from([root.join(prefix)]);
    let mut removed = 0;
    while let Some(folder) = open.pop_front() {
        let found = landing::remove_abandoned(&folder, before).and_then(|count| {
            removed += count;
            for entry in folder.read_dir()? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    open.push_back(entry.path());
                }
            }
            Ok(())
        });
        match found {
            // Somebody removed it meanwhile, or it is a file.
            Err(error)
                if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                return Err(error);
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(removed)
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

/// Copies all that comes, while somebody beside looks at it; how many bytes those were.
fn copy<T: Send + 'static>(
    from: &mut File,
    to: &mut impl Write,
    aside: &Aside<T>,
    progress: &dyn Progress,
) -> io::Result<u64> {
    let (blocks, mut count) = (Pool::default(), 0);
    loop {
        let block = blocks.read(from, BLOCK)?;
        if block.is_empty() {
            return Ok(count);
        }
        aside.take(block.clone());
        to.write_all(&block)?;
        progress.moved(block.len() as u64);
        count += block.len() as u64;
    }
}

/// Takes the checksum of what goes out.
struct Counted<'a> {
    into: Landing,
    hash: Hasher,
    count: u64,
    progress: &'a dyn Progress,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.into.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.count += count as u64;
        self.progress.moved(count as u64);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.into.flush()
    }
}
