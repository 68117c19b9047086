//! `reprise-controller`: the daemon on ECS or on one machine.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use reprise_config::{Config, DEFAULT_PATH, PATH_VARIABLE};
use reprise_controller::clock::SystemClock;
use reprise_controller::{daemon, health_check, logging};

/// musl's own allocator gives pages back to the kernel all the time, and takes them again.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// Brings GitHub Actions jobs back after EC2 Spot took their machine.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The configuration.
    #[arg(
        long,
        default_value = DEFAULT_PATH,
        env = PATH_VARIABLE
    )]
    config: PathBuf,
    /// Read the configuration, say what is wrong with it, and end.
    #[arg(long)]
    check_config: bool,
    /// Ask the controller that runs here by this configuration whether it is healthy, and end: with 0 if it is.
    #[arg(long, conflicts_with = "check_config")]
    check_health: bool,
}

/// How long the end waits for threads that block, as in looking a name up: the drain is over then,
/// and what they would answer is heard by nobody.
const THREADS_END_WITHIN: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    match run_to_the_end(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run_to_the_end(arguments: Arguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    let ended = runtime.block_on(run(arguments));
    runtime.shutdown_timeout(THREADS_END_WITHIN);
    ended
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let environment = reprise_config::environment();
    if arguments.check_health {
        let listen = Config::load_listen(&arguments.config, &environment)?;
        println!("{}", health_check::ask(listen).await?);
        return Ok(());
    }
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
