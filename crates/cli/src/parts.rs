//! The controller and the agent as parts of the demo: the same library code as in the programs
//! `reprise-controller` and `reprise-agent`, by a scaled clock.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use reprise_controller::config::Config;
use reprise_controller::daemon;

use crate::clock::ClockArguments;

#[derive(Debug, Args)]
pub(crate) struct ControllerArguments {
    /// The controller's configuration.
    #[arg(long)]
    config: PathBuf,
    /// Decides its randomness.
    #[arg(long)]
    seed: u64,
    #[command(flatten)]
    clock: ClockArguments,
}

#[derive(Debug, Args)]
pub(crate) struct AgentArguments {
    #[command(flatten)]
    clock: ClockArguments,
}

pub(crate) async fn controller(arguments: ControllerArguments) -> Result<()> {
    let config = Config::load(&arguments.config, &environment())?;
    reprise_controller::logging::start(config.log_format);
    let clock = arguments.clock.clock()?;
    daemon::run(config, clock, arguments.seed, daemon::stop_signal()).await
}

pub(crate) async fn agent(arguments: AgentArguments) -> Result<()> {
    let settings = reprise_agent::Settings::load(None, &environment())?;
    reprise_agent::logging::start(settings.log_format, settings.log_level)
        .map_err(|error| anyhow::anyhow!("failed to start logging: {error}"))?;
    reprise_agent::run_agent(settings, arguments.clock.clock()?, daemon::stop_signal()).await?;
    Ok(())
}

fn environment() -> BTreeMap<String, String> {
    std::env::vars().collect()
}
