//! Mistakes in a manifest, as whoever wrote it reads them: all at once, each with its line and what to do.

use std::fmt;

/// The most mistakes that are told at once: a pattern of 200 jobs may have the same one 200 times.
const MOST_TOLD: usize = 50;

/// So much of what somebody wrote is repeated to show what is meant.
const LONGEST_SHOWN: usize = 80;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong and what to do.
    pub message: String,
}

/// A manifest that nothing can be decided by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", listed(name, problems))]
pub struct ManifestError {
    /// The file.
    pub name: String,
    /// All mistakes, from top to bottom.
    pub problems: Vec<Problem>,
}

/// Something and the line that it stands on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct At<T> {
    pub(crate) line: usize,
    pub(crate) value: T,
}

/// Collects mistakes while a manifest is read.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    pub(crate) fn add(&mut self, line: usize, message: impl Into<String>) {
        let message = message.into();
        self.0.push(Problem { line, message });
    }

    /// The value where there was no mistake at all.
    pub(crate) fn unless_any<T>(mut self, name: &str, value: T) -> Result<T, ManifestError> {
        if self.0.is_empty() {
            return Ok(value);
        }
        self.0.sort();
        // The jobs of one pattern have its mistakes in common.
        self.0.dedup();
        Err(ManifestError {
            name: name.to_owned(),
            problems: self.0,
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.message)
    }
}

fn listed(name: &str, problems: &[Problem]) -> String {
    let told = problems.iter().take(MOST_TOLD);
    let mut lines: Vec<String> = told.map(|problem| format!("{name}:{problem}")).collect();
    if problems.len() > MOST_TOLD {
        let untold = problems.len() - MOST_TOLD;
        lines.push(format!("{name}: and {untold} more mistakes"));
    }
    lines.join("\n")
}

/// What somebody wrote, in quotes; it may have no end, and control characters.
pub(crate) fn shown(text: &str) -> String {
    match text.char_indices().nth(LONGEST_SHOWN) {
        Some((end, _)) => format!("{:?}", format!("{}...", &text[..end])),
        None => format!("{text:?}"),
    }
}

/// ` Did you mean "x"?`, where one of these differs in half of its letters at most; else nothing.
pub(crate) fn meant<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> String {
    /// The comparison takes time by length.
    const LONGEST: usize = 200;
    if written.len() > LONGEST {
        return String::new();
    }
    let nearest = known
        .filter(|word| word.len() <= LONGEST)
        .map(|word| (strsim::damerau_levenshtein(written, word), word))
        .min();
    nearest
        .filter(|(distance, word)| *distance <= word.chars().count().div_ceil(2))
        .map_or_else(String::new, |(_, word)| format!(" Did you mean {word:?}?"))
}
