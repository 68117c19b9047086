//! Developer commands: `cargo xtask COMMAND`. It only starts programs and reads what they print.

mod bench;
mod book;
mod chaos;
mod command;
mod config_reference;
mod deny;
mod dist;
mod fuzz;
mod links;
mod named;
mod peers;
mod purity;
mod simulate;
mod terraform;
mod test;
mod tools;
mod watch;

use std::path::PathBuf;
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
        /// Set up and build, and run nothing.
        #[arg(long)]
        no_run: bool,
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
    /// Build what is handed out, under target/dist.
    Dist {
        #[command(subcommand)]
        what: Dist,
    },
    /// Break everything around a program, and see what it keeps up.
    Chaos {
        #[command(subcommand)]
        what: Chaos,
    },
    /// Check licences, banned crates and sources with cargo-deny.
    Deny,
    /// Check the Terraform modules: form, validity, plans, tests, permissions.
    Terraform,
    /// Check that the links of all Markdown files lead somewhere, and that what they name is there.
    Links,
    /// Build the documentation as a book, and check that it has every page and that its links lead somewhere.
    Book,
    /// Write docs/configuration.md from the types that the settings files are read into.
    ConfigReference {
        /// Write nothing, and fail where the page is out of date.
        #[arg(long)]
        check: bool,
    },
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
    /// The agent's memory, CPU, size and speed; `-- --help` names the options of the bench itself.
    Agent {
        /// Another agent than the static one that is built for it.
        #[arg(long, value_name = "FILE")]
        agent: Option<PathBuf>,
        /// What the bench is told.
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Artifacts, beside a plain copy of the same bytes; `-- --help` names the options of the bench itself.
    Resume {
        /// Another program than the optimized one that is built for it.
        #[arg(long, value_name = "FILE")]
        program: Option<PathBuf>,
        /// What the bench is told.
        #[arg(last = true)]
        arguments: Vec<String>,
    },
}

#[derive(Debug, Subcommand)]
enum Chaos {
    /// The agent: its metadata service, EC2 and the machine's clock.
    Agent {
        /// Only the rows whose names hold one of these words.
        words: Vec<String>,
    },
}

#[derive(Debug, Subcommand)]
enum Dist {
    /// The agent as a static program and a Debian package, for x86_64 and aarch64.
    Agent {
        /// Only for this machine's kind of processor.
        #[arg(long)]
        native: bool,
    },
    /// The controller as a static program for this machine's kind of processor, and as an image that is tried.
    Controller {
        /// Only the program: an image takes buildah and root.
        #[arg(long)]
        no_image: bool,
    },
    /// What jobs run, as a static program for x86_64 and aarch64.
    Job {
        /// Only for this machine's kind of processor.
        #[arg(long)]
        native: bool,
    },
    /// What the programs are made of (CycloneDX), and the checksums of all that lies in target/dist.
    Sbom,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Task::Test { hermetic, no_run } => test::run(hermetic, no_run),
        Task::Peers => peers::install().map(|_| ()),
        Task::Purity => purity::check(),
        Task::Simulate { arguments } => simulate::run(&arguments),
        Task::Bench {
            what: Bench::Fleet { release, arguments },
        } => bench::fleet(release, &arguments),
        Task::Dist {
            what: Dist::Agent { native },
        } => dist::agent::make(native),
        Task::Dist {
            what: Dist::Controller { no_image },
        } => dist::controller::make(!no_image),
        Task::Dist {
            what: Dist::Job { native },
        } => dist::job::make(native),
        Task::Dist { what: Dist::Sbom } => dist::sbom::make(),
        Task::Bench {
            what: Bench::Agent { agent, arguments },
        } => bench::agent(agent, &arguments),
        Task::Bench {
            what: Bench::Resume { program, arguments },
        } => bench::resume(program, &arguments),
        Task::Chaos {
            what: Chaos::Agent { words },
        } => chaos::agent(&words),
        Task::Deny => deny::check(),
        Task::Terraform => terraform::check(),
        Task::Links => links::check(),
        Task::Book => book::build(),
        Task::ConfigReference { check } => config_reference::run(check),
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
