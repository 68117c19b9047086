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
    pub(super) fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: key.into(), message: message.into() }
    }

    /// A key that must be there.
    pub(super) fn missing(key: &str) -> Self {
        let variable = format!("REPRISE__{}", key.to_ascii_uppercase().replace('.', "__"));
        Self::new(key, format!("is missing; set it in the file or by {variable}"))
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
pub(super) fn malformed(name: &str, text: &str, error: &toml::de::Error) -> ConfigError {
    let place = match error.span() {
        Some(span) => {
            let (line, column) = position(text, span.start);
            format!("{name}:{line}:{column}")
        }
        None => name.to_owned(),
    };
    ConfigError::Malformed { place, message: with_suggestion(error.message()) }
}

fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    (line, column)
}

/// serde's sentence is "unknown field `x`, expected one of `a`, `b`".
pub(super) fn with_suggestion(message: &str) -> String {
    let Some(rest) = message.strip_prefix("unknown field ") else { return message.to_owned() };
    let mut words = rest.split('`').skip(1).step_by(2);
    let unknown = words.next().unwrap_or_default();
    let known: Vec<&str> = words.collect();
    let nearest = known
        .iter()
        .map(|word| (strsim::damerau_levenshtein(unknown, word), *word))
        .min()
        .filter(|(distance, word)| *distance <= word.len().div_ceil(2));
    match nearest {
        Some((_, word)) => format!("unknown key \"{unknown}\"; did you mean \"{word}\"?"),
        None => format!("unknown key \"{unknown}\"; known here are: {}", known.join(", ")),
    }
}
