//! Mistakes in a configuration, as an operator reads them.

use std::fmt;
use std::path::PathBuf;

use crate::form;
use crate::keys;

/// The most mistakes that are told at once: nobody reads more, and a list of policies has no end.
const MOST_TOLD: usize = 50;

/// The longest that one mistake may be, in characters. An expression for runner names is shown twice
/// with its mistake; every other is a sentence.
const LONGEST_MESSAGE: usize = 2_000;

/// So much of what an operator wrote is repeated to show what is meant.
const LONGEST_SHOWN: usize = 60;

/// Why a configuration is not good.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("failed to read the configuration {path}; name one with --config FILE", path = path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is no TOML, or has keys or kinds of values that are not known.
    #[error("{}", places(.0))]
    Malformed(Vec<Mistake>),
    /// It says something that cannot be.
    #[error("{}", listed(name, problems))]
    Wrong {
        /// The file.
        name: String,
        /// All mistakes.
        problems: Vec<Problem>,
    },
}

/// One mistake of form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// File, line and column, or the variable.
    pub place: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Mistake {
    /// Somebody took one file for the other.
    pub(crate) fn of_the_agents_file(name: &str, key: &str) -> Self {
        Self {
            place: name.to_owned(),
            message: format!(
                "has {key}, which is a setting of reprise-agent: this looks like its agent.toml. The \
                 controller reads controller.toml; name that with --config FILE (docs/controller.md)"
            ),
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key, as `github.app_id`.
    pub key: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Problem {
    pub(crate) fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            message: shortened(&message.into(), LONGEST_MESSAGE),
        }
    }

    /// A key that must be there.
    pub(crate) fn missing(key: &str) -> Self {
        let variable = keys::variable(key);
        Self::new(
            key,
            format!("is missing; set it in the file or by {variable}"),
        )
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.key, self.message)
    }
}

fn listed(name: &str, problems: &[Problem]) -> String {
    let told = problems.iter().take(MOST_TOLD);
    let mut lines: Vec<String> = told.map(|problem| format!("{name}: {problem}")).collect();
    if problems.len() > MOST_TOLD {
        let untold = problems.len() - MOST_TOLD;
        lines.push(format!("{name}: and {untold} more mistakes"));
    }
    lines.join("\n")
}

/// Whether more mistakes are known than are told.
pub(crate) fn too_many(count: usize) -> bool {
    count > MOST_TOLD
}

fn places(mistakes: &[Mistake]) -> String {
    let told = mistakes.iter().take(MOST_TOLD);
    let mut lines: Vec<String> = told.map(Mistake::to_string).collect();
    if too_many(mistakes.len()) {
        lines.push("and more mistakes".to_owned());
    }
    lines.join("\n")
}

/// The beginning of a text that may have no end.
pub(crate) fn shortened(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// What an operator wrote, in quotes.
pub(crate) fn shown(text: &str) -> String {
    format!("{:?}", shortened(text, LONGEST_SHOWN))
}

/// Says where and what, with the nearest known key where one was misspelt. The key that it is about, as its path,
/// where that is known.
pub(crate) fn malformed(
    name: &str,
    text: &str,
    error: &toml::de::Error,
    path: Option<&[String]>,
) -> Mistake {
    let place = match error.span() {
        Some(span) => {
            let (line, column) = position(text, span.start);
            format!("{name}:{line}:{column}")
        }
        None => name.to_owned(),
    };
    Mistake {
        place,
        message: form::with_key(error.message(), path),
    }
}

fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    (line, column)
}

/// What is wrong and what would be right, from serde's sentence. Never with the value itself, which
/// may be a secret in the wrong place.
pub(crate) fn explained(message: &str) -> String {
    if let Some(rest) = message.strip_prefix("unknown field ") {
        return unknown_key(rest);
    }
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        return unknown_word(rest);
    }
    if let Some(rest) = message.strip_prefix("invalid type: ") {
        return wrong_type(rest);
    }
    if message.starts_with("invalid value: ") {
        return "a value that does not fit here".to_owned();
    }
    if let Some(rest) = message.strip_prefix("missing field ") {
        return format!("the key {} is missing here", rest.replace('`', "\""));
    }
    if message.contains("duration") {
        return "no length of time; write one as \"60s\" or \"5m\"".to_owned();
    }
    shortened(message, LONGEST_MESSAGE)
}

fn unknown_key(sentence: &str) -> String {
    let (unknown, known) = told(sentence);
    let key = shown(unknown);
    match nearest(unknown, &known) {
        Some(word) => format!("unknown key {key}; did you mean \"{word}\"?"),
        None => format!("unknown key {key}; known here are: {}", known.join(", ")),
    }
}

fn unknown_word(sentence: &str) -> String {
    let (unknown, known) = told(sentence);
    match nearest(unknown, &known) {
        Some(word) => format!("a word that is not known here; did you mean \"{word}\"?"),
        None => format!(
            "a word that is not known here; known are: {}",
            known.join(", ")
        ),
    }
}

/// What was found and what is known, of "`x`, expected one of `a`, `b`". What was found may be any
/// text, so serde's own words are looked for from the end.
fn told(sentence: &str) -> (&str, Vec<&str>) {
    let (unknown, known) = sentence
        .rsplit_once("`, expected ")
        .unwrap_or((sentence, ""));
    let known = known.split('`').skip(1).step_by(2).collect();
    (unknown.trim_start_matches('`'), known)
}

/// The known word that differs least, where it differs in half of its letters at most.
fn nearest<'a>(unknown: &str, known: &[&'a str]) -> Option<&'a str> {
    /// The comparison takes time by length, and none of our words is half as long.
    const LONGEST: usize = 60;
    if unknown.len() > LONGEST {
        return None;
    }
    let distances = known
        .iter()
        .map(|word| (strsim::damerau_levenshtein(unknown, word), *word));
    distances
        .min()
        .filter(|(distance, word)| *distance <= word.len().div_ceil(2))
        .map(|(_, word)| word)
}

/// "string \"x\", expected a sequence".
fn wrong_type(sentence: &str) -> String {
    // The value may hold these words too, so the last ones are serde's.
    let (found, wanted) = sentence
        .rsplit_once(", expected ")
        .unwrap_or((sentence, "another type"));
    let found = found.split([' ', '`', '"']).next().unwrap_or_default();
    format!("{} where {} is wanted", plain(found), plain(wanted))
}

/// serde's word for a type, in an operator's.
fn plain(word: &str) -> &str {
    match word {
        "string" | "a string" => "a text",
        "integer" | "u32" | "u64" | "usize" => "a whole number",
        "floating" => "a number with a fraction",
        "boolean" | "a boolean" => "true or false",
        "sequence" | "a sequence" => "a list",
        "map" | "a map" => "a table",
        "a signed duration string" => "a length of time, as \"60s\",",
        other => other.strip_prefix("struct ").map_or(other, |_| "a table"),
    }
}
