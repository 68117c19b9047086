//! The file that is put: read once for its checksum, and once more for its parts.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::checksum::{Hasher, hex};
use bytes::Bytes;

use super::blocks::{Aside, Pool};
use super::error::DepotError;

/// What is read at once for a checksum.
const BLOCK: usize = 1 << 20;

/// A file as it was when its checksum was taken.
#[derive(Debug, Clone)]
pub(super) struct Source {
    file: Arc<File>,
    path: PathBuf,
    stamp: Stamp,
    blocks: Pool,
    pub(super) checksum: String,
}

/// What changes with every write to a file, at the kernel's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    size: u64,
    changed: (i64, i64),
}

impl Source {
    /// Opens it and takes its checksum.
    pub(super) fn open(path: &Path) -> Result<Self, DepotError> {
        let file = File::open(path).map_err(DepotError::file("open", path))?;
        let stamp = Stamp::of(&file).map_err(DepotError::file("look at", path))?;
        let hash = checksum(&file).map_err(DepotError::file("read", path))?;
        let checksum = hex(&hash.finish()?);
        let source = Self {
            file: Arc::new(file),
            path: path.to_owned(),
            stamp,
            blocks: Pool::default(),
            checksum,
        };
        source.is_unchanged()?;
        Ok(source)
    }

    pub(super) fn size(&self) -> u64 {
        self.stamp.size
    }

    /// A part of it.
    pub(super) fn part(&self, from: u64, length: usize) -> Result<Bytes, DepotError> {
        let mut block = self.blocks.take(length);
        match self.file.read_exact_at(&mut block, from) {
            Ok(()) => Ok(block.freeze()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(DepotError::SourceChanged(self.path.clone()))
            }
            Err(error) => Err(DepotError::file("read", &self.path)(error)),
        }
    }

    /// Whether all parts so far are of the file that the checksum was taken of.
    pub(super) fn is_unchanged(&self) -> Result<(), DepotError> {
        let now = Stamp::of(&self.file).map_err(DepotError::file("look at", &self.path))?;
        if now == self.stamp {
            Ok(())
        } else {
            Err(DepotError::SourceChanged(self.path.clone()))
        }
    }
}

impl Stamp {
    fn of(file: &File) -> io::Result<Self> {
        let facts = file.metadata()?;
        if !facts.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        Ok(Self {
            size: facts.len(),
            changed: (facts.ctime(), facts.ctime_nsec()),
        })
    }
}

/// Reads while the checksum of what was read before is taken.
fn checksum(mut file: &File) -> io::Result<Aside<Hasher>> {
    let (blocks, hash) = (Pool::default(), Aside::hash()?);
    loop {
        let block = blocks.read(&mut file, BLOCK)?;
        if block.is_empty() {
            return Ok(hash);
        }
        hash.take(block);
    }
}
