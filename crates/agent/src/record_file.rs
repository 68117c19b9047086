//! The record as a file on the machine's own disk.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use jiff::SignedDuration;
use rustix::time::{ClockId, clock_gettime};

use crate::record::{Boot, Records};

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Far more than a record with a hundred hooks.
const LIMIT_BYTES: u64 = 64 * 1024;

/// Keeps the record at a path; without one it keeps none.
#[derive(Debug, Clone)]
pub struct RecordFile {
    path: Option<PathBuf>,
    order: Arc<Order>,
}

/// Writes that come late, from a disk that hung, must not undo younger ones.
#[derive(Debug, Default)]
struct Order {
    asked: Mutex<u64>,
    written: Mutex<u64>,
}

impl RecordFile {
    /// At that path.
    pub fn new(path: Option<PathBuf>) -> Self {
        Self {
            path,
            order: Arc::default(),
        }
    }
}

impl Records for RecordFile {
    fn boot(&self) -> Result<Boot, String> {
        boot()
    }

    async fn load(&self) -> Result<Option<String>, String> {
        let Some(path) = self.path.clone() else {
            return Ok(None);
        };
        aside(move || read(&path)).await
    }

    async fn save(&self, text: String) -> Result<(), String> {
        let Some(path) = self.path.clone() else {
            return Ok(());
        };
        let order = Arc::clone(&self.order);
        let turn = next(&order.asked);
        aside(move || {
            let mut written = lock(&order.written);
            if *written > turn {
                return Ok(());
            }
            *written = turn;
            write(&path, &text).map_err(|error| said(&path, "written", &error))
        })
        .await
    }

    async fn remove(&self) -> Result<(), String> {
        let Some(path) = self.path.clone() else {
            return Ok(());
        };
        aside(move || match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(said(&path, "removed", &error))
            }
            Ok(()) | Err(_) => Ok(()),
        })
        .await
    }
}

/// Which boot this is.
pub fn boot() -> Result<Boot, String> {
    let id = std::fs::read_to_string(BOOT_ID)
        .map_err(|error| format!("the boot's id cannot be read from {BOOT_ID}: {error}"))?;
    let uptime = clock_gettime(ClockId::Boottime);
    let nanos = i32::try_from(uptime.tv_nsec).unwrap_or_default();
    Ok(Boot {
        id: id.trim().to_owned(),
        uptime: SignedDuration::new(uptime.tv_sec, nanos),
    })
}

/// The record's text, if there is one.
pub fn read(path: &Path) -> Result<Option<String>, String> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LIMIT_BYTES).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(said(path, "read", &error)),
    }
}

/// Whole or not at all, also when the machine goes in the middle of it.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let new = path.with_extension("new");
    // A leftover, or something that was put there: it is not written into.
    std::fs::remove_file(&new).ok();
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&new, path)?;
    File::open(folder)?.sync_all()
}

/// On another thread: a disk that hangs must not hold the poll up.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(error.to_string()))
}

fn next(counter: &Mutex<u64>) -> u64 {
    let mut counter = lock(counter);
    *counter += 1;
    *counter
}

fn lock(counter: &Mutex<u64>) -> std::sync::MutexGuard<'_, u64> {
    counter.lock().unwrap_or_else(|broken| broken.into_inner())
}

fn said(path: &Path, what: &str, error: &std::io::Error) -> String {
    format!("{} cannot be {what}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn file(folder: &tempfile::TempDir) -> RecordFile {
        RecordFile::new(Some(folder.path().join("interruption.json")))
    }

    #[tokio::test]
    async fn what_was_saved_is_there_for_everybody_to_read_and_can_be_taken_away() {
        let folder = tempfile::tempdir().expect("a folder");
        let records = file(&folder);
        assert_eq!(records.load().await, Ok(None));
        records.save("one".to_owned()).await.expect("saved");
        records.save("two".to_owned()).await.expect("saved");
        assert_eq!(records.load().await, Ok(Some("two".to_owned())));
        let mode = std::fs::metadata(folder.path().join("interruption.json"));
        assert_eq!(mode.expect("a file").permissions().mode() & 0o777, 0o644);
        let files = std::fs::read_dir(folder.path()).expect("a list").count();
        assert_eq!(files, 1, "nothing is left over");
        records.remove().await.expect("removed");
        records.remove().await.expect("removed already");
        assert_eq!(records.load().await, Ok(None));
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_written_is_named() {
        let records = RecordFile::new(Some("/nowhere/at-all/interruption.json".into()));
        let error = records.save(String::new()).await.expect_err("an error");
        assert!(error.contains("/nowhere/at-all"), "{error}");
    }

    #[tokio::test]
    async fn without_a_path_nothing_is_kept() {
        let records = RecordFile::new(None);
        records.save("one".to_owned()).await.expect("nothing to do");
        assert_eq!(records.load().await, Ok(None));
    }

    #[test]
    fn the_boot_is_known_by_its_id_and_its_age() {
        let boot = boot().expect("a boot");
        assert_eq!(boot.id.len(), 36, "{}", boot.id);
        assert!(boot.uptime > SignedDuration::ZERO);
    }
}
