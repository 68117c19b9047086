//! How far a transfer is: a bar at a terminal, plain lines elsewhere.

use std::io::IsTerminal;

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use reprise_resume::depot::{Moved, Progress};

use crate::output::note;

/// Shown on standard error, so that standard output is for programs.
pub(super) struct Shown(ProgressBar);

impl Shown {
    pub(super) fn new() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(0);
        let style =
            ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
        Self(style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style)))
    }

    /// The transfer is over.
    pub(super) fn done(&self, what: &str, key: &str, moved: &Moved) {
        self.0.finish_and_clear();
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
        self.0.reset();
        match bytes {
            0 => self.0.unset_length(),
            bytes => self.0.set_length(bytes),
        }
    }

    fn moved(&self, bytes: u64) {
        self.0.inc(bytes);
    }
}
