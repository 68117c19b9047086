//! The kernel's line about a process.

use super::Process;

/// What of it counts here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Which process.
    pub process: Process,
    /// The number of its parent.
    pub parent: u32,
    /// Whether it is more than a dead entry.
    pub(super) lives: bool,
    /// Whether a signal has stopped it.
    pub(super) stopped: bool,
}

/// Reads `/proc/PID/stat`.
pub(super) fn read(text: &[u8]) -> Option<Entry> {
    let text = String::from_utf8_lossy(text);
    let (pid, rest) = text.split_once(' ')?;
    // The program's name stands in brackets and may hold brackets and spaces itself.
    let (_, rest) = rest.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    // The 22nd of the whole line; state and parent are the third and the fourth.
    let started = fields.nth(17)?.parse().ok()?;
    let pid = pid.parse().ok()?;
    Some(Entry {
        process: Process { pid, started },
        parent,
        lives: !matches!(state, "Z" | "X"),
        stopped: state == "T",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &[u8] = b"4242 (a) (b c) S 17 4242 4242 0 -1 4194304 104 0 0 0 1 2 3 4 20 0 1 0 \
        987654 2523136 230 18446744073709551615\n";

    #[test]
    fn a_name_with_brackets_and_spaces_hides_nothing() {
        let entry = read(LINE).expect("an entry");
        let process = Process {
            pid: 4242,
            started: 987_654,
        };
        let parent = 17;
        let expected = Entry {
            process,
            parent,
            lives: true,
            stopped: false,
        };
        assert_eq!(entry, expected);
    }

    #[test]
    fn a_process_that_waits_for_its_parent_is_dead() {
        let line = String::from_utf8_lossy(LINE).replace(" S 17", " Z 17");
        assert!(!read(line.as_bytes()).expect("an entry").lives);
    }

    #[test]
    fn anything_else_is_no_entry() {
        for text in ["", "12", "12 (sh)", "12 (sh) S 1 2 3", "x (sh) S y"] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
    }
}
