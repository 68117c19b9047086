//! `reprise`: the command line program.
//!
//! `reprise demo` runs the whole system on one machine. It starts this same program again as the
//! controller and as the agents, so that they are processes of their own. `reprise explain`, `reprise retries`
//! and `reprise queue` are for whoever looks after a running controller, `reprise labels`, `reprise resume` and
//! `reprise checkpoint` for whoever writes workflows.

mod clock;
mod demo;
mod doctor;
#[cfg(test)]
mod documented;
mod interrupt;
mod labels;
mod ledger;
mod parts;
mod queue;
mod retries;
mod signals;
mod terminal;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use reprise_job::{annotations, checkpoint, output, resume};
use signals::{STOPPED, Stopped};

/// Brings GitHub Actions jobs back after EC2 Spot took their machine.
#[derive(Debug, Parser)]
#[command(name = "reprise", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Play a spot interruption and its repair on this machine, against a simulated cloud.
    Demo(demo::Arguments),
    /// Tell what happened to a run or a job, in order, and why.
    Explain(retries::ExplainArguments),
    /// Look after jobs that are, or were, to come back.
    Retries(retries::Arguments),
    /// Look whether everything is set up as it must be: App, webhooks, queues, rights, clock.
    Doctor(doctor::Arguments),
    /// Have EC2 take a machine of the stack, and watch its job come back.
    Interrupt(interrupt::Arguments),
    /// Look after the controller's queues.
    Queue(queue::Arguments),
    /// Check what workflows say in `runs-on`.
    Labels(labels::Arguments),
    /// Have a re-run do only what is left to do.
    Resume(resume::Arguments),
    /// Save what a job has made before its machine goes, and bring it back to its next attempt.
    Checkpoint(checkpoint::Arguments),
    /// The controller, by the demo's clock.
    #[command(hide = true)]
    Controller(parts::ControllerArguments),
    /// An agent, by the demo's clock.
    #[command(hide = true)]
    Agent(parts::AgentArguments),
    /// What an agent of the demo starts its machine's runner with.
    #[command(hide = true)]
    Runner(parts::RunnerArguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    let ended = match Arguments::parse().command {
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::Explain(arguments) => retries::explain(arguments).await,
        Command::Retries(arguments) => retries::run(arguments).await,
        Command::Doctor(arguments) => doctor::run(arguments).await,
        Command::Interrupt(arguments) => Box::pin(interrupt::run(arguments)).await,
        Command::Queue(arguments) => queue::run(arguments).await,
        Command::Labels(arguments) => labels::run(arguments),
        Command::Resume(arguments) => resume::run(arguments).await,
        Command::Checkpoint(arguments) => checkpoint::run(arguments).await,
        Command::Controller(arguments) => parts::controller(arguments)
            .await
            .map(|()| ExitCode::SUCCESS),
        Command::Agent(arguments) => parts::agent(arguments).await.map(|()| ExitCode::SUCCESS),
        Command::Runner(arguments) => parts::runner(arguments).await.map(|()| ExitCode::SUCCESS),
    };
    ended.unwrap_or_else(|error| failure(&error))
}

fn failure(error: &anyhow::Error) -> ExitCode {
    let code = reprise_job::failure(error);
    if error.is::<Stopped>() {
        return ExitCode::from(STOPPED);
    }
    code
}
