//! In what order files are saved, and in which segments.

use std::cmp::Reverse;

use super::files::Found;

/// How many bytes a segment has before it is packed. At 100 MB a second it takes a third of a second: so much of a
/// save may be lost when it is cut off.
const SEGMENT: u64 = 32 << 20;

/// More files than that are no segment either: each has a header of its own.
pub(super) const MOST_FILES: usize = 10_000;

/// What is saved, in this order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) segments: Vec<Vec<Found>>,
    /// How many files are too much.
    pub(super) beyond: usize,
}

/// The files changed last first: those are the least likely to be somewhere else. What comes after the first that does
/// not fit is not saved, so that what is brought back is always all that is younger than something.
pub(super) fn choose(mut found: Vec<Found>, most_bytes: u64) -> Chosen {
    found.sort_by(|one, other| {
        (Reverse(one.modified), &one.member).cmp(&(Reverse(other.modified), &other.member))
    });
    let mut sum = 0_u64;
    let fits = found.iter().take_while(|file| {
        sum = sum.saturating_add(file.bytes);
        sum <= most_bytes
    });
    let beyond = found.split_off(fits.count()).len();
    let mut segments: Vec<Vec<Found>> = Vec::new();
    let mut filled = u64::MAX;
    for file in found {
        let is_full = filled.saturating_add(file.bytes) > SEGMENT;
        match segments.last_mut() {
            Some(segment) if !is_full && segment.len() < MOST_FILES => {
                filled += file.bytes;
                segment.push(file);
            }
            Some(_) | None => {
                filled = file.bytes;
                segments.push(vec![file]);
            }
        }
    }
    Chosen { segments, beyond }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::{Duration, SystemTime};

    use super::super::files::Kind;
    use super::*;

    fn file(name: &str, age: u64, bytes: u64) -> Found {
        Found {
            modified: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000 - age),
            member: name.into(),
            full: PathBuf::from("/").join(name),
            bytes,
            kind: Kind::File,
        }
    }

    fn names(chosen: &Chosen) -> Vec<Vec<&str>> {
        let segments = chosen.segments.iter();
        segments
            .map(|files| files.iter().filter_map(|one| one.member.to_str()).collect())
            .collect()
    }

    #[test]
    fn the_youngest_come_first_and_a_large_one_is_a_segment_of_its_own() {
        let found = vec![
            file("old", 30, 5),
            file("large", 20, SEGMENT + 1),
            file("b", 10, 5),
            file("a", 10, 5),
            file("young", 1, SEGMENT - 10),
        ];
        let chosen = choose(found, u64::MAX);
        let wanted = vec![vec!["young", "a", "b"], vec!["large"], vec!["old"]];
        assert_eq!(names(&chosen), wanted);
        assert_eq!(chosen.beyond, 0);
    }

    #[test]
    fn what_is_older_than_the_first_that_does_not_fit_is_not_saved() {
        let found = vec![file("a", 1, 6), file("b", 2, 6), file("c", 3, 1)];
        let chosen = choose(found, 10);
        assert_eq!(names(&chosen), [["a"]]);
        assert_eq!(chosen.beyond, 2);
        assert_eq!(choose(Vec::new(), 10).segments, Vec::<Vec<Found>>::new());
    }
}
