//! `reprise-controller`: the daemon on ECS or on one machine.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use reprise_config::Config;
use reprise_controller::clock::SystemClock;
use reprise_controller::{daemon, logging};

/// Brings GitHub Actions jobs back after EC2 Spot took their machine.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The configuration.
    #[arg(
        long,
        default_value = "/etc/reprise/controller.toml",
        env = "REPRISE_CONFIG"
    )]
    config: PathBuf,
    /// Read the configuration, say what is wrong with it, and end.
    #[arg(long)]
    check_config: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let environment = environment();
    let config = Config::load(&arguments.config, &environment)?;
    if arguments.check_config {
        println!("{} is good", arguments.config.display());
        return Ok(());
    }
    logging::start(config.log_format);
    daemon::run(
        config,
        SystemClock,
        fastrand::u64(..),
        daemon::stop_signal(),
    )
    .await
}

/// Other programs' variables may be no text; ours are.
fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}
