//! What the agent costs: memory, CPU, size, and how soon it is there and sees a notice.
//!
//! `cargo xtask bench agent` builds it and the agent, the latter as it is shipped, and starts it. It
//! prints Markdown for docs/benchmarks.md, and ends with 1 where something is over its budget.

mod build;
#[path = "../figures.rs"]
mod figures;
mod meter;
mod notices;
mod polls;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;

use crate::figures::Table;

/// Measures what the agent costs.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench agent --")]
struct Arguments {
    /// The agent to measure.
    #[arg(long, value_name = "FILE")]
    agent: PathBuf,
    /// Which build of the agent that is, for the table's head.
    #[arg(long, value_name = "NAME", default_value = "another one")]
    kind: String,
    /// How often all is measured; the table shows medians.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// How many polls memory is measured after.
    #[arg(long, default_value_t = 100_000)]
    polls: u64,
    /// For how many seconds it polls once a second while its CPU is measured.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// How many agents get a notice.
    #[arg(long, default_value_t = 200)]
    notices: u32,
    /// Whether the agent is also built from nothing, once a run; nothing else should build beside it.
    #[arg(long)]
    build: bool,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let cores = std::thread::available_parallelism()?;
    println!("{cores} cores, {} runs.\n", arguments.runs);
    let mut table = Table::new(format!("the agent ({})", arguments.kind));
    for run in 1..=arguments.runs {
        eprintln!("run {run} of {}", arguments.runs);
        let mut figures = vec![polls::size(&arguments.agent)?];
        figures.push(polls::start(&arguments.agent).await?);
        figures.extend(polls::many(&arguments.agent, arguments.polls).await?);
        figures.push(polls::each_second(&arguments.agent, arguments.seconds).await?);
        figures.extend(notices::seen(&arguments.agent, arguments.notices).await?);
        if arguments.build {
            figures.extend(build::cold().await?);
        }
        table.add(figures);
    }
    println!("{}", table.markdown());
    match table.over() {
        0 => Ok(ExitCode::SUCCESS),
        over => {
            eprintln!("{over} figures are over their budgets");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// What the value of a sorted list is below which so many of a hundred lie.
fn percentile(sorted: &[f64], percent: usize) -> Result<f64> {
    let last = sorted
        .len()
        .checked_sub(1)
        .context("nothing was measured")?;
    let place = (sorted.len() * percent / 100).min(last);
    sorted.get(place).copied().context("nothing was measured")
}
