//! The program's log lines: structured, on standard error, which systemd keeps in the journal.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::settings::{LogFormat, LogLevel};

/// Sends log lines to standard error from now on.
pub fn start(format: LogFormat, level: LogLevel) -> Result<(), TryInitError> {
    let registry = tracing_subscriber::registry().with(filter(level));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false);
    match format {
        LogFormat::Text => registry.with(lines).try_init(),
        LogFormat::Json => registry
            .with(lines.json().flatten_event(true).with_current_span(false))
            .try_init(),
    }
}

/// The agent's own lines at `level`; of the libraries, warnings only: at their finest level they
/// log what they sign, with the session token in it.
pub fn filter(level: LogLevel) -> Targets {
    let own = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    Targets::new()
        .with_default(LevelFilter::WARN.min(own))
        .with_target("reprise_agent", own)
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn the_libraries_never_speak_below_a_warning() {
        let finest = filter(LogLevel::Trace);
        assert!(finest.would_enable("reprise_agent::agent", &Level::TRACE));
        assert!(finest.would_enable("aws_sigv4", &Level::WARN));
        assert!(!finest.would_enable("aws_sigv4", &Level::INFO));
        assert!(!filter(LogLevel::Error).would_enable("hyper", &Level::WARN));
    }
}
