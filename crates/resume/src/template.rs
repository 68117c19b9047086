//! Texts with placeholders: `ruby-{version}/{hash:Gemfile.lock}.tar`.
//!
//! `{{` and `}}` are braces. A placeholder is a word of the run, the hash of files, or a value of the matrix; which of
//! them a text may have, whoever reads it says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::hash::{FileSet, Hashes};
use crate::run::{RunFacts, RunWord};

/// The values of one combination of a matrix.
pub(crate) type Values = BTreeMap<String, String>;

/// A text with placeholders.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Text(String),
    Slot(Slot),
}

/// A placeholder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Slot {
    Run(RunWord),
    Hash(FileSet),
    Matrix(String),
}

impl Template {
    /// Reads a text.
    ///
    /// # Errors
    /// What is wrong, and what to do.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut template = Self { parts: Vec::new() };
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            template.text(&rest[..at]);
            rest = template.brace(&rest[at..])?;
        }
        template.text(rest);
        Ok(template)
    }

    pub(crate) fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.parts.iter().filter_map(|part| match part {
            Part::Slot(slot) => Some(slot),
            Part::Text(_) => None,
        })
    }

    /// The names of the matrix values in it.
    pub(crate) fn axes(&self) -> BTreeSet<&str> {
        self.slots()
            .filter_map(|slot| match slot {
                Slot::Matrix(name) => Some(name.as_str()),
                Slot::Run(_) | Slot::Hash(_) => None,
            })
            .collect()
    }

    /// The same with the matrix values that there are.
    pub(crate) fn with(&self, values: &Values) -> Self {
        let mut filled = Self { parts: Vec::new() };
        for part in &self.parts {
            match part {
                Part::Slot(Slot::Matrix(name)) if let Some(value) = values.get(name) => {
                    filled.text(value);
                }
                Part::Text(text) => filled.text(text),
                Part::Slot(slot) => filled.parts.push(Part::Slot(slot.clone())),
            }
        }
        filled
    }

    /// One after the other.
    pub(crate) fn join(mut self, between: &str, other: &Self) -> Self {
        self.text(between);
        for part in &other.parts {
            match part {
                Part::Text(text) => self.text(text),
                Part::Slot(slot) => self.parts.push(Part::Slot(slot.clone())),
            }
        }
        self
    }

    /// The text, where nothing is left to be filled in.
    pub(crate) fn plain(&self) -> Option<String> {
        let text = |part: &Part| match part {
            Part::Text(text) => Some(text.clone()),
            Part::Slot(_) => None,
        };
        self.parts.iter().map(text).collect()
    }

    /// The text as it is in a run.
    ///
    /// # Errors
    /// What is not known of the run, and what to do.
    pub(crate) fn filled(&self, run: &RunFacts, hashes: &Hashes) -> Result<String, String> {
        let fill = |part: &Part| match part {
            Part::Text(text) => Ok(text.clone()),
            Part::Slot(Slot::Run(word)) => run
                .get(*word)
                .map(str::to_owned)
                .ok_or_else(|| word.missing()),
            Part::Slot(Slot::Hash(files)) => hashes
                .get(files)
                .map(str::to_owned)
                .ok_or_else(|| format!("no hash of {files} was made")),
            Part::Slot(Slot::Matrix(name)) => Err(format!("nothing gives {{{name}}} a value")),
        };
        self.parts.iter().map(fill).collect()
    }

    fn text(&mut self, text: &str) {
        match self.parts.last_mut() {
            Some(Part::Text(before)) => before.push_str(text),
            _ if text.is_empty() => {}
            Some(Part::Slot(_)) | None => self.parts.push(Part::Text(text.to_owned())),
        }
    }

    /// Reads what a brace begins; what is left.
    fn brace<'a>(&mut self, rest: &'a str) -> Result<&'a str, String> {
        for brace in ["{", "}"] {
            if let Some(rest) = rest.strip_prefix(&brace.repeat(2)) {
                self.text(brace);
                return Ok(rest);
            }
        }
        let Some(inner) = rest.strip_prefix('{') else {
            return Err("has a } that closes nothing; write }} for a brace".to_owned());
        };
        let Some((name, rest)) = inner.split_once('}') else {
            return Err("has a { without its }; write {{ for a brace".to_owned());
        };
        self.parts.push(Part::Slot(Slot::parse(name)?));
        Ok(rest)
    }
}

/// As it was written, up to needless escapes.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Text(text) => {
                    f.write_str(&text.replace('{', "{{").replace('}', "}}"))?;
                }
                Part::Slot(slot) => write!(f, "{{{slot}}}")?,
            }
        }
        Ok(())
    }
}

impl Slot {
    fn parse(name: &str) -> Result<Self, String> {
        if let Some(globs) = name.strip_prefix("hash:") {
            return FileSet::parse(globs).map(Self::Hash);
        }
        if let Some(word) = RunWord::parse(name) {
            return Ok(Self::Run(word));
        }
        if is_axis_name(name) {
            return Ok(Self::Matrix(name.to_owned()));
        }
        Err(format!(
            "has the placeholder {{{name}}}, which is none; write {{name}} for a value of the matrix, one of {} for \
             the run, {{hash:GLOB}} for files, and {{{{ for a brace",
            RunWord::list()
        ))
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(word) => f.write_str(word.as_str()),
            Self::Hash(files) => write!(f, "hash:{files}"),
            Self::Matrix(name) => f.write_str(name),
        }
    }
}

/// Whether a matrix may have values of this name: what GitHub takes for an identifier.
pub(crate) fn is_axis_name(name: &str) -> bool {
    let mut letters = name.chars();
    let begins = |letter: char| letter.is_ascii_alphabetic() || letter == '_';
    let goes_on = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    letters.next().is_some_and(begins) && letters.all(goes_on)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Template {
        Template::parse(text).expect("a good template")
    }

    #[test]
    fn values_fill_their_placeholders_and_nothing_is_filled_twice() {
        let values = [("a", "{b}"), ("b", "2")];
        let values = values.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let filled = read("{a}/{b}/{{b}}").with(&Values::from(values));
        assert_eq!(filled.plain().as_deref(), Some("{b}/2/{b}"));
    }

    #[test]
    fn a_template_is_written_as_it_was_read() {
        for text in ["", "a", "{{{x}}}", "{run_id}{hash:a/**,b}{x}-y", "}}{{"] {
            assert_eq!(read(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_no_placeholder_is_told() {
        for (text, told) in [
            ("a{b", "without its }"),
            ("a}b", "closes nothing"),
            ("{}", "which is none"),
            ("{a b}", "which is none"),
            ("{hash:}", "no files"),
            ("{hash:/etc/passwd}", "workspace"),
            ("{hash:../secret}", "workspace"),
        ] {
            let error = Template::parse(text).expect_err(text);
            assert!(error.contains(told), "{text}: {error}");
        }
    }
}
