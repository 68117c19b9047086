//! What is wrong with the `runs-on` labels of GitHub workflow files, and where.
//!
//! Bytes in, findings out: it reads no file, runs nothing and asks nobody. What is known only when a
//! workflow runs is never taken for a mistake; a note says what could not be checked.
//!
//! Files are input from strangers: whatever they hold, a file takes a second and some megabytes at
//! most.

mod evaluate;
mod expression;
mod file;
mod finding;
mod functions;
mod matrix;
mod mistakes;
mod near_miss;
mod sharing;
mod value;
mod wanted;
mod words;
mod workflow;
mod world;
mod yaml;

pub use self::finding::{Code, Finding, Place, Severity, ShownLabel};

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
    sources.iter().flat_map(file::lint).collect()
}

#[cfg(test)]
mod tests;
