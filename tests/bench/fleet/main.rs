//! What a fleet costs: calls, time, CPU and memory of the real controller, with the budget beside each.
//!
//! `cargo xtask bench fleet` builds it and the controller, and starts it. It prints Markdown for
//! docs/benchmarks.md, and ends with 1 where something is over its budget. It asserts nothing else:
//! that the jobs end as they should is what makes a run count.

mod events;
#[path = "../figures.rs"]
mod figures;
mod launches;
mod meter;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};

use crate::figures::{Figure, Table};

/// Measures what a fleet costs.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench fleet --")]
struct Arguments {
    /// How often each load is played; the table shows medians.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Seconds of the story in one of the wall's, where machines are launched.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// How many events are in the queue.
    #[arg(long, default_value_t = 20_000)]
    events: usize,
    /// How many jobs have failed at once.
    #[arg(long, default_value_t = 10_000)]
    held: usize,
    /// Which SQS the events come from.
    #[arg(long, value_enum, default_value = "fauxqs")]
    sqs: Sqs,
    /// Only these loads.
    #[arg(long, value_enum)]
    only: Vec<Load>,
}

/// An SQS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Sqs {
    /// fauxqs, a process of its own.
    Fauxqs,
    /// The simulated one, in the process of the bench.
    World,
}

/// A load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Load {
    /// 5 runs of 100 jobs alike.
    Alike,
    /// 500 jobs of which no two are alike.
    Alone,
    /// A full queue of `completed` events.
    Events,
    /// Jobs that failed at once, and are looked at in turn.
    Held,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    println!("{}\n", machine(arguments.runs)?);
    let mut over = 0;
    for load in Load::value_variants() {
        if arguments.only.is_empty() || arguments.only.contains(load) {
            let table = measured(*load, &arguments).await?;
            println!("{}", table.markdown());
            over += table.over();
        }
    }
    if over == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("{over} figures are over their budgets");
    Ok(ExitCode::FAILURE)
}

async fn measured(load: Load, arguments: &Arguments) -> Result<Table> {
    let mut table = Table::new(heading(load, arguments));
    for run in 1..=arguments.runs {
        eprintln!("{load:?}, run {run} of {}", arguments.runs);
        table.add(played(load, arguments).await?);
    }
    Ok(table)
}

fn heading(load: Load, arguments: &Arguments) -> String {
    match load {
        Load::Alike => launches::Load::Alike.heading().to_owned(),
        Load::Alone => launches::Load::Alone.heading().to_owned(),
        Load::Events => format!("{} `completed` events in the queue", arguments.events),
        Load::Held => format!(
            "{} jobs that failed at once, looked at in turn",
            arguments.held
        ),
    }
}

async fn played(load: Load, arguments: &Arguments) -> Result<Vec<Figure>> {
    match load {
        Load::Alike => launches::run(launches::Load::Alike, arguments.speed).await,
        Load::Alone => launches::run(launches::Load::Alone, arguments.speed).await,
        Load::Events => events::passed(arguments.events, arguments.sqs).await,
        Load::Held => events::held(arguments.held, arguments.sqs).await,
    }
}

/// Cores and memory only: which machine it is, is nobody's business.
fn machine(runs: usize) -> Result<String> {
    let cores = std::thread::available_parallelism()?;
    let memory = std::fs::read_to_string("/proc/meminfo")?;
    let line = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kibibytes: f64 = kibibytes.context("no MemTotal")?.trim().parse()?;
    let gigabytes = kibibytes / 1024.0 / 1024.0;
    let profile = if cfg!(debug_assertions) {
        "dev"
    } else {
        "release"
    };
    Ok(format!(
        "Profile `{profile}`, {cores} cores, {gigabytes:.0} GB, {runs} runs of each load."
    ))
}
