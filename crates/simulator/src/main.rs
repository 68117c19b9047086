//! Plays seeds until one fails, and tells how.

use std::process::ExitCode;

use clap::Parser;
use reprise_simulator::plan::Plan;
use reprise_simulator::rows::Table;
use reprise_simulator::run::{Played, play};
use reprise_simulator::seeds::{self, Failed, Report};
use reprise_simulator::shrink::smallest_prefix;

/// So many seeds reach every row of the coverage.
const ALL_ROWS_WITHIN: u64 = 2_000;

/// Simulates Reprise under faults.
#[derive(Debug, Parser)]
#[command(name = "reprise-simulator")]
struct Arguments {
    /// Play so many seeds.
    #[arg(long, value_name = "N", default_value_t = 100)]
    seeds: u64,
    /// Begin with this seed.
    #[arg(long, value_name = "S", default_value_t = 1)]
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
    /// Play each deliberately broken behaviour until an invariant finds it.
    #[arg(long)]
    mutants: bool,
    /// Break this behaviour; its name stands in the table of `--mutants`.
    #[arg(long, value_name = "NAME", requires = "seed")]
    mutant: Option<String>,
    /// Print how often everything was reached.
    #[arg(long)]
    coverage: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.seed {
        Some(seed) => one(seed, &arguments),
        None if arguments.mutants => broken::hunt(&arguments),
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

fn one(seed: u64, arguments: &Arguments) -> anyhow::Result<bool> {
    if let Some(name) = &arguments.mutant {
        broken::choose(name)?;
    }
    let plan = Plan::draw(seed);
    let plan = arguments
        .steps
        .map_or_else(|| plan.clone(), |steps| plan.prefix(steps));
    let played = play(&plan, true)?;
    tell(&plan, &played);
    Ok(played.broken.is_empty())
}

fn many(arguments: &Arguments) -> anyhow::Result<bool> {
    let seeds = arguments.from..arguments.from.saturating_add(arguments.seeds);
    let report = seeds::play_all(seeds, arguments.threads, arguments.keep_going)?;
    let uncovered = uncovered(arguments, &report);
    for Failed { seed, what } in &report.failed {
        println!("seed {seed}: {what}");
    }
    if let Some(first) = report.failed.first().filter(|_| !arguments.keep_going) {
        explain(first.seed)?;
    }
    println!("{}", report.summary());
    Ok(report.failed.is_empty() && uncovered.is_empty())
}

/// Tells how often each row was reached, and what is wrong with that. Few seeds reach few rows.
fn uncovered(arguments: &Arguments, report: &Report) -> Vec<String> {
    let table = Table::new(&report.coverage);
    let is_whole = report.played >= ALL_ROWS_WITHIN;
    if is_whole || arguments.coverage {
        println!("{table}");
    }
    let wrong = if is_whole { table.wrong() } else { Vec::new() };
    for one in &wrong {
        println!("coverage: {one}");
    }
    wrong
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

/// Behaviours broken on purpose.
#[cfg(feature = "mutants")]
mod broken {
    use anyhow::Context as _;
    use reprise_engine::mutants::{self, Mutant};
    use reprise_simulator::mutants::{Hunted, hunt_all};

    use super::Arguments;

    pub(super) fn hunt(arguments: &Arguments) -> anyhow::Result<bool> {
        println!("{:<22} {:>6}  found by", "mutant", "seeds");
        let tell = |hunted: &Hunted| println!("{hunted}");
        let all = hunt_all(arguments.from, arguments.threads, tell)?;
        let found = all.iter().filter(|hunted| hunted.found.is_some()).count();
        println!("{found} of {} mutants were found", all.len());
        Ok(found == all.len())
    }

    pub(super) fn choose(name: &str) -> anyhow::Result<()> {
        let mut all = Mutant::ALL.iter();
        let named = all.find(|mutant| mutant.name() == name);
        mutants::choose(Some(*named.context("there is no mutant of this name")?));
        Ok(())
    }
}

/// Behaviours broken on purpose are in no other build.
#[cfg(not(feature = "mutants"))]
mod broken {
    use super::Arguments;

    const NONE: &str = "this build has no mutants; start it by `cargo xtask simulate --mutants`";

    pub(super) fn hunt(_: &Arguments) -> anyhow::Result<bool> {
        anyhow::bail!(NONE)
    }

    pub(super) fn choose(_: &str) -> anyhow::Result<()> {
        anyhow::bail!(NONE)
    }
}
