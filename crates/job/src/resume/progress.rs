//! How far a transfer is: a bar at a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use reprise_resume::depot::{Moved, Progress};

use crate::output::note;

/// In a log, a line says so after each of these: a few seconds' work, and no line for what is done at once.
const STEP: u64 = 256 << 20;

/// Shown on standard error, so that standard output is for programs.
pub(super) struct Shown {
    bar: ProgressBar,
    lines: Option<Lines>,
}

/// What a log is told.
#[derive(Default)]
struct Lines {
    size: AtomicU64,
    done: AtomicU64,
}

impl Shown {
    pub(super) fn new() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self {
                bar: ProgressBar::hidden(),
                lines: Some(Lines::default()),
            };
        }
        let bar = ProgressBar::new(0);
        let style =
            ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
        Self {
            bar: style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style)),
            lines: None,
        }
    }

    /// The transfer is over.
    pub(super) fn done(&self, what: &str, key: &str, moved: &Moved) {
        self.bar.finish_and_clear();
        let reused = match moved.reused {
            0 => String::new(),
            bytes => format!(", of which {} had been sent before", HumanBytes(bytes)),
        };
        let checked = match &moved.checksum {
            Some(checksum) => format!("blake3 {checksum}"),
            None => "no checksum is kept with it, so only its size was checked".to_owned(),
        };
        note(format_args!(
            "{what} {key}: {}{reused}; {checked}",
            HumanBytes(moved.bytes)
        ));
    }
}

impl Progress for Shown {
    fn begins(&self, bytes: u64) {
        self.bar.reset();
        match bytes {
            0 => self.bar.unset_length(),
            bytes => self.bar.set_length(bytes),
        }
        if let Some(lines) = &self.lines {
            lines.size.store(bytes, Ordering::Relaxed);
            lines.done.store(0, Ordering::Relaxed);
        }
    }

    fn moved(&self, bytes: u64) {
        self.bar.inc(bytes);
        if let Some(lines) = &self.lines {
            let before = lines.done.fetch_add(bytes, Ordering::Relaxed);
            let size = lines.size.load(Ordering::Relaxed);
            if let Some(line) = line(before, before.saturating_add(bytes), size) {
                note(line);
            }
        }
    }
}

/// What is said when so much more is done; `size` is 0 where nobody knows it, and the end is told by itself.
fn line(before: u64, now: u64, size: u64) -> Option<String> {
    let is_due = now / STEP > before / STEP && now != size;
    is_due.then(|| match size {
        0 => format!("{} so far", HumanBytes(now)),
        size => format!("{} of {}", HumanBytes(now), HumanBytes(size)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_has_a_line_now_and_then_and_none_for_what_is_small_or_done() {
        let mib = 1 << 20;
        for (before, now, size, wanted) in [
            (0, 255 * mib, 1024 * mib, None),
            (
                255 * mib,
                256 * mib,
                1024 * mib,
                Some("256.00 MiB of 1.00 GiB"),
            ),
            (256 * mib, 260 * mib, 1024 * mib, None),
            (500 * mib, 520 * mib, 0, Some("520.00 MiB so far")),
            (1020 * mib, 1024 * mib, 1024 * mib, None),
        ] {
            assert_eq!(
                line(before, now, size).as_deref(),
                wanted,
                "{before} {now} {size}"
            );
        }
    }
}
