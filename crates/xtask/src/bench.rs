//! `cargo xtask bench fleet`, `agent` and `resume`: the bench's own program beside what it measures.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::command::{self, built, cargo, exists};
use crate::{dist, peers};

/// Builds both programs in one profile and measures; the arguments are the bench's own.
pub(crate) fn fleet(release: bool, arguments: &[String]) -> Result<()> {
    // The same selection as the tests', so that the EC2 SDK is built once a profile.
    let mut build = cargo(&["build", "--workspace", "--locked"]);
    if release {
        build.arg("--release");
    }
    command::run(&mut build)?;
    let profile = if release { "release" } else { "debug" };
    let mut bench = Command::new(built(profile, "bench-fleet")?);
    bench.args(arguments);
    // An error says what happened; where it was made adds fifty lines.
    bench.env("RUST_LIB_BACKTRACE", "0");
    let chosen = arguments.iter().any(|one| one.starts_with("--sqs"));
    if exists("npm", &["--version"]) {
        bench.env("REPRISE_PEERS", peers::install_node()?);
    } else if !chosen {
        println!("npm is missing: the events come from the simulated SQS, which is slower");
        bench.args(["--sqs", "world"]);
    }
    command::run(&mut bench)
}

/// Builds the agent as it is shipped, or takes another one, and measures it.
pub(crate) fn agent(other: Option<PathBuf>, arguments: &[String]) -> Result<()> {
    command::run(&mut cargo(&["build", "--workspace", "--locked"]))?;
    let (agent, kind) = match other {
        Some(agent) => (agent, "another one"),
        None => shipped()?,
    };
    let mut bench = Command::new(built("debug", "bench-agent")?);
    bench.arg("--agent").arg(agent);
    bench.args(["--kind", kind]).args(arguments);
    bench.env("RUST_LIB_BACKTRACE", "0");
    command::run(&mut bench)
}

/// Builds what jobs run, optimized, or takes another program, and measures what artifacts cost.
pub(crate) fn resume(other: Option<PathBuf>, arguments: &[String]) -> Result<()> {
    command::run(&mut cargo(&["build", "--workspace", "--locked"]))?;
    let program = match other {
        Some(program) => program,
        None => {
            let mut build = cargo(&["build", "--release", "--locked", "--package", "reprise-job"]);
            command::run(&mut build)?;
            built("release", "reprise-job")?
        }
    };
    let mut bench = Command::new(built("debug", "bench-resume")?);
    bench.arg("--program").arg(program).args(arguments);
    bench.env("RUST_LIB_BACKTRACE", "0");
    command::run(&mut bench)
}

/// The static program that the package has, or this machine's usual one where it cannot be built; and its name.
fn shipped() -> Result<(PathBuf, &'static str)> {
    if let Some(program) = dist::agent::native_program()? {
        return Ok(program);
    }
    println!(
        "the static build's target or C compiler is missing: the agent is built with this machine's C library"
    );
    let mut build = cargo(&["build", "--locked", "--package", "reprise-agent"]);
    command::run(build.args(["--profile", "agent"]))?;
    Ok((built("agent", "reprise-agent")?, "not static"))
}
