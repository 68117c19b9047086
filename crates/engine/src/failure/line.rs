//! The lines of a log without what is not theirs: the runner's times, colours, control characters.

use jiff::Timestamp;
use reprise_model::failure::{JobLog, LOG_END};

use super::{LINE, LINES};

/// So many characters of a line are shown.
const SHOWN: usize = 300;

/// What the runner writes before the lines of a step's script when it repeats them.
const ECHO: &[u8] = b"\x1b[36;1m";

const ERROR: &[u8] = b"##[error]";
const ESCAPE: u8 = 0x1b;
const BELL: u8 = 0x07;

/// The last lines of a log.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) all: Vec<Line>,
}

/// A line of a log.
#[derive(Debug)]
pub(super) struct Line {
    /// What was printed, without the runner's mark.
    pub(super) text: Vec<u8>,
    /// When, by the runner's clock, which also times the steps.
    pub(super) at: Option<Timestamp>,
    pub(super) mark: Mark,
}

/// What the runner says of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// An error.
    Error,
    /// The script of a step, repeated.
    Echo,
    /// Nothing.
    None,
}

impl Lines {
    pub(super) fn of(log: &JobLog) -> Self {
        let bytes = match log {
            JobLog::End(bytes) => bytes.as_slice(),
            JobLog::Missing => return Self::default(),
        };
        let start = bytes.len().saturating_sub(LOG_END);
        let mut all: Vec<Line> = bytes[start..]
            .split(|byte| *byte == b'\n')
            .flat_map(pieces)
            .collect();
        all.drain(..all.len().saturating_sub(LINES));
        Self { all }
    }
}

/// What a line shows: a carriage return begins it anew, as progress does.
fn pieces(line: &[u8]) -> impl Iterator<Item = Line> {
    let (at, rest) = timed(line);
    let shown = rest.split(|byte| *byte == b'\r');
    shown.filter_map(move |piece| read(at, piece))
}

fn read(at: Option<Timestamp>, piece: &[u8]) -> Option<Line> {
    let piece = piece.get(..LINE).unwrap_or(piece);
    let is_echo = piece.starts_with(ECHO);
    let mut text = cleaned(piece);
    let is_error = text.starts_with(ERROR);
    if is_error {
        text.drain(..ERROR.len());
    }
    let mark = match (is_error, is_echo) {
        (true, _) => Mark::Error,
        (false, true) => Mark::Echo,
        (false, false) => Mark::None,
    };
    let is_empty = text.iter().all(u8::is_ascii_whitespace);
    (!is_empty).then_some(Line { text, at, mark })
}

/// The time that the runner writes before a line, and the rest of it.
fn timed(line: &[u8]) -> (Option<Timestamp>, &[u8]) {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    /// `2026-01-01T10:00:00.1234567Z`
    const LONGEST: usize = 30;
    let looks_so = line.first().is_some_and(u8::is_ascii_digit);
    let head = line.get(..LONGEST).unwrap_or(line);
    let end = head
        .iter()
        .position(|byte| *byte == b'Z')
        .filter(|_| looks_so);
    let Some(end) = end else {
        return (None, line);
    };
    let time = std::str::from_utf8(&line[..=end]).ok();
    match time.and_then(|time| time.parse().ok()) {
        Some(at) => {
            let rest = &line[end + 1..];
            (Some(at), rest.strip_prefix(b" ").unwrap_or(rest))
        }
        None => (None, line),
    }
}

/// Without escape sequences and control characters, and without spaces at the end.
pub(super) fn cleaned(text: &[u8]) -> Vec<u8> {
    let mut clean = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match *byte {
            ESCAPE => rest = after_escape(after),
            b'\t' => clean.push(b'\t'),
            byte if byte.is_ascii_control() => {}
            byte => clean.push(byte),
        }
    }
    let end = clean.trim_ascii_end().len();
    clean.truncate(end);
    clean
}

/// What follows an escape sequence whose escape was just read.
fn after_escape(text: &[u8]) -> &[u8] {
    match text.split_first() {
        Some((b'[', rest)) => {
            let end = rest.iter().position(|byte| !(0x20..=0x3f).contains(byte));
            end.map_or(&[], |end| &rest[end + 1..])
        }
        Some((b']', rest)) => {
            let end = rest
                .iter()
                .position(|byte| *byte == BELL || *byte == ESCAPE);
            match end {
                Some(end) if rest[end] == BELL => &rest[end + 1..],
                Some(end) => rest.get(end + 2..).unwrap_or_default(),
                None => &[],
            }
        }
        Some((_, rest)) => rest,
        None => &[],
    }
}

/// A line as people see it, shortened.
pub(super) fn shown(text: &[u8]) -> String {
    let text = cleaned(text);
    let text = String::from_utf8_lossy(&text);
    let text = text.trim();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        let lines = Lines::of(&JobLog::End(text.as_bytes().to_vec()));
        let lines = lines.all.iter();
        lines.map(|line| shown(&line.text)).collect()
    }

    #[test]
    fn times_colours_and_control_characters_are_taken_away() {
        let text = "\u{feff}2026-01-01T10:00:00.1234567Z \u{1b}[31;1merror\u{1b}[0m: no\u{8}\r\n\
                    2026-01-01T10:00:01Z \u{1b}]8;;https://x.example\u{7}link\u{1b}]8;;\u{1b}\\ end\n\n\
                    plain \u{1b}";
        assert_eq!(lines(text), ["error: no", "link end", "plain"]);
        let lines = Lines::of(&JobLog::End(text.as_bytes().to_vec()));
        let at: Vec<_> = lines.all.iter().map(|line| line.at).collect();
        assert_eq!(at[1], "2026-01-01T10:00:01Z".parse().ok());
        assert_eq!(at[2], None);
    }

    #[test]
    fn a_carriage_return_begins_the_line_anew() {
        assert_eq!(lines("10 %\r20 %\rdone"), ["10 %", "20 %", "done"]);
    }

    #[test]
    fn what_only_looks_like_a_time_is_kept() {
        for text in ["2026 Zebras", "1Z", "Zoo", "2026-13-41T10:00:00Z late"] {
            assert_eq!(lines(text), [text]);
        }
    }

    #[test]
    fn the_runners_marks_are_read() {
        let text = b"##[error]no\n\x1b[36;1mmake test\x1b[0m\nplain".to_vec();
        let lines = Lines::of(&JobLog::End(text));
        let marks: Vec<Mark> = lines.all.iter().map(|line| line.mark).collect();
        assert_eq!(marks, [Mark::Error, Mark::Echo, Mark::None]);
    }

    #[test]
    fn long_lines_and_logs_are_cut() {
        let long = "x".repeat(3 * LINE);
        let read = Lines::of(&JobLog::End(long.into_bytes()));
        assert_eq!(read.all[0].text.len(), LINE);
        assert_eq!(shown(&read.all[0].text).len(), SHOWN + 3);
        let many = "y\n".repeat(3 * LINES);
        assert_eq!(Lines::of(&JobLog::End(many.into_bytes())).all.len(), LINES);
    }
}
