//! The controller and the agent as parts of the demo: the same library code as in the programs
//! `reprise-controller` and `reprise-agent`, by a scaled clock. The runner's own program is the world's.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use reprise_agent::runner::CONFIG_FILE_VARIABLE;
use reprise_agent::settings::{Console, InterruptionSettings};
use reprise_config::{Config, environment};
use reprise_controller::daemon;
use reprise_world::server::start_runner;

use crate::clock::ClockArguments;

#[derive(Debug, Args)]
pub(crate) struct ControllerArguments {
    /// The controller's configuration.
    #[arg(long)]
    config: PathBuf,
    /// Decides its randomness.
    #[arg(long)]
    seed: u64,
    /// End when standard input ends.
    #[arg(long)]
    end_with_stdin: bool,
    #[command(flatten)]
    clock: ClockArguments,
}

#[derive(Debug, Args)]
pub(crate) struct AgentArguments {
    /// End when standard input ends.
    #[arg(long)]
    end_with_stdin: bool,
    #[command(flatten)]
    clock: ClockArguments,
}

#[derive(Debug, Args)]
pub(crate) struct RunnerArguments {
    /// Where the machine's runner tells that it starts.
    #[arg(long)]
    address: String,
    /// The configuration that the agent left.
    #[arg(long, env = CONFIG_FILE_VARIABLE)]
    config: PathBuf,
}

pub(crate) async fn runner(arguments: RunnerArguments) -> Result<()> {
    let config = std::fs::read_to_string(&arguments.config).with_context(|| {
        let shown = arguments.config.display();
        format!("failed to read the runner's configuration {shown}")
    })?;
    start_runner(&arguments.address, &config).await?;
    Ok(())
}

pub(crate) async fn controller(arguments: ControllerArguments) -> Result<()> {
    let mut config = Config::load(&arguments.config, &environment())?;
    reprise_controller::logging::start(config.log_format);
    let clock = arguments.clock.clock()?;
    // The transport waits by the wall's time, and means the story's.
    config.queues.delete_window = clock.real_duration(config.queues.delete_window);
    if let Some(runners) = &mut config.runners {
        runners.hand_over_window = clock.real_duration(runners.hand_over_window);
    }
    daemon::run(
        config,
        clock,
        arguments.seed,
        told_to_stop(arguments.end_with_stdin),
    )
    .await
}

pub(crate) async fn agent(arguments: AgentArguments) -> Result<()> {
    let mut settings = reprise_agent::Settings::load(None, &environment())?;
    // The world plays its runners itself, and a real one on this machine is none of the demo's.
    settings.interruption = InterruptionSettings::only_tag();
    reprise_agent::logging::start(settings.log_format, settings.log_level, &Console::Off)
        .map_err(|error| anyhow::anyhow!("failed to start logging: {error}"))?;
    reprise_agent::run_agent(
        settings,
        arguments.clock.clock()?,
        told_to_stop(arguments.end_with_stdin),
    )
    .await;
    Ok(())
}

/// A signal, or the end of the demo that started this part, however it ended: its end of our
/// standard input is closed then.
async fn told_to_stop(end_with_stdin: bool) {
    if !end_with_stdin {
        return daemon::stop_signal().await;
    }
    let (gone, demo_gone) = tokio::sync::oneshot::channel();
    // A thread of its own, which the end of the process does not wait for.
    std::thread::spawn(move || {
        std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).ok();
        gone.send(()).ok();
    });
    tokio::select! {
        () = daemon::stop_signal() => {}
        _ = demo_gone => {}
    }
}
