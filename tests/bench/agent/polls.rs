//! Size, start, and what polls cost.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use reprise_tests::harness::alone::{Agent, Place, TAGGED};
use reprise_tests::harness::job_stage::{JobStage, LONG};
use reprise_tests::harness::tls::Door;
use reprise_world::stand_in::{Conclusion, Step};

use crate::figures::Figure;
use crate::meter::Meter;
use crate::percentile;

/// How often it is started.
const STARTS: usize = 20;

/// Each fifteenth poll also asks for a recommendation to leave.
fn requests(polls: u64) -> u64 {
    polls + polls / 15
}

/// The first poll is a token and a question.
const FIRST_POLL: u64 = 2;

/// The program's own size.
pub(crate) fn size(program: &Path) -> Result<Figure> {
    let file = std::fs::metadata(program);
    let file = file.with_context(|| format!("there is no {}", program.display()))?;
    // Exact below 2^53.
    let megabytes = file.len() as f64 / 1e6;
    Ok(Figure::new("size of the program", megabytes, " MB").at_most(5.0))
}

/// From its start to its first poll, the median of several.
pub(crate) async fn start(program: &Path) -> Result<Figure> {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let place = Place::open()?;
        let agent = Agent::start(place.command(program)?)?;
        let polled = place
            .when(|place| Ok(place.requests() >= FIRST_POLL))
            .await?;
        times.push((polled - agent.started).as_secs_f64() * 1e3);
        agent.kill().await?;
    }
    times.sort_by(f64::total_cmp);
    let median = percentile(&times, 50)?;
    Ok(Figure::new("start to first poll", median, " ms").at_most(50.0))
}

/// Memory after many polls and while a notice is handled, and CPU by what each of them took.
///
/// The notice is all that one can be: a hook runs, the tag goes over TLS, and a runner is looked for, whose job is
/// ended a second later by its step.
pub(crate) async fn many(program: &Path, polls: u64) -> Result<Vec<Figure>> {
    let mut stage = JobStage::amid(Step::new("work", LONG)).await?;
    let place = stage.place.clone();
    let door = Door::before(&place).await?;
    let mut command = stage.command(program, "fail-step")?;
    door.lead(&mut command);
    command
        .env("REPRISE_AGENT_POLL_INTERVAL", "1ms")
        .env("REPRISE_AGENT_FINISH_UNTIL", "119s")
        .env("REPRISE_AGENT_ON_REBALANCE", "stop-taking-jobs");
    place.hook("10-save", "exit 0")?;
    let mut agent = Agent::start(command)?;
    agent.says("the instance is known").await?;
    let meter = Meter::of(&mut agent)?;
    let before = meter.cpu_seconds()?;
    let mut done = 0;
    while done < polls {
        let part = 10_000.min(polls - done);
        place.asked(requests(part)).await?;
        done += part;
    }
    let each = (meter.cpu_seconds()? - before) / polls as f64;
    let polling = meter.megabytes()?;
    place.give_notice()?;
    agent.says(TAGGED).await?;
    agent.says("a hook has ended").await?;
    let report = stage.report(&agent).await?;
    ensure!(report.conclusion == Conclusion::Failure, "{report:#?}");
    ensure!(
        stage.record()?["job_ended"] == "fail-step",
        "the job ended otherwise"
    );
    place.asked(100).await?;
    Ok(vec![
        Figure::new("memory after the polls", polling, " MB").at_most(5.0),
        Figure::new(
            "memory with a notice, the most",
            meter.peak_megabytes()?,
            " MB",
        )
        .at_most(8.0),
        Figure::new("CPU a poll", each * 1e6, " us").digits(0),
        Figure::new("CPU at a poll a second, by that", each * 100.0, " %")
            .digits(4)
            .at_most(0.05),
    ])
}

/// CPU in real life: a poll a second.
pub(crate) async fn each_second(program: &Path, seconds: u64) -> Result<Figure> {
    let place = Place::open()?;
    let mut command = place.command(program)?;
    command.env("REPRISE_AGENT_ON_REBALANCE", "stop-taking-jobs");
    let mut agent = Agent::start(command)?;
    agent.says("the instance is known").await?;
    let meter = Meter::of(&mut agent)?;
    let first = place.asked(1).await?;
    let before = meter.cpu_seconds()?;
    let last = place.asked(requests(seconds)).await?;
    let share = (meter.cpu_seconds()? - before) / (last - first).as_secs_f64();
    Ok(
        Figure::new("CPU at a poll a second, measured", share * 100.0, " %")
            .digits(4)
            .at_most(0.05),
    )
}
