//! Why settings cannot be used.

use std::path::PathBuf;

use super::VARIABLES;

/// Why the settings cannot be used: everything that is wrong with them, a line each.
#[derive(Debug, thiserror::Error)]
#[error("{}", lines(.0))]
pub struct SettingsError(pub Vec<SettingsProblem>);

/// One thing that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsProblem {
    /// Somebody took one file for the other.
    #[error(
        "the settings file has [{0}], which is a section of reprise-controller: this looks like its \
         controller.toml. The agent reads agent.toml, or nothing where that is not there; name it with \
         --config FILE (docs/agent.md)"
    )]
    ControllersFile(&'static str),
    /// The file's text, in the words of its reader, which name line and column.
    #[error("the settings file is not usable: {0}")]
    File(String),
    /// A variable's value.
    #[error("the variable {variable} is not usable: {why}")]
    Variable {
        /// Its name.
        variable: String,
        /// What is wrong with its value.
        why: String,
    },
    /// A variable that looks like ours.
    #[error("the variable {variable} is unknown; there are {}", VARIABLES.join(", "))]
    UnknownVariable {
        /// Its name.
        variable: String,
    },
    /// A path that does not begin at the root, or is empty.
    #[error("{place} is {path:?}, which is no path from the root on; write it as {example}")]
    NoPath {
        /// The key or the variable.
        place: String,
        /// As it is written.
        path: PathBuf,
        /// As it might be.
        example: &'static str,
    },
    /// A word that says nothing.
    #[error("{key} is \"\", which names nothing; write it as {example}")]
    Empty {
        /// The key.
        key: &'static str,
        /// As it might be.
        example: &'static str,
    },
    /// A runner of which something is missing.
    #[error(
        "there is a runner to bring up, but no {0}; set it under [runner], or leave [runner] out altogether"
    )]
    HalfARunner(&'static str),
    /// Deadlines in the wrong order.
    #[error("stop_runner_at is longer before the end than finish_until; make it the shorter one")]
    StopsBeforeItEnds,
    /// The metadata service speaks plain HTTP.
    #[error("metadata_endpoint must begin with http://; the metadata service speaks no TLS")]
    MetadataOverTls,
}

fn lines(problems: &[SettingsProblem]) -> String {
    match problems {
        [only] => only.to_string(),
        several => several
            .iter()
            .map(|problem| format!("\n  {problem}"))
            .collect(),
    }
}
