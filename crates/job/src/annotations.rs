//! GitHub's workflow commands: what is shown at a line of a file, on the page of a run or a pull request.

use crate::output::harmless;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Red.
    Error,
    /// Yellow.
    Warning,
    /// Blue.
    Notice,
}

/// Where something stands.
#[derive(Debug, Clone, Copy)]
pub struct Spot<'a> {
    /// Below the repository's top.
    pub file: &'a str,
    /// From 1 on.
    pub line: usize,
    /// From 1 on.
    pub column: usize,
}

/// The line that has GitHub show a message.
pub fn annotation(level: Level, spot: Spot<'_>, title: &str, message: &str) -> String {
    let command = match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Notice => "notice",
    };
    let Spot { file, line, column } = spot;
    format!(
        "::{command} file={},line={line},col={column},title={title}::{}\n",
        property(file),
        data(message)
    )
}

fn data(text: &str) -> String {
    let text = text.replace('%', "%25").replace('\r', "%0D");
    harmless(&text).replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
