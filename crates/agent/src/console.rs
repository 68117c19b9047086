//! The host's console, whose last lines EC2 keeps when the host is gone.
//!
//! It never waits: what a console has no room for is lost.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use crate::settings::Console;

/// Where a host's console is.
const DEVICE: &str = "/dev/console";

/// A console to write lines to.
#[derive(Debug, Clone)]
pub(crate) struct Lines(Arc<File>);

/// Opens the chosen console; `None` where there is none to be.
pub(crate) fn open(chosen: &Console) -> Option<std::io::Result<Lines>> {
    match chosen {
        Console::Off => None,
        Console::At(path) => Some(open_at(path)),
        // To have none is usual, as in a container: it was not asked for.
        Console::Auto if is_root() => open_at(Path::new(DEVICE)).ok().map(Ok),
        Console::Auto => None,
    }
}

/// Neither waiting for room nor taking the console as one's terminal, with which its signals came.
fn open_at(path: &Path) -> std::io::Result<Lines> {
    let file = OpenOptions::new()
        .append(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)?;
    Ok(Lines(Arc::new(file)))
}

/// The owner of a process's folder is whom it acts for.
fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        // Lost or cut where there is no room: each error would become a line on standard error.
        let _ = (&*self.0).write(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_console_without_room_holds_nobody_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("console");
        let made = Command::new("mkfifo").arg(&path).status().expect("runs");
        assert!(made.success());
        let unread = OpenOptions::new().read(true).write(true).open(&path);
        let mut console = open(&Console::At(path)).expect("chosen").expect("open");
        for _ in 0..1000 {
            let line = [b'x'; 1000];
            assert_eq!(console.write(&line).expect("never fails"), line.len());
        }
        drop(unread);
    }

    #[test]
    fn a_console_that_was_asked_for_and_is_not_there_is_an_error() {
        let nowhere = Console::At("/nonexistent/console".into());
        assert!(open(&nowhere).expect("chosen").is_err());
        assert!(open(&Console::Off).is_none());
    }
}
