//! Logs: JSON for machines, text for people.

use std::error::Error;
use std::ffi::OsStr;
use std::fmt;
use std::io::IsTerminal;

use reprise_config::LogFormat;
use tracing_subscriber::EnvFilter;

/// Ours from `info` on (`reprise::decision`, `reprise_controller` and so on begin with `reprise`);
/// of others what went wrong.
const DEFAULT_FILTER: &str = "warn,reprise=info";

/// Starts logging to standard output. `RUST_LOG` chooses what; by default everything of ours from
/// `info` on. A second call changes nothing.
pub fn start(format: LogFormat) {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let is_terminal = std::io::stdout().is_terminal();
    let colours = has_colours(is_terminal, std::env::var_os("NO_COLOR").as_deref());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colours);
    // An error means that a subscriber stands already, as when a program embeds two parts.
    let _ = match format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder.try_init(),
    };
}

/// Colours are for eyes, and not for those who do not want them (<https://no-color.org>).
fn has_colours(is_terminal: bool, no_color: Option<&OsStr>) -> bool {
    is_terminal && no_color.is_none_or(OsStr::is_empty)
}

/// An error with all its sources, as `failed to read a run: no answer came: connection refused`. The
/// JSON format writes an error value without its sources, so errors are logged through this.
pub(crate) fn chain<'a>(error: &'a (dyn Error + 'static)) -> Chain<'a> {
    Chain(error)
}

/// See [`chain`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chain<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut next = self.0.source();
        while let Some(source) = next {
            write!(f, ": {source}")?;
            next = source.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::ports::{PortError, PortErrorKind};

    use super::*;

    #[test]
    fn only_a_terminal_whose_owner_does_not_refuse_them_gets_colours() {
        let no = OsStr::new("1");
        assert!(has_colours(true, None));
        assert!(has_colours(true, Some(OsStr::new(""))), "empty is not set");
        assert!(!has_colours(true, Some(no)));
        assert!(!has_colours(false, None));
        assert!(!has_colours(false, Some(no)));
    }

    #[test]
    fn an_error_is_told_with_all_its_sources() {
        let error = PortError {
            operation: "read a run",
            kind: PortErrorKind::Passing,
            retry_after: None,
            source: Box::new(std::io::Error::other("the cable is cut")),
        };
        assert_eq!(
            chain(&error).to_string(),
            "failed to read a run: the cable is cut"
        );
    }
}
