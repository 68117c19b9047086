//! Log lines as entries of systemd's journal: each field of a line is one there.
//!
//! It speaks the journal's native protocol, a datagram an entry. It never waits: what the journal has
//! no room for is lost, since a journal that hangs must not hold up a watch.

use std::fmt::{Debug, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Where the journal listens.
const SOCKET: &str = "/run/systemd/journal/socket";

/// What our fields' names begin with, so that none is taken for one of systemd's own, as `JOB_ID`.
const PREFIX: &str = "REPRISE_";

/// How much of a value is kept: a longer entry than the socket's buffer would be lost as a whole.
const LONGEST_VALUE: usize = 16 * 1024;

/// The journal of this host.
#[derive(Debug)]
pub(crate) struct Journal {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Journal {
    /// The host's own.
    pub(crate) fn open() -> std::io::Result<Self> {
        Self::at(Path::new(SOCKET))
    }

    /// Not connected, so that a journal that starts again is found again.
    fn at(path: &Path) -> std::io::Result<Self> {
        std::fs::metadata(path)?;
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        let path = path.to_owned();
        Ok(Self { socket, path })
    }
}

/// Whether systemd connected standard error to the journal: it says which file it made for that.
pub(crate) fn is_behind_stderr() -> bool {
    let Ok(file) = std::fs::metadata("/proc/self/fd/2") else {
        return false;
    };
    let own = format!("{}:{}", file.dev(), file.ino());
    std::env::var("JOURNAL_STREAM").is_ok_and(|said| said == own)
}

impl<S: Subscriber> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut entry = Entry::default();
        entry.add("PRIORITY", priority(*event.metadata().level()));
        entry.add("SYSLOG_IDENTIFIER", env!("CARGO_PKG_NAME"));
        entry.add("REPRISE_MODULE", event.metadata().target());
        event.record(&mut entry);
        // There is nobody left to complain to.
        let _ = self.socket.send_to(&entry.0, &self.path);
    }
}

/// Syslog's number of a level.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        Level::DEBUG | Level::TRACE => "7",
    }
}

/// An entry as it travels.
#[derive(Debug, Default)]
struct Entry(Vec<u8>);

impl Entry {
    fn add(&mut self, name: &str, value: &str) {
        let mut end = value.len().min(LONGEST_VALUE);
        while !value.is_char_boundary(end) {
            end -= 1;
        }
        let value = &value.as_bytes()[..end];
        self.0.extend_from_slice(name.as_bytes());
        // A line break in a value would begin another field: its length stands before it.
        if value.contains(&b'\n') {
            self.0.push(b'\n');
            let length = u64::try_from(value.len()).unwrap_or_default();
            self.0.extend_from_slice(&length.to_le_bytes());
        } else {
            self.0.push(b'=');
        }
        self.0.extend_from_slice(value);
        self.0.push(b'\n');
    }

    fn add_field(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.add("MESSAGE", value),
            name => self.add(&journal_name(name), value),
        }
    }
}

/// The journal knows capital letters, digits and underlines.
fn journal_name(field: &str) -> String {
    let sound = field.chars().map(|c| match c.to_ascii_uppercase() {
        c @ ('A'..='Z' | '0'..='9') => c,
        _ => '_',
    });
    // The longest that it takes.
    PREFIX.chars().chain(sound).take(64).collect()
}

impl Visit for Entry {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add_field(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = String::new();
        // Only a value's own `Debug` could fail, and then what it wrote so far is all there is.
        let _ = write!(text, "{value:?}");
        self.add_field(field, &text);
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    fn received(log: impl FnOnce()) -> Vec<u8> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("socket");
        let journal = UnixDatagram::bind(&path).expect("a socket");
        journal.set_nonblocking(true).expect("set");
        let layer = Journal::at(&path).expect("there");
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), log);
        let mut bytes = vec![0; 64 * 1024];
        let size = journal.recv(&mut bytes).expect("an entry");
        bytes.truncate(size);
        bytes
    }

    #[test]
    fn each_field_of_a_line_is_a_field_of_the_journal() {
        let entry = received(|| {
            tracing::warn!(
                notice.action = %"stop",
                notice.remaining_ms = 120_000_i64,
                instance.id = None::<&str>,
                "EC2 gives notice"
            );
        });
        let text = String::from_utf8(entry).expect("text");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "PRIORITY=4",
                "SYSLOG_IDENTIFIER=reprise-agent",
                "REPRISE_MODULE=reprise_agent::journal::tests",
                "MESSAGE=EC2 gives notice",
                "REPRISE_NOTICE_ACTION=stop",
                "REPRISE_NOTICE_REMAINING_MS=120000",
            ]
        );
    }

    #[test]
    fn a_value_with_line_breaks_makes_no_other_fields() {
        let entry = received(|| tracing::info!(output = "one\nMESSAGE=forged", "said"));
        let wanted = b"REPRISE_OUTPUT\n\x12\0\0\0\0\0\0\0one\nMESSAGE=forged\n";
        let found = entry.windows(wanted.len()).any(|part| part == wanted);
        assert!(found, "{}", String::from_utf8_lossy(&entry));
    }

    #[test]
    fn a_value_beyond_measure_is_cut_where_a_letter_ends() {
        let long = "x\u{e4}".repeat(LONGEST_VALUE);
        let entry = received(|| tracing::info!(output = long.as_str(), "said"));
        assert!(entry.len() < LONGEST_VALUE + 200);
        assert!(String::from_utf8(entry).is_ok());
    }

    #[test]
    fn a_journal_without_room_holds_nobody_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("socket");
        let _unread = UnixDatagram::bind(&path).expect("a socket");
        let layer = Journal::at(&path).expect("there");
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            for _ in 0..10_000 {
                tracing::info!("a line that nobody reads");
            }
        });
    }

    #[test]
    fn standard_error_is_the_journals_only_where_systemd_says_so() {
        assert!(!is_behind_stderr());
    }
}
