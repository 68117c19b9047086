//! `reprise`: the command line program.
//!
//! `reprise demo` runs the whole system on one machine. It starts this same program again as the
//! controller and as the agents, so that they are processes of their own.

mod clock;
mod demo;
mod parts;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    /// The controller, by the demo's clock.
    #[command(hide = true)]
    Controller(parts::ControllerArguments),
    /// An agent, by the demo's clock.
    #[command(hide = true)]
    Agent(parts::AgentArguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    let ended = match Arguments::parse().command {
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::Controller(arguments) => parts::controller(arguments)
            .await
            .map(|()| ExitCode::SUCCESS),
        Command::Agent(arguments) => parts::agent(arguments).await.map(|()| ExitCode::SUCCESS),
    };
    ended.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
