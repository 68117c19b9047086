//! The time of day steps while the agent runs, as a job with `sudo` can make it.
//!
//! The machine's time of day cannot be stepped for one program alone, so a small library (`wall.c`) does that to
//! what the agent's program reads of it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use reprise_tests::harness::alone::{Agent, Line, NOTICED, Place, TAGGED};
use reprise_tests::harness::job_stage::JobStage;
use tokio::process::Command;

use crate::job::{self, End};
use crate::outages::{HOUR, SEEN, TAGGED_WITHIN};
use crate::table::Figure;
use crate::{Affliction, row};

pub(crate) fn all() -> Vec<Affliction> {
    vec![
        row!("clock stepped by +1 h", stepped(HOUR)),
        row!("clock stepped by -1 h", stepped(-HOUR)),
        row!(
            "clock stepped by +1 h in mid-notice",
            stepped_in_mid_notice(HOUR)
        ),
        row!(
            "clock stepped by -1 h in mid-notice",
            stepped_in_mid_notice(-HOUR)
        ),
    ]
}

/// Before the notice: EC2 refuses what is signed at the wrong time, and the agent corrects it.
async fn stepped(by: SignedDuration) -> Result<Vec<Figure>> {
    let (mut stage, agent, clock) = begin().await?;
    clock.step(by)?;
    let given = stage.place.give_notice()?;
    let seen = agent.says(NOTICED).await?;
    let tagged = agent.says(TAGGED).await?;
    clock.ensure_stepped(&agent, &seen, by)?;
    // It polls on, once a second.
    let last = stage.place.asked(1).await?;
    let polled_on = stage.place.asked(2).await? - last;
    let attempts = tagged.fields["tag.attempts"].as_u64().unwrap_or_default();
    let mut figures = vec![
        Figure::within("notice seen", SEEN, seen.at - given),
        Figure::within("tag answered", TAGGED_WITHIN, tagged.at - given),
        Figure::exactly("attempts", 2, usize::try_from(attempts)?),
        Figure::within("two more polls", SEEN * 2, polled_on),
    ];
    figures.extend(job::figures(&mut stage, &agent, given, End::Due).await?);
    Ok(figures)
}

/// When the time until the job's end is being counted.
async fn stepped_in_mid_notice(by: SignedDuration) -> Result<Vec<Figure>> {
    let (mut stage, agent, clock) = begin().await?;
    let given = stage.place.give_notice()?;
    agent.says(NOTICED).await?;
    agent.says(TAGGED).await?;
    clock.step(by)?;
    let figures = job::figures(&mut stage, &agent, given, End::Due).await?;
    let ended = agent.says(job::STEP_ENDED).await?;
    clock.ensure_stepped(&agent, &ended, by)?;
    Ok(figures)
}

/// A settled agent beside a job, whose time of day can be stepped.
async fn begin() -> Result<(JobStage, Agent, TimeOfDay)> {
    // As AWS does, which is why the time of day matters at all.
    let five_minutes = Some(SignedDuration::from_mins(5));
    let places = Place::several_closed(1, |ec2| ec2.signatures_last = five_minutes)?;
    let place = places.into_iter().next().context("no instance")?;
    place.open_up()?;
    let stage = job::stage_on(place).await?;
    let clock = TimeOfDay::of(&stage.place).await?;
    let mut command = job::command(&stage)?;
    command
        .env("LD_PRELOAD", &clock.library)
        .env("WALL_SECONDS", &clock.seconds);
    let agent = job::settled(&stage, command).await?;
    Ok((stage, agent, clock))
}

/// What moves a program's time of day.
struct TimeOfDay {
    library: PathBuf,
    seconds: PathBuf,
}

impl TimeOfDay {
    async fn of(place: &Place) -> Result<Self> {
        let (library, seconds) = (place.file("wall.so"), place.file("wall"));
        std::fs::write(&seconds, 0_i64.to_ne_bytes())?;
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/suites/agent_chaos/wall.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]);
        let compiler = compiler.arg(&library).arg(source).stdin(Stdio::null());
        let status = compiler.status().await;
        let done = status.context("there is no C compiler; install one (Debian: gcc)")?;
        ensure!(done.success(), "cc fails on {source}");
        Ok(Self { library, seconds })
    }

    /// In place: a program that has mapped the file must never find it shorter.
    fn step(&self, by: SignedDuration) -> Result<()> {
        let file = File::options().write(true).open(&self.seconds)?;
        Ok(file.write_all_at(&by.as_secs().to_ne_bytes(), 0)?)
    }

    /// That the program has seen it: its lines tell its time of day.
    fn ensure_stepped(&self, agent: &Agent, line: &Line, by: SignedDuration) -> Result<()> {
        let first = agent.said().into_iter().next().context("it said nothing")?;
        let real = SignedDuration::try_from(line.at - agent.started)?;
        let told = told(line)?.duration_since(told(&first)?);
        let off = told - real - by;
        let soon = SignedDuration::try_from(Duration::from_secs(60))?;
        ensure!(
            off.abs() < soon,
            "the program's time of day moved by {told} in {real}; is it linked statically?"
        );
        Ok(())
    }
}

fn told(line: &Line) -> Result<Timestamp> {
    let text = line.fields["timestamp"].as_str();
    Ok(text.context("a line without a time")?.parse()?)
}
