//! Which files of a hooks' folder are hooks, which run, and why others do not.
//!
//! Invariant: what is not run is named with its reason, but for what nobody means to run: a README, notes and dot
//! files, and what package managers and editors leave, as long as it is not executable.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::geteuid;

/// What package managers and editors leave beside a file.
const LEFTOVERS: [&str; 8] = [
    "~", ".bak", ".old", ".orig", ".rpmnew", ".rpmorig", ".rpmsave", ".swp",
];

/// The same in the middle of a name.
const LEFTOVER_MARKS: [&str; 2] = [".dpkg-", ".ucf-"];

/// So much of a script's first line Linux reads (BINPRM_BUF_SIZE of binfmts.h).
const LONGEST_LINE: u64 = 256;

/// What lies in a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    /// The hooks, in the order in which they run.
    pub(crate) run: Vec<String>,
    /// What somebody may take for a hook, in the order of the names.
    pub(crate) skipped: Vec<Skipped>,
}

/// A file that does not run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{name} does not run: {why}")]
pub(crate) struct Skipped {
    /// Its name, as far as it is text.
    pub(crate) name: String,
    /// Why.
    pub(crate) why: NotRun,
}

/// Why a file does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub(crate) enum NotRun {
    #[error("names of hooks are made of letters, digits, _, - and ., and begin with no dot")]
    Name,
    #[error("its name is that of a leftover of an editor or a package manager")]
    Leftover,
    #[error("it is not executable; chmod +x it, if it is a hook")]
    NotExecutable,
    #[error(
        "it is a text that begins with no `#!` and a program that is there; begin it with #!/bin/sh, and end lines without \\r"
    )]
    NoInterpreter,
    #[error("it is no file")]
    NoFile,
    #[error("it belongs to another user than root and the agent's own; chown it")]
    OthersOwn,
    #[error("others than its owner can write it; chmod go-w it")]
    OthersWrite,
    #[error("it cannot be looked at")]
    Unseen,
}

/// What lies in the folder; without one, and where it is not there, nothing.
pub(crate) fn look(folder: Option<&Path>) -> Result<Listing, String> {
    let Some(folder) = folder else {
        return Ok(Listing::default());
    };
    let files = match std::fs::read_dir(folder) {
        Ok(files) => files,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Listing::default()),
        Err(error) => return Err(format!("{} cannot be read: {error}", folder.display())),
    };
    sound(folder).map_err(|why| format!("the folder {} is not safe: {why}", folder.display()))?;
    let mut listing = Listing::default();
    for name in files.flatten().map(|file| file.file_name()) {
        match judge(folder, &name) {
            Verdict::Runs(name) => listing.run.push(name),
            Verdict::Skipped(skipped) => listing.skipped.push(skipped),
            Verdict::Ignored => (),
        }
    }
    listing.run.sort();
    listing.skipped.sort();
    Ok(listing)
}

enum Verdict {
    Runs(String),
    Skipped(Skipped),
    /// Nobody means it to run.
    Ignored,
}

fn judge(folder: &Path, name: &OsStr) -> Verdict {
    let path = folder.join(name);
    let text = name.to_string_lossy().into_owned();
    let is_executable = match std::fs::metadata(&path) {
        Ok(metadata) => metadata.is_file() && metadata.mode() & 0o111 != 0,
        Err(_) => false,
    };
    if is_readme(&text) || (!is_executable && is_no_hook(&text)) {
        return Verdict::Ignored;
    }
    match runs(&path, name) {
        Ok(()) => Verdict::Runs(text),
        Err(why) => Verdict::Skipped(Skipped { name: text, why }),
    }
}

fn is_readme(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "readme" || name.starts_with("readme.")
}

fn is_no_hook(name: &str) -> bool {
    name.starts_with('.') || name.ends_with(".md") || is_leftover(name)
}

fn is_leftover(name: &str) -> bool {
    LEFTOVERS.iter().any(|end| name.ends_with(end))
        || LEFTOVER_MARKS.iter().any(|mark| name.contains(mark))
}

fn runs(path: &Path, name: &OsStr) -> Result<(), NotRun> {
    let text = name.to_string_lossy();
    if is_leftover(&text) {
        return Err(NotRun::Leftover);
    }
    if !is_name(&text) {
        return Err(NotRun::Name);
    }
    let metadata = std::fs::metadata(path).map_err(|_| NotRun::Unseen)?;
    if !metadata.is_file() {
        return Err(NotRun::NoFile);
    }
    if metadata.mode() & 0o111 == 0 {
        return Err(NotRun::NotExecutable);
    }
    sound(path)?;
    if lacks_interpreter(path) {
        return Err(NotRun::NoInterpreter);
    }
    Ok(())
}

/// Whether no kernel could start it: known before the notice, it can be mended. What cannot be read may still run.
fn lacks_interpreter(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST_LINE).read_to_end(&mut head));
    if read.is_err() {
        return false;
    }
    match head.strip_prefix(b"#!") {
        Some(line) => {
            let line = String::from_utf8_lossy(line);
            let words = line.trim_start_matches([' ', '\t']);
            let program = words.split([' ', '\t', '\n']).next();
            !program.is_some_and(|program| Path::new(program).is_file())
        }
        // Programs of any kind have bytes in their first four that no text has.
        None => head.iter().take(4).all(|byte| is_of_text(*byte)),
    }
}

fn is_of_text(byte: u8) -> bool {
    byte.is_ascii_graphic() || byte.is_ascii_whitespace()
}

/// Names as `run-parts` takes them, and with dots. What is no text has other characters in its place.
fn is_name(name: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    !name.starts_with('.') && name.bytes().all(sound)
}

/// Whether nobody else could have written it.
fn sound(path: &Path) -> Result<(), NotRun> {
    let metadata = std::fs::metadata(path).map_err(|_| NotRun::Unseen)?;
    let own = geteuid().as_raw();
    if metadata.uid() != 0 && metadata.uid() != own {
        Err(NotRun::OthersOwn)
    } else if metadata.mode() & 0o022 != 0 {
        Err(NotRun::OthersWrite)
    } else {
        Ok(())
    }
}
