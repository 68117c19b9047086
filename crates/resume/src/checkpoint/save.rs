//! A save: segment after segment, and the manifest again after each.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tempfile::NamedTempFile;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::choose::{Chosen, choose};
use super::declaration::Declaration;
use super::error::CheckpointError;
use super::files::{Found, LeftOut, walk};
use super::manifest::{MANIFEST, Manifest, Segment, segment_name};
use super::pack::{Packed, pack};
use crate::depot::{Depot, Progress};
use crate::key::{Key, Prefix};

/// What is in the store after a save.
#[derive(Debug, Default)]
pub struct Marked {
    /// How many files are in it.
    pub files: usize,
    /// Their bytes, unpacked.
    pub bytes: u64,
    /// How many segments.
    pub segments: usize,
    /// The save came to its end, nothing was too much, and nothing of earlier saves is missed by it.
    pub ended: bool,
    /// It ended, and no file was missed.
    pub whole: bool,
    /// Files that were declared and are not in it, up to where it came.
    pub left_out: Vec<LeftOut>,
    /// Files that were more than may be saved.
    pub beyond: usize,
    /// Why it ended before its end.
    pub cut_off: Option<CutOff>,
}

/// Why a save ended before its end.
#[derive(Debug)]
pub enum CutOff {
    /// There was no time left.
    Time,
    /// Something failed.
    Failed(CheckpointError),
}

/// Saves what is declared, under a name that later saves of the same attempt come after; `scratch` is a folder for what
/// is packed.
///
/// # Errors
/// Where not even the first mark was made.
pub async fn save(
    declaration: &Declaration,
    depot: &Depot,
    name: &str,
    within: Duration,
    scratch: &Path,
) -> Result<Marked, CheckpointError> {
    let until = Instant::now() + within;
    let mut saving = Saving::of(declaration, depot, name, scratch, until)?;
    let ended = timeout_at(until, saving.all(declaration)).await;
    // What is still being packed is of no use any more.
    saving.stop.store(true, Ordering::Relaxed);
    let mut marked = saving.marked;
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(CheckpointError::Late(_))) | Err(_) => marked.cut_off = Some(CutOff::Time),
        Ok(Err(error)) if marked.segments == 0 => return Err(error),
        Ok(Err(error)) => marked.cut_off = Some(CutOff::Failed(error)),
    }
    Ok(marked)
}

struct Saving<'a> {
    depot: &'a Depot,
    folder: Prefix,
    scratch: PathBuf,
    until: Instant,
    stop: Arc<AtomicBool>,
    manifest: Manifest,
    marked: Marked,
}

type Ahead = JoinHandle<Result<(NamedTempFile, Packed), CheckpointError>>;

impl<'a> Saving<'a> {
    fn of(
        declaration: &Declaration,
        depot: &'a Depot,
        name: &str,
        scratch: &Path,
        until: Instant,
    ) -> Result<Self, CheckpointError> {
        let Declaration { scope, attempt, .. } = declaration;
        Ok(Self {
            depot,
            folder: folder(scope.prefix()?, *attempt, name)?,
            scratch: scratch.to_owned(),
            until,
            stop: Arc::default(),
            manifest: Manifest::new(scope.clone(), *attempt),
            marked: Marked::default(),
        })
    }

