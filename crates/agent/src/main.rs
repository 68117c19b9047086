//! The program `reprise-agent`: settings, log lines and signals around the library's loop.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use reprise_agent::settings::DEFAULT_PATH;
use reprise_agent::{Settings, SystemClock, annotation, logging, run_agent, summary, tls};
use tokio::signal::unix::{SignalKind, signal};

/// musl's own allocator has the kernel map and clear pages anew for each poll.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// Watches for an EC2 Spot interruption notice and tags the instance it runs on.
#[derive(Debug, Parser)]
#[command(name = "reprise-agent", version)]
struct Arguments {
    /// The settings file [default: /etc/reprise/agent.toml, which need not exist].
    #[arg(long, env = "REPRISE_AGENT_CONFIG", value_name = "FILE", global = true)]
    config: Option<PathBuf>,

    /// Check the settings, say what the agent will do with them, and end.
    #[arg(long)]
    check_config: bool,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
enum Command {
    /// For the runner's job-completed hook: say on the job's page that EC2 takes its machine, if it does.
    JobCompleted,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if arguments.command == Some(Command::JobCompleted) {
        job_completed(arguments.config.as_deref());
        return Ok(());
    }
    let settings = settings(arguments.config.as_deref())?;
    if arguments.check_config {
        tls::config(settings.ca_bundle.as_deref())?;
        println!("{}", summary::of(&settings));
        return Ok(());
    }
    logging::start(settings.log_format, settings.log_level, &settings.console)
        .context("cannot start logging")?;
    // One thread: there is one thing to do at a time, and each thread costs memory.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let end = runtime.block_on(watch(settings));
    // A disk that hangs under the record must not hold up the end.
    runtime.shutdown_background();
    end
}

/// It is a part of somebody's job: whatever is wrong here must not make that fail.
fn job_completed(config: Option<&Path>) {
    let settings = settings(config).unwrap_or_default();
    if let Some(line) = annotation::of_this_machine(&settings) {
        // Without a reader there is nobody to tell.
        writeln!(std::io::stdout(), "{line}").ok();
    }
}

async fn watch(settings: Settings) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let shutdown = async move {
        tokio::select! {
            biased;
            _ = terminate.recv() => (),
            _ = interrupt.recv() => (),
        }
    };
    run_agent(settings, SystemClock::start(), shutdown).await;
    Ok(())
}

fn settings(path: Option<&Path>) -> anyhow::Result<Settings> {
    let file = read(path)?;
    let environment: BTreeMap<String, String> = std::env::vars_os()
        .map(|(name, value)| (text(&name), text(&value)))
        .collect();
    let shown = path.unwrap_or(Path::new(DEFAULT_PATH)).display();
    Settings::load(file.as_deref(), &environment)
        .with_context(|| format!("cannot use the settings ({shown} and the environment)"))
}

/// The file's text; only the default file may be absent.
fn read(path: Option<&Path>) -> anyhow::Result<Option<String>> {
    let chosen = path.unwrap_or(Path::new(DEFAULT_PATH));
    match std::fs::read_to_string(chosen) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound && path.is_none() => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", chosen.display())),
    }
}

fn text(value: &std::ffi::OsStr) -> String {
    value.to_string_lossy().into_owned()
}
