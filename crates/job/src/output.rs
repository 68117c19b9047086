//! Lines for people and for other programs.
//!
//! `println!` panics when its reader has gone, as after `| head`. Here that is an error like others,
//! and [`ReaderGone`] ends the program without a word.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

use anyhow::{Context, Result};

/// Whoever read standard output has read enough.
#[derive(Debug)]
pub struct ReaderGone;

impl Display for ReaderGone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("nobody reads standard output any more")
    }
}

impl std::error::Error for ReaderGone {}

/// One line on standard output.
pub fn say(text: impl Display) -> Result<()> {
    written(&mut io::stdout().lock(), format_args!("{text}\n"))
}

/// A text on standard output exactly as it is, without an end of line.
pub fn say_exactly(text: &str) -> Result<()> {
    written(&mut io::stdout().lock(), format_args!("{text}"))
}

/// One line on standard error. When nobody reads it, there is nobody to tell that either.
pub fn note(text: impl Display) {
    writeln!(io::stderr().lock(), "{text}").ok();
}

fn written(out: &mut impl Write, text: std::fmt::Arguments<'_>) -> Result<()> {
    match out.write_fmt(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(ReaderGone.into()),
        written => written.context("failed to write to standard output"),
    }
}

/// A stranger's text for a terminal: control characters are shown, not obeyed.
pub fn harmless(text: &str) -> String {
    text.chars()
        .map(|letter| match letter {
            '\n' | '\t' => letter.to_string(),
            _ if letter.is_control() => letter.escape_unicode().to_string(),
            _ => letter.to_string(),
        })
        .collect()
}

/// How long ago something was, in the largest whole unit; never in the future.
pub fn ago(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (minutes, hours) = (seconds / 60, seconds / 3_600);
    if hours >= 48 {
        format!("{} d ago", hours / 24)
    } else if hours > 0 {
        format!("{hours} h ago")
    } else if minutes > 0 {
        format!("{minutes} min ago")
    } else {
        format!("{seconds} s ago")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken(ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_has_gone_is_told_apart_from_a_full_disk() {
        let gone = written(&mut Broken(ErrorKind::BrokenPipe), format_args!("a line"));
        assert!(gone.is_err_and(|error| error.is::<ReaderGone>()));
        let full = written(&mut Broken(ErrorKind::StorageFull), format_args!("a line"));
        assert!(full.is_err_and(|error| !error.is::<ReaderGone>()));
    }

    #[test]
    fn a_strangers_control_characters_are_shown_and_not_obeyed() {
        assert_eq!(
            harmless("a\u{1b}[2Jb\r\u{9b}c\n\td"),
            "a\\u{1b}[2Jb\\u{d}\\u{9b}c\n\td"
        );
    }
}