    async fn all(&mut self, declaration: &Declaration) -> Result<(), CheckpointError> {
        let (places, most) = (declaration.places.clone(), declaration.most_bytes);
        let stop = Arc::clone(&self.stop);
        let looking = tokio::task::spawn_blocking(move || {
            let walk = walk(&places, &stop);
            (choose(walk.found, most), walk.left_out)
        });
        let (chosen, left_out) = looking.await.map_err(|_| CheckpointError::Ended)?;
        let Chosen { segments, beyond } = chosen;
        self.marked.left_out = left_out;
        self.marked.beyond = beyond;
        let mut segments = segments.into_iter();
        let mut ahead = segments.next().map(|files| self.start(files));
        while let Some(packing) = ahead {
            let (file, packed) = packing.await.map_err(|_| CheckpointError::Ended)??;
            if self.manifest.bytes().saturating_add(packed.segment.bytes) > most {
                // Files have grown since they were counted.
                let after: usize = segments.map(|files| files.len()).sum();
                self.marked.beyond += packed.segment.files + after;
                break;
            }
            // The next one is packed while this one is sent.
            ahead = segments.next().map(|files| self.start(files));
            self.marked.left_out.extend(packed.left_out);
            self.manifest.ended =
                ahead.is_none() && self.marked.beyond == 0 && declaration.caught_up;
            self.manifest.whole = self.manifest.ended && self.misses_nothing();
            self.send(&file, packed.segment).await?;
        }
        if self.manifest.ended && !self.marked.ended && self.marked.segments > 0 {
            // Nothing was left to send of the last segment.
            self.mark().await?;
        }
        Ok(())
    }

    fn start(&self, files: Vec<Found>) -> Ahead {
        let (scratch, stop) = (self.scratch.clone(), Arc::clone(&self.stop));
        tokio::task::spawn_blocking(move || {
            let file = NamedTempFile::new_in(&scratch);
            let mut file = file.map_err(CheckpointError::file("make a file in", &scratch))?;
            let path = file.path().to_owned();
            let packed = pack(&files, file.as_file_mut(), &path, &stop)?;
            Ok((file, packed))
        })
    }

    fn misses_nothing(&self) -> bool {
        let mut left_out = self.marked.left_out.iter();
        left_out.all(|one| !one.why.leaves_a_gap())
    }

    async fn send(
        &mut self,
        file: &NamedTempFile,
        segment: Segment,
    ) -> Result<(), CheckpointError> {
        if segment.files == 0 {
            return Ok(());
        }
        let key = below(&self.folder, &segment_name(self.manifest.segments.len()))?;
        self.put(&key, file.path()).await?;
        self.manifest.segments.push(segment);
        self.mark().await
    }

    /// From here on all that was sent counts.
    async fn mark(&mut self) -> Result<(), CheckpointError> {
        let file = NamedTempFile::new_in(&self.scratch);
        let mut file = file.map_err(CheckpointError::file("make a file in", &self.scratch))?;
        let text = serde_json::to_vec(&self.manifest).map_err(|_| CheckpointError::Ended)?;
        let written = file.write_all(&text);
        written.map_err(CheckpointError::file("write", file.path()))?;
        self.put(&below(&self.folder, MANIFEST)?, file.path())
            .await?;
        self.marked.bytes = self.manifest.bytes();
        self.marked.segments = self.manifest.segments.len();
        let files = self.manifest.segments.iter().map(|segment| segment.files);
        self.marked.files = files.sum();
        self.marked.ended = self.manifest.ended;
        self.marked.whole = self.manifest.whole;
        Ok(())
    }

    async fn put(&self, key: &Key, file: &Path) -> Result<(), CheckpointError> {
        // A put into a folder is over before any timer could say a word.
        if Instant::now() >= self.until {
            return Err(CheckpointError::Late(key.to_string()));
        }
        self.depot.put(key, file, &self.scratch, &Nobody).await?;
        Ok(())
    }
}

/// Where a save lies. Attempts and saves are in order by their names.
pub(super) fn folder(scope: Prefix, attempt: u32, name: &str) -> Result<Prefix, CheckpointError> {
    let text = format!("{}/{attempt:05}/{name}", scope.as_str());
    Prefix::parse(&text).map_err(|source| CheckpointError::Key { job: text, source })
}

pub(super) fn below(folder: &Prefix, name: &str) -> Result<Key, CheckpointError> {
    folder.key(name).map_err(|source| CheckpointError::Key {
        job: folder.to_string(),
        source,
    })
}

/// Nobody is told how far a segment is.
pub(super) struct Nobody;

impl Progress for Nobody {
    fn begins(&self, _: u64) {}
    fn moved(&self, _: u64) {}
}
