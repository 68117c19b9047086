//! Mistakes in a configuration, as an operator reads them.

use std::fmt;
use std::path::PathBuf;

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
    /// It is no TOML, or has a key or a kind of value that is not known.
    #[error("{place}: {message}")]
    Malformed {
        /// File, line and column, or the variable.
        place: String,
        /// What is wrong and what would be right.
        message: String,
    },
    /// It says something that cannot be.
    #[error("{}", listed(name, problems))]
    Wrong {
        /// The file.
        name: String,
        /// All mistakes.
        problems: Vec<Problem>,
    },
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
            message: message.into(),
        }
    }

    /// A key that must be there.
    pub(crate) fn missing(key: &str) -> Self {
        let variable = format!("REPRISE__{}", key.to_ascii_uppercase().replace('.', "__"));
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
    problems
        .iter()
        .map(|problem| format!("{name}: {problem}"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Says where and what, with the nearest known key where one was misspelt.
pub(crate) fn malformed(name: &str, text: &str, error: &toml::de::Error) -> ConfigError {
    let place = match error.span() {
        Some(span) => {
            let (line, column) = position(text, span.start);
            format!("{name}:{line}:{column}")
        }
        None => name.to_owned(),
    };
    ConfigError::Malformed {
        place,
        message: explained(error.message()),
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
    message.to_owned()
}

/// "`x`, expected one of `a`, `b`".
fn unknown_key(sentence: &str) -> String {
    let mut words = sentence.split('`').skip(1).step_by(2);
    let unknown = words.next().unwrap_or_default();
    let known: Vec<&str> = words.collect();
    let nearest = known
        .iter()
        .map(|word| (strsim::damerau_levenshtein(unknown, word), *word))
        .min()
        .filter(|(distance, word)| *distance <= word.len().div_ceil(2));
    match nearest {
        Some((_, word)) => format!("unknown key \"{unknown}\"; did you mean \"{word}\"?"),
        None => format!(
            "unknown key \"{unknown}\"; known here are: {}",
            known.join(", ")
        ),
    }
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
