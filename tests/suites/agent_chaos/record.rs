//! An agent that dies in the middle of a notice, and hooks that hang.

use std::time::Duration;

use anyhow::Result;
use reprise_tests::harness::alone::{Agent, NOTICED, Place, TAGGED, program};
use reprise_world::ec2::Action;

use crate::outages::{TAGGED_WITHIN, settled};
use crate::table::Figure;
use crate::{Affliction, row};

/// What the agent says when a hook is over.
const HOOK_ENDED: &str = "a hook has ended";

/// When it goes on with what an earlier one saw.
const RESUMED: &str = "an earlier agent of this boot saw a notice";

pub(crate) fn all() -> Vec<Affliction> {
    vec![
        row!("restart in mid-notice", restarted()),
        row!("restart in mid-hook", restarted_in_a_hook()),
        row!("hanging hook", hanging_hook()),
    ]
}

async fn restarted() -> Result<Vec<Figure>> {
    let place = Place::open()?;
    let script = format!("echo ran >> {}", place.file("ran").display());
    place.hook("10-save", &script)?;
    let first = settled(&place).await?;
    place.give_notice()?;
    first.says(TAGGED).await?;
    first.says(HOOK_ENDED).await?;
    first.kill().await?;
    resumed(&place).await
}

/// The hook hangs when the agent dies, and has run all the same.
async fn restarted_in_a_hook() -> Result<Vec<Figure>> {
    let place = Place::open()?;
    let script = format!("echo ran >> {}; exec sleep 20", place.file("ran").display());
    place.hook("10-save", &script)?;
    let first = settled(&place).await?;
    place.give_notice()?;
    first.says(TAGGED).await?;
    first.says("a hook runs").await?;
    place.when(|place| Ok(place.file("ran").exists())).await?;
    first.kill().await?;
    resumed(&place).await
}

async fn resumed(place: &Place) -> Result<Vec<Figure>> {
    let mut second = Agent::start(place.command(&program()?)?)?;
    let resumed = second.says(RESUMED).await?.at;
    place.asked(4).await?;
    second.process()?;
    let calls = place.ec2(|ec2, _| ec2.call_counts().get(&Action::CreateTags).copied())?;
    let ran = std::fs::read_to_string(place.file("ran"))?;
    Ok(vec![
        Figure::within(
            "goes on after its start",
            Duration::from_millis(500),
            resumed - second.started,
        ),
        Figure::exactly("hook ran", 1, ran.lines().count()),
        Figure::exactly(
            "tags asked for",
            1,
            usize::try_from(calls.unwrap_or_default())?,
        ),
        Figure::exactly("notices said anew", 0, second.count(NOTICED)),
    ])
}

async fn hanging_hook() -> Result<Vec<Figure>> {
    let place = Place::open()?;
    place.hook("10-hangs", "exec sleep 600")?;
    place.hook("20-saves", "exit 0")?;
    let mut command = place.command(&program()?)?;
    command.env("REPRISE_AGENT_HOOK_TIMEOUT", "1s");
    let mut agent = Agent::start(command)?;
    agent.says("the instance is known").await?;
    place.asked(1).await?;
    let given = place.give_notice()?;
    let tagged = agent.says(TAGGED).await?.at;
    let began = agent.says("a hook runs").await?.at;
    let killed = agent.says("a hook did not end well").await?.at;
    let next = agent.says(HOOK_ENDED).await?.at;
    // It polls on.
    place.asked(2).await?;
    agent.process()?;
    let soon = Duration::from_millis(400);
    Ok(vec![
        Figure::within("tag answered", TAGGED_WITHIN, tagged - given),
        Figure::within(
            "killed at its second",
            Duration::from_secs(1) + soon,
            killed - began,
        ),
        Figure::within(
            "the next one has ended",
            Duration::from_secs(1) + soon * 2,
            next - began,
        ),
    ])
}
