//! Plays seeds until one fails, and tells how.

use std::process::ExitCode;

use clap::Parser;
use reprise_simulator::plan::Plan;
use reprise_simulator::run::{Played, play};
use reprise_simulator::seeds::{self, Failed};
use reprise_simulator::shrink::smallest_prefix;

/// Simulates Reprise under faults.
#[derive(Debug, Parser)]
#[command(name = "reprise-simulator")]
struct Arguments {
    /// Play so many seeds.
    #[arg(long, value_name = "N", default_value_t = 100)]
    seeds: u64,
    /// Begin with this seed.
    #[arg(long, value_name = "S", default_value_t = 0)]
    from: u64,
    /// Play this seed alone and print all that happens.
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Play only the first steps of the seed's plan.
    #[arg(long, value_name = "K", requires = "seed")]
    steps: Option<usize>,
    /// Go on after a failure, and name every seed that fails.
    #[arg(long)]
    keep_going: bool,
    /// Play on so many threads; as many as there are processors by default.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Print how often everything was reached.
    #[arg(long)]
    coverage: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.seed {
        Some(seed) => one(seed, arguments.steps),
        None => many(&arguments),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn one(seed: u64, steps: Option<usize>) -> anyhow::Result<bool> {
    let plan = Plan::draw(seed);
    let plan = steps.map_or_else(|| plan.clone(), |steps| plan.prefix(steps));
    let played = play(&plan, true)?;
    tell(&plan, &played);
    Ok(played.broken.is_empty())
}

fn many(arguments: &Arguments) -> anyhow::Result<bool> {
    let seeds = arguments.from..arguments.from.saturating_add(arguments.seeds);
    let report = seeds::play_all(seeds, arguments.threads, arguments.keep_going)?;
    if arguments.coverage {
        println!("{}", report.coverage);
    }
    for Failed { seed, what } in &report.failed {
        println!("seed {seed}: {what}");
    }
    if let Some(first) = report.failed.first().filter(|_| !arguments.keep_going) {
        explain(first.seed)?;
    }
    println!("{}", report.summary());
    Ok(report.failed.is_empty())
}

/// Tells the smallest part of a seed's plan that fails.
fn explain(seed: u64) -> anyhow::Result<()> {
    let plan = Plan::draw(seed);
    match smallest_prefix(&plan)? {
        Some((steps, played)) => {
            tell(&plan.prefix(steps), &played);
            let all = plan.steps.len();
            println!(
                "seed {seed} fails with the first {steps} of its {all} steps; to see it again:"
            );
            println!("    cargo xtask simulate --seed {seed} --steps {steps}");
        }
        None => println!("seed {seed} does not fail again: the simulation is not deterministic"),
    }
    Ok(())
}

fn tell(plan: &Plan, played: &Played) {
    println!("{plan}\n");
    let mut lines: Vec<_> = played.trace.lines.iter().collect();
    lines.sort_by_key(|line| line.at);
    for line in lines {
        println!("{line}");
    }
    for broken in &played.broken {
        println!("\nbroken: {broken}");
    }
    let took = played.took;
    println!(
        "\nseed {} took {took:#} of virtual time; trace {:016x}",
        plan.seed, played.trace.hash
    );
}
