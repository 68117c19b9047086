//! Manifests and segments out of the store, each checked before it counts.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use crate::depot::checksum::{Hasher, hex};
use tempfile::NamedTempFile;
use tokio::time::{Instant, timeout_at};

use super::error::CheckpointError;
use super::manifest::{LARGEST, MANIFEST, Manifest, Segment, segment_name};
use super::restore::{Named, Wanted};
use super::save::{Nobody, below, folder};
use super::scope::Scope;
use crate::depot::{Depot, Moved};
use crate::key::{Key, Prefix};

/// More manifests than that are not read: whoever saves so often has a whole save among them.
const MOST_READ: usize = 20;

/// Read at once for a checksum.
const BLOCK: usize = 1 << 17;

/// A save whose manifest was read.
#[derive(Debug)]
pub(super) struct Save {
    pub(super) attempt: u32,
    pub(super) manifest: Manifest,
    folder: Prefix,
}

/// A segment whose checksum is right.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) file: NamedTempFile,
    /// For messages.
    pub(super) name: String,
    /// What its manifest says of it.
    pub(super) segment: Segment,
}

pub(super) struct Fetcher<'a> {
    depot: &'a Depot,
    until: Instant,
    scratch: &'a Path,
    /// What was wrong with what does not count.
    pub(super) trouble: Vec<CheckpointError>,
}

impl<'a> Fetcher<'a> {
    pub(super) fn new(depot: &'a Depot, until: Instant, scratch: &'a Path) -> Self {
        Self {
            depot,
            until,
            scratch,
            trouble: Vec::new(),
        }
    }

    /// The newest save that ended, and after it all later ones, which did not: the order in which they are put in place.
    pub(super) async fn choose(
        &mut self,
        saves: Vec<Named>,
        scope: &Scope,
        wanted: &Wanted,
    ) -> Vec<Save> {
        let mut chosen: Vec<Save> = Vec::new();
        for named in saves.into_iter().take(MOST_READ) {
            let save = match self.manifest(&named, scope).await {
                Ok(save) => save,
                Err(error) => {
                    self.trouble.push(error);
                    continue;
                }
            };
            if wanted.whole_only && !save.manifest.whole {
                continue;
            }
            let is_enough = save.manifest.ended;
            chosen.insert(0, save);
            if is_enough {
                break;
            }
        }
        self.cut_what_is_too_much(&mut chosen, wanted.most_bytes);
        chosen
    }

    /// The first may have as much as may be saved, and all the others together as much again: they have the same files.
    fn cut_what_is_too_much(&mut self, chosen: &mut [Save], most: u64) {
        let Some((first, later)) = chosen.split_first_mut() else {
            return;
        };
        self.cut(first, &mut most.clone(), most);
        let mut left = most;
        for save in later.iter_mut().rev() {
            self.cut(save, &mut left, most);
        }
    }

    /// Keeps the segments that fit, which are those with the files that changed last.
    fn cut(&mut self, save: &mut Save, left: &mut u64, most: u64) {
        let found = save.manifest.bytes();
        let mut kept = 0;
        for segment in &save.manifest.segments {
            let Some(rest) = left.checked_sub(segment.bytes) else {
                break;
            };
            *left = rest;
            kept += 1;
        }
        if kept == save.manifest.segments.len() {
            return;
        }
        save.manifest.segments.truncate(kept);
        save.manifest.whole = false;
        self.trouble.push(CheckpointError::TooLarge {
            attempt: save.attempt,
            found,
            most,
        });
    }

    async fn manifest(&self, named: &Named, scope: &Scope) -> Result<Save, CheckpointError> {
        let folder = folder(scope.prefix()?, named.attempt, &named.name)?;
        let key = below(&folder, MANIFEST)?;
        let (file, _) = self.file(&key, LARGEST).await?;
        let text = std::fs::read(file.path());
        let text = text.map_err(CheckpointError::file("read", file.path()))?;
        Ok(Save {
            attempt: named.attempt,
            manifest: Manifest::read(&text, &key, scope, named.attempt)?,
            folder,
        })
    }

    /// The segments of a save in their order, up to the first that cannot be had.
    pub(super) async fn all(&mut self, save: &Save) -> Vec<Fetched> {
        let mut fetched = Vec::new();
        for (number, segment) in save.manifest.segments.iter().enumerate() {
            match self.segment(&save.folder, number, segment).await {
                Ok(one) => fetched.push(one),
                Err(error) => {
                    self.trouble.push(error);
                    break;
                }
            }
        }
        fetched
    }

    async fn segment(
        &self,
        folder: &Prefix,
        number: usize,
        segment: &Segment,
    ) -> Result<Fetched, CheckpointError> {
        let key = below(folder, &segment_name(number))?;
        let (file, moved) = self.file(&key, segment.largest_archive()).await?;
        let found = match moved.checksum {
            Some(sum) => sum,
            None => sum(file.path()).map_err(CheckpointError::file("read", file.path()))?,
        };
        if found != segment.checksum {
            return Err(CheckpointError::Damaged(key.to_string()));
        }
        Ok(Fetched {
            file,
            name: key.to_string(),
            segment: segment.clone(),
        })
    }

    /// Fetches what has at most so many bytes.
    async fn file(&self, key: &Key, most: u64) -> Result<(NamedTempFile, Moved), CheckpointError> {
        let file = NamedTempFile::new_in(self.scratch);
        let file = file.map_err(CheckpointError::file("make a file in", self.scratch))?;
        // A folder answers before any timer could say a word.
        if Instant::now() >= self.until {
            return Err(CheckpointError::Late(key.to_string()));
        }
        let fetching = self.depot.get_at_most(key, most, file.path(), &Nobody);
        let moved = timeout_at(self.until, fetching).await;
        let moved = moved.map_err(|_| CheckpointError::Late(key.to_string()))??;
        Ok((file, moved))
    }
}

fn sum(file: &Path) -> io::Result<String> {
    let mut sum = Hasher::new();
    let mut file = BufReader::with_capacity(BLOCK, File::open(file)?);
    loop {
        let block = file.fill_buf()?;
        let length = block.len();
        if length == 0 {
            return Ok(hex(&sum));
        }
        sum.update(block);
        file.consume(length);
    }
}
