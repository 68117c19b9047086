//! Developer commands: `cargo xtask COMMAND`. It only starts programs and reads what they print.

mod bench;
mod command;
mod deny;
mod fuzz;
mod links;
mod peers;
mod purity;
mod simulate;
mod test;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Developer commands of Reprise.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run every test; sets up what they need under target/peers.
    Test {
        /// Leave out the tests that need Python or Node.
        #[arg(long)]
        hermetic: bool,
    },
    /// Install the servers and descriptions that the tests run against, under target/peers.
    Peers,
    /// Check that the engine depends on nothing that could read a clock or do I/O.
    Purity,
    /// Play seeds of the simulator; `--help` after the command names its options.
    #[command(disable_help_flag = true)]
    Simulate {
        /// What the simulator is told.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Measure what the programs cost, with the budget beside each figure.
    Bench {
        #[command(subcommand)]
        what: Bench,
    },
    /// Check licences, banned crates and sources with cargo-deny.
    Deny,
    /// Check that the links of all Markdown files lead somewhere.
    Links,
    /// Check alert rules, dashboard and runbook against the metrics that there are.
    Watch,
    /// Replay the saved fuzz corpus, then fuzz each target for a while.
    Fuzz {
        /// How long to fuzz each target; 0 only replays.
        #[arg(long, default_value_t = 3)]
        seconds: u32,
    },
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// A fleet's launches and events; `-- --help` names the options of the bench itself.
    Fleet {
        /// Measure optimized programs; from nothing, their build takes ten minutes and 8 GB.
        #[arg(long)]
        release: bool,
        /// What the bench is told.
        #[arg(last = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Task::Test { hermetic } => test::run(hermetic),
        Task::Peers => peers::install().map(|_| ()),
        Task::Purity => purity::check(),
        Task::Simulate { arguments } => simulate::run(&arguments),
        Task::Bench {
            what: Bench::Fleet { release, arguments },
        } => bench::fleet(release, &arguments),
        Task::Deny => deny::check(),
        Task::Links => links::check(),
        Task::Watch => watch::check(),
        Task::Fuzz { seconds } => fuzz::check(seconds),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
