//! What is wrong with the `runs-on` labels of GitHub workflow files, and where; and jobs that keep their own run
//! from being re-run.
//!
//! Bytes in, findings out: it reads no file, runs nothing and asks nobody. What is known only when a
//! workflow runs is never taken for a mistake; a note says what could not be checked.
//!
//! Files are input from strangers: their size, their nesting, and the work that their expressions and
//! matrices may ask for are bounded.

mod calls;
mod evaluate;
mod expression;
mod file;
mod finding;
mod functions;
mod gates;
mod matrix;
mod mistakes;
mod near_miss;
mod report;
mod resumption;
mod sharing;
mod value;
mod wanted;
mod words;
mod workflow;
mod world;
mod yaml;

use self::file::{File, Looked};
pub use self::finding::{Code, Finding, Place, Severity, ShownLabel};
pub use self::resumption::{Advice, Resumption, resumption};
use self::value::Unknowns;

/// The largest file that is read, in bytes. GitHub's own workflows stay under a tenth of it.
pub const LARGEST: usize = 1 << 20;

/// A workflow file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What it is called in findings.
    pub name: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// Looks at workflow files; findings come file by file, from top to bottom.
pub fn lint(sources: &[Source]) -> Vec<Finding> {
    let files: Vec<File<'_>> = sources.iter().map(File::read).collect();
    let mut unknowns = Unknowns::default();
    let mut looked: Vec<Looked<'_>> = files.iter().map(|file| file.look(&mut unknowns)).collect();
    calls::judge(&mut looked, &unknowns);
    looked
        .into_iter()
        .flat_map(|file| file.report.finish())
        .collect()
}

#[cfg(test)]
mod tests;
