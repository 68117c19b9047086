//! The programs, as they were built beside the tests.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use reprise_world::clock::ScaledClock;
use tokio::process::{Child, Command};

/// Where `reprise` is.
pub fn reprise() -> Result<PathBuf> {
    built("reprise")
}

/// Where a program is: beside a bench, and a folder above a test, which `cargo test` puts into `deps/`.
pub fn built(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().context("failed to find the test's own file")?;
    let mut folders = own.ancestors().skip(1);
    let program = folders
        .find(|folder| !folder.ends_with("deps"))
        .context("the test stands in no target folder")?;
    let program = program.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    ensure!(
        program.exists(),
        "{} is missing; build it by `cargo build --workspace --all-targets`, or run the tests by \
         `cargo xtask test`, which does",
        program.display()
    );
    Ok(program)
}

/// A part of the demo by a scaled clock, with nothing of the caller's environment.
pub fn part(name: &str, clock: &ScaledClock) -> Result<Command> {
    let mut command = Command::new(reprise()?);
    command
        .arg(name)
        .args(["--clock-origin", &clock.origin().to_string()])
        .args(["--clock-speed", &clock.speed().to_string()])
        .env_clear()
        .stdin(Stdio::null())
        .kill_on_drop(true);
    Ok(command)
}

/// Starts a program that says what it has to say into a file.
pub fn spawn_into(mut command: Command, log: &Path) -> Result<Child> {
    let out =
        std::fs::File::create(log).with_context(|| format!("failed to make {}", log.display()))?;
    let errors = out.try_clone().context("failed to share a log")?;
    let child = command.stdout(out).stderr(errors).spawn();
    child.context("failed to start the program")
}

/// SIGTERM, as ECS and systemd send it.
pub async fn ask_to_end(child: &Child) -> Result<()> {
    signal("TERM", child.id().context("it has ended already")?).await
}

/// Sends a signal to one process.
pub async fn signal(name: &str, process: u32) -> Result<()> {
    let mut command = Command::new("kill");
    command.arg(format!("-{name}")).arg(process.to_string());
    let status = command.status().await.context("failed to start kill")?;
    ensure!(status.success(), "failed to send SIG{name} to {process}");
    Ok(())
}
