//! A job that runs while a notice comes: it is ended when that is due and not before, and GitHub knows soon.
//!
//! The runner is a stand-in for GitHub's, with processes of its own; that a job has ended is seen by its runner's
//! end, not by what the agent says of it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reprise_tests::harness::alone::{Agent, NOTICED, Place, program};
use reprise_tests::harness::job_stage::{ALWAYS, JobStage, LONG, PACE, usual};
use reprise_world::stand_in::{Conclusion, Job, Report, Step};
use tokio::process::Command;
use tokio::time::Instant;

use crate::outages::SEEN;
use crate::table::Figure;
use crate::{Affliction, row};

/// What the agent says when it has ended a step.
pub(crate) const STEP_ENDED: &str = "the running step is ended";

/// How long after the first sight of a notice jobs are ended here. By its settings that is 75 s: two minutes less
/// [`FINISH_UNTIL`].
const DUE_AFTER: Duration = Duration::from_secs(5);
const FINISH_UNTIL: &str = "115s";
const STOP_RUNNER_AT: &str = "100s";

/// EC2 tells the time of an instance's end in whole seconds, and what is due before it moves with that.
const ROUNDED_BY: Duration = Duration::from_secs(1);

/// From then on: the look at the runner, the end of the step's processes, what the job does always, the runner's end.
const ENDED_WITHIN: Duration = Duration::from_secs(1);

/// How much longer a job is watched that is not to be ended at all.
const WATCHED_ON: Duration = Duration::from_secs(3);

/// From the beginning of a job's end to the runner's word to GitHub.
const KNOWN_WITHIN: Duration = Duration::from_secs(15);

/// What an instance has left when whatever still runs is left to the runner (`stop_runner_at`).
const LEFT_AT_LAST: Duration = Duration::from_secs(20);

pub(crate) fn all() -> Vec<Affliction> {
    vec![
        row!("nothing, with a job", ordinary()),
        row!(
            "an agent that ends jobs at once, to see that it would be seen",
            early()
        ),
        row!("a step that heeds no signal, fail-step", deaf_step_ended()),
        row!(
            "a step that heeds no signal, stop-runner",
            deaf_step_left_to_its_runner()
        ),
        row!(
            "a step that heeds no signal with a child alike, stop-runner",
            deaf_tree_left_to_its_runner()
        ),
    ]
}

/// What is to become of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It is ended [`DUE_AFTER`] the first sight.
    Due,
    /// It is left alone.
    Never,
}

/// An instance amid a job.
pub(crate) async fn stage() -> Result<JobStage> {
    stage_on(Place::open()?).await
}

/// The same on that one.
pub(crate) async fn stage_on(place: Place) -> Result<JobStage> {
    let job = usual(Step::new("work", LONG));
    JobStage::on(place, Job { pace: PACE, ..job }).await
}

/// Its agent, not started yet.
pub(crate) fn command(stage: &JobStage) -> Result<Command> {
    let mut command = stage.command(&program()?, "fail-step")?;
    command
        .env("REPRISE_AGENT_FINISH_UNTIL", FINISH_UNTIL)
        .env("REPRISE_AGENT_STOP_RUNNER_AT", STOP_RUNNER_AT);
    Ok(command)
}

/// Its agent, which has asked twice and knows its instance.
pub(crate) async fn settled(stage: &JobStage, command: Command) -> Result<Agent> {
    let agent = Agent::start(command)?;
    agent.says("the instance is known").await?;
    stage.place.asked(1).await?;
    Ok(agent)
}

/// Watches the job to its end, or until it is clear that it has none.
pub(crate) async fn figures(
    stage: &mut JobStage,
    agent: &Agent,
    given: Instant,
    end: End,
) -> Result<Vec<Figure>> {
    let early = |early: bool| Figure::exactly("jobs ended early", 0, usize::from(early));
    match end {
        End::Never => {
            let ended = stage
                .ended_by(given + SEEN + DUE_AFTER + WATCHED_ON)
                .await?;
            Ok(vec![early(ended.is_some())])
        }
        End::Due => {
            let report = stage.report(agent).await?;
            let after = given.elapsed();
            ensure_failed_by(stage, &report, "fail-step")?;
            let longest = SEEN + DUE_AFTER + ENDED_WITHIN;
            Ok(vec![
                early(is_early(after)),
                Figure::within("job ended after the notice", longest, after),
            ])
        }
    }
}

