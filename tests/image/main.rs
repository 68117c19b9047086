//! Tries the controller's image: what is in it, and that the controller runs out of it as a container would have it.
//!
//! `cargo xtask dist controller` builds it and the image, and starts it. There need be no container engine: the
//! archive's layers are unpacked and run by `unshare` in namespaces of their own, on a root that cannot be written, as
//! the image's user. The world's GitHub, SQS and EC2 answer on loopback.

mod archive;
mod container;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use reprise_model::job::Conclusion;
use reprise_tests::harness::stage::{Hosts, Setting, Stage};
use reprise_tests::harness::story::{Story, on_spot, passes};
use reprise_tests::wait;
use reprise_world::scenario::{JobExpectation, Scenario};
use serde_json::Value;

use crate::archive::Unpacked;
use crate::container::{Container, Running};

/// Tries an image of the controller.
#[derive(Debug, Parser)]
#[command(name = "try-image")]
struct Arguments {
    /// The archive, as `docker save` writes it.
    archive: PathBuf,
}

/// On a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> Result<()> {
    let unpacked = Unpacked::of(&Arguments::parse().archive)?;
    unpacked.holds_what_it_should()?;
    let stage = Stage::set(Setting {
        // The controller goes by the wall's clock.
        speed: 1.0,
        hosts: Hosts::Bare,
        ..Setting::default()
    });
    let stage = stage.await?;
    let container = Container::new(unpacked, &stage)?;
    answers_questions(&container).await?;
    let mut running = container.start().await?;
    works(&container, &mut running, &stage).await?;
    ends(&container, running).await
}

async fn answers_questions(container: &Container) -> Result<()> {
    let version = container.succeeds(&["--version"]).await?;
    let wanted = concat!("reprise-controller ", env!("CARGO_PKG_VERSION"));
    ensure!(version == wanted, "it says {version}");
    let checked = container.succeeds(&["--check-config"]).await?;
    println!("--version: {version}\n--check-config: {checked}");
    container.is_unhealthy("nothing answers").await
}

/// It is confined, ready, healthy, and a queued job gets its machine.
async fn works(container: &Container, running: &mut Running, stage: &Stage) -> Result<()> {
    running.is_confined()?;
    running.controller.is_healthy().await?;
    let ready = wait::until("a ready controller", PATIENCE, async || {
        Ok(running.controller.is_ready().await?.then_some(()))
    });
    ready.await?;
    let said = container.succeeds(&["--check-health"]).await?;
    ensure!(said.ends_with("/healthz says ok"), "it says {said}");
    println!("--check-health: {said}");
    stage.play(&one_job()?);
    let launched = running.controller.decides("launched").await?;
    ensure!(stage.launches() == 1, "{} machines", stage.launches());
    println!("launched: {}", launched["instance.id"]);
    // What the AWS SDK says where it finds no certificate authorities.
    let lines = running.controller.lines()?;
    let distrustful = |line: &&Value| line.to_string().contains("no native root CA");
    let found = lines.iter().find(distrustful);
    ensure!(found.is_none(), "{found:?}");
    container.has_ledger()
}

fn one_job() -> Result<Scenario> {
    let story = Story::of("acme/shop")?;
    let story = story.job(on_spot("unit"), [passes(20)], JobExpectation::Passes);
    Ok(story.ends(1, Conclusion::Success))
}

async fn ends(container: &Container, running: Running) -> Result<()> {
    let memory = running.memory_kb().context("no memory is told")?;
    let took = running.terminate().await?;
    println!("SIGTERM: ended with 0 after {} ms", took.as_millis());
    println!("memory: {memory} kB");
    container.is_unhealthy("nothing answers").await
}
