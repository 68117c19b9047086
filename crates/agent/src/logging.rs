//! The program's log lines: structured, to standard error or the journal, and those that are to
//! survive the host to its console.

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Layer, Registry};

use crate::console;
use crate::journal::{self, Journal};
use crate::settings::{Console, LogFormat, LogLevel};

/// Where the lines of boot, notice and tag come from, and those of what became of job and runner. What
/// a hook says comes from elsewhere: whoever may read a console may not therefore read a job.
const ON_CONSOLE: &[&str] = &[
    "reprise_agent::agent",
    "reprise_agent::boot",
    "reprise_agent::caretaker",
    "reprise_agent::interruption",
    "reprise_agent::lookup",
];

type Lines = Box<dyn Layer<Registry> + Send + Sync>;

/// Sends log lines where they are wanted from now on. What cannot be had is said and done without:
/// an agent without a console is better than none.
pub fn start(format: LogFormat, level: LogLevel, console: &Console) -> Result<(), TryInitError> {
    let mut troubles = Vec::new();
    let mut layers = vec![
        lines(format, &mut troubles)
            .with_filter(filter(level))
            .boxed(),
    ];
    match console::open(console) {
        None => (),
        Some(Ok(console)) => layers.push(on_console(console)),
        Some(Err(error)) => troubles.push(("the console cannot be written to", error)),
    }
    tracing_subscriber::registry().with(layers).try_init()?;
    for (trouble, error) in troubles {
        tracing::warn!(error.message = %error, "{trouble}");
    }
    Ok(())
}

fn lines(format: LogFormat, troubles: &mut Vec<(&'static str, std::io::Error)>) -> Lines {
    let to_journal = match format {
        LogFormat::Auto => journal::is_behind_stderr(),
        LogFormat::Journal => true,
        LogFormat::Text | LogFormat::Json => false,
    };
    if to_journal {
        match Journal::open() {
            Ok(journal) => return journal.boxed(),
            Err(error) => troubles.push(("the journal cannot be reached", error)),
        }
    }
    let text = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false);
    match format {
        LogFormat::Json => text
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .boxed(),
        LogFormat::Auto | LogFormat::Text | LogFormat::Journal => text.boxed(),
    }
}

fn on_console(console: console::Lines) -> Lines {
    tracing_subscriber::fmt::layer()
        .with_writer(move || console.clone())
        .with_ansi(false)
        .with_filter(console_filter())
        .boxed()
}

fn console_filter() -> Targets {
    let targets = ON_CONSOLE.iter().map(|target| (*target, Level::INFO));
    Targets::new().with_targets(targets)
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
    use super::*;

    #[test]
    fn the_libraries_never_speak_below_a_warning() {
        let finest = filter(LogLevel::Trace);
        assert!(finest.would_enable("reprise_agent::agent", &Level::TRACE));
        assert!(finest.would_enable("aws_sigv4", &Level::WARN));
        assert!(!finest.would_enable("aws_sigv4", &Level::INFO));
        assert!(!filter(LogLevel::Error).would_enable("hyper", &Level::WARN));
    }

    #[test]
    fn the_console_hears_of_boot_notice_and_tag_and_nothing_else() {
        let console = console_filter();
        assert!(console.would_enable("reprise_agent::agent", &Level::INFO));
        assert!(console.would_enable("reprise_agent::boot", &Level::WARN));
        assert!(!console.would_enable("reprise_agent::agent", &Level::DEBUG));
        assert!(!console.would_enable("reprise_agent::hook_folder", &Level::ERROR));
        assert!(!console.would_enable("hyper", &Level::ERROR));
    }
}