/// Whether a job ended too soon after the notice was given, before which no agent sees it.
fn is_early(after: Duration) -> bool {
    after + ROUNDED_BY < DUE_AFTER
}

fn ensure_failed_by(stage: &JobStage, report: &Report, way: &str) -> Result<()> {
    ensure!(report.conclusion == Conclusion::Failure, "{report:#?}");
    let record = stage.record()?;
    ensure!(record["job_ended"] == way, "{record}");
    Ok(())
}

/// With nothing wrong, the job is ended: without that the other rows would show nothing.
async fn ordinary() -> Result<Vec<Figure>> {
    let mut stage = stage().await?;
    let agent = settled(&stage, command(&stage)?).await?;
    let given = stage.place.give_notice()?;
    figures(&mut stage, &agent, given, End::Due).await
}

/// Whether these rows see a job that is ended early: here its end is due with the notice.
async fn early() -> Result<Vec<Figure>> {
    let mut stage = stage().await?;
    let mut command = command(&stage)?;
    command.env("REPRISE_AGENT_FINISH_UNTIL", "120s");
    let agent = settled(&stage, command).await?;
    let given = stage.place.give_notice()?;
    let report = stage.report(&agent).await?;
    let early = usize::from(is_early(given.elapsed()));
    ensure_failed_by(&stage, &report, "fail-step")?;
    Ok(vec![Figure::exactly("jobs ended early", 1, early)])
}

/// Nor does what it has started, which keeps the step's output open. The agent's `step_grace` passes, then all of
/// it is killed, and what the job does always is done.
async fn deaf_step_ended() -> Result<Vec<Figure>> {
    deaf("fail-step", "sleep 3600", ALWAYS.len(), KNOWN_WITHIN).await
}

/// The runner takes its own time here: 7.5 s from SIGINT to SIGTERM, 2.5 s more to SIGKILL; and nothing more is done.
async fn deaf_step_left_to_its_runner() -> Result<Vec<Figure>> {
    deaf("stop-runner", "while :; do sleep 1; done", 0, KNOWN_WITHIN).await
}

/// The runner kills the step's own process alone, and waits five seconds more for whoever holds its output open. That
/// is more than the time that is aimed at, and less than what is left when the runner is stopped at last.
async fn deaf_tree_left_to_its_runner() -> Result<Vec<Figure>> {
    deaf("stop-runner", "sleep 3600", 0, LEFT_AT_LAST).await
}

async fn deaf(
    way: &str,
    work: &str,
    must_run: usize,
    known_within: Duration,
) -> Result<Vec<Figure>> {
    let script = format!("trap '' INT TERM; touch began; {work}");
    let mut stage = JobStage::at_pace(usual(Step::new("work", &script))).await?;
    let mut command = stage.command(&program()?, way)?;
    command
        .env("REPRISE_AGENT_FINISH_UNTIL", "120s")
        .env("REPRISE_AGENT_STOP_RUNNER_AT", STOP_RUNNER_AT);
    let agent = settled(&stage, command).await?;
    stage.place.give_notice()?;
    let begun = agent.says(NOTICED).await?.at;
    let report = stage.report(&agent).await?;
    let known = begun.elapsed();
    ensure_failed_by(&stage, &report, way)?;
    let ran = |step: &&&str| {
        let step = report.step(step).map(|step| step.conclusion);
        step == Some(Conclusion::Success)
    };
    let hook = report.step("Complete runner").context("no hook")?;
    let told = usize::from(
        hook.output
            .starts_with("::error title=EC2 Spot interruption::"),
    );
    Ok(vec![
        Figure::within("GitHub knows after its end began", known_within, known),
        Figure::exactly(
            "always() step, post step and hook that ran",
            must_run,
            ALWAYS.iter().filter(ran).count(),
        ),
        Figure::exactly("annotations", usize::from(must_run > 0), told),
    ])
}
