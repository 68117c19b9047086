//! The settings of log lines.

use std::path::PathBuf;

use serde::Deserialize;

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// [`LogFormat::Journal`] where systemd connected standard error to its journal, or else
    /// [`LogFormat::Text`].
    #[default]
    Auto,
    /// For people.
    Text,
    /// For machines, an object a line.
    Json,
    /// Entries of systemd's journal, whose fields are the lines' own.
    Journal,
}

/// Which log lines there are: these and all that are worse.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Only what failed for good.
    Error,
    /// Also what may mend itself.
    Warn,
    /// Also what happened.
    #[default]
    Info,
    /// Also each attempt.
    Debug,
    /// Everything.
    Trace,
}

/// The console, whose last lines EC2 keeps when the host is gone (`GetConsoleOutput`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Console {
    /// `/dev/console` for root, where it can be written to; otherwise none.
    #[default]
    Auto,
    /// None.
    Off,
    /// This device or file.
    At(PathBuf),
}

impl TryFrom<String> for Console {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "auto" => Ok(Self::Auto),
            "off" => Ok(Self::Off),
            path if path.starts_with('/') => Ok(Self::At(path.into())),
            other => Err(format!(
                "{other:?} is no console; write auto, off or a path, as /dev/console"
            )),
        }
    }
}
