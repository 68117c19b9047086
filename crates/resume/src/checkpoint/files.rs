//! The files of a job, as they lie there now.

use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use super::places::{Places, Root, leads_there};
use crate::depot::stays_within;

/// Git's own folder: a checkout makes it anew, and the job's token may stand in it.
const GIT: &str = ".git";

/// A file that is to be saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// When it was last written to.
    pub(super) modified: SystemTime,
    /// Its name in an archive.
    pub(super) member: PathBuf,
    /// Where it is.
    pub(super) full: PathBuf,
    /// Its size.
    pub(super) bytes: u64,
    /// What there is to be saved of it.
    pub(super) kind: Kind,
}

/// What has a place in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A file.
    File,
    /// A link, and what it leads to.
    Link(PathBuf),
    /// A folder with nothing in it; the others come with what is in them.
    EmptyFolder,
}

/// What was not saved, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Which.
    pub path: PathBuf,
    /// Why.
    pub why: Why,
}

/// Why a file was not saved, or not brought back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It is not there.
    Gone,
    /// It was there, and was removed before it was read.
    Removed,
    /// A link is on the way to it, which may lead anywhere.
    BehindALink,
    /// A link to what lies outside of the workspace and the home folder.
    LeadsOut,
    /// A socket, a device or the like.
    Special,
    /// Nobody may read it, or a disk is broken.
    Unreadable,
    /// Its time is not to be had.
    Timeless,
    /// The job wrote to it meanwhile.
    Changed,
    /// Something else lies where it belongs.
    InItsWay,
}

impl Why {
    /// Whether a save lacks something without it that it should have. The others are never saved, and not missed.
    pub(super) fn leaves_a_gap(self) -> bool {
        match self {
            Self::Removed | Self::Unreadable | Self::Timeless | Self::Changed | Self::InItsWay => {
                true
            }
            Self::Gone | Self::BehindALink | Self::LeadsOut | Self::Special => false,
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone => "it is not there",
            Self::Removed => "it was removed before it was read",
            Self::BehindALink => "a link is on the way to it",
            Self::LeadsOut => {
                "it is an absolute link, or leads out of the workspace or the home folder"
            }
            Self::Special => "it is no file, no folder and no link",
            Self::Unreadable => "it cannot be read",
            Self::Timeless => "it has no time",
            Self::Changed => "it changed while it was read",
            Self::InItsWay => "a folder, a file or a link is in its way",
        })
    }
}

/// All that was declared, in no particular order.
#[derive(Debug, Default)]
pub(super) struct Walk {
    pub(super) found: Vec<Found>,
    pub(super) left_out: Vec<LeftOut>,
}

/// Looks at all that is declared, until it is told to stop: what it has found then is of no use.
pub(super) fn walk(places: &Places, stop: &AtomicBool) -> Walk {
    let mut walking = Walking {
        walk: Walk::default(),
        stop,
    };
    walking.all(places);
    // What was declared twice, the inner one first.
    let mut walk = walking.walk;
    walk.found
        .sort_by(|one, other| one.member.cmp(&other.member));
    walk.found.dedup_by(|one, other| one.member == other.member);
    walk
}

struct Walking<'a> {
    walk: Walk,
    stop: &'a AtomicBool,
}

impl Walking<'_> {
    fn all(&mut self, places: &Places) {
        let mut seen: Vec<(Root, &Path)> = Vec::new();
        for one in places.declared() {
            let is_within =
                |(root, below): &(Root, &Path)| *root == one.root && one.below.starts_with(below);
            if seen.iter().any(is_within) {
                continue;
            }
            let folder = places.folder(one.root);
            if leads_there(folder, &one.below) {
                self.look(one.root, folder, &one.below, Depth::Declared);
            } else {
                let full = folder.join(&one.below);
                let why = if full.exists() {
                    Why::BehindALink
                } else {
                    Why::Gone
                };
                self.leave(full, why);
            }
            seen.push((one.root, &one.below));
        }
    }

    fn leave(&mut self, path: PathBuf, why: Why) {
        self.walk.left_out.push(LeftOut { path, why });
    }

    fn look(&mut self, root: Root, folder: &Path, below: &Path, depth: Depth) {
        let full = folder.join(below);
        match fs::symlink_metadata(&full) {
            Ok(facts) if facts.is_dir() => {
                let is_empty = self.enter(root, folder, below);
                // A declared folder with nothing in it is nothing to go on from.
                if is_empty && depth == Depth::Below {
                    self.take(root, below, full, &facts);
                }
            }
            Ok(facts) => self.take(root, below, full, &facts),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.leave(full, Why::Gone);
            }
            Err(_) => self.leave(full, Why::Unreadable),
        }
    }

    /// Looks at what is in a folder; whether that is nothing.
    fn enter(&mut self, root: Root, folder: &Path, below: &Path) -> bool {
        let full = folder.join(below);
        let Ok(entries) = fs::read_dir(&full) else {
            self.leave(full, Why::Unreadable);
            return false;
        };
        let mut is_empty = true;
        // One that cannot be read any more has gone meanwhile.
        for entry in entries.flatten() {
            is_empty = false;
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            if entry.file_name() != GIT {
                self.look(root, folder, &below.join(entry.file_name()), Depth::Below);
            }
        }
        is_empty
    }

    fn take(&mut self, root: Root, below: &Path, full: PathBuf, facts: &Metadata) {
        let link = facts
            .is_symlink()
            .then(|| fs::read_link(&full).ok())
            .flatten();
        let kind = match link {
            Some(target) if !stays_within(below, &target) => {
                return self.leave(full, Why::LeadsOut);
            }
            Some(target) => Kind::Link(target),
            None if facts.is_dir() => Kind::EmptyFolder,
            None if facts.is_file() => Kind::File,
            None => return self.leave(full, Why::Special),
        };
        let Ok(modified) = facts.modified() else {
            return self.leave(full, Why::Timeless);
        };
        self.walk.found.push(Found {
            modified,
            member: Places::member(root, below),
            bytes: match kind {
                Kind::File => facts.len(),
                Kind::Link(_) | Kind::EmptyFolder => 0,
            },
            full,
            kind,
        });
    }
}

/// Where a folder stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// It was declared itself.
    Declared,
    /// In one that was.
    Below,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_that_is_told_to_stop_goes_no_further() {
        let folder = tempfile::TempDir::new().expect("a folder");
        for name in ["a", "b", "c"] {
            fs::write(folder.path().join(name), name).expect("written");
        }
        let places = Places::new(folder.path(), Path::new("/home/runner"), &[".".into()]);
        let places = places.expect("places");
        let found = |stop| walk(&places, &AtomicBool::new(stop)).found.len();
        assert_eq!((found(false), found(true)), (3, 0));
    }
}
