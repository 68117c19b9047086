//! Steps that an agent left frozen that was killed, whose notice was gone before the next agent came.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reprise_tests::harness::alone::{Agent, program};
use reprise_tests::harness::job_stage::JobStage;
use reprise_tests::harness::program::signal;
use reprise_tests::wait;
use reprise_world::stand_in::{Conclusion, Step};

use crate::{SOON, conclusion};

/// Longer than anything here takes, so that a failure is not a hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// The number of the step's own process, which it has written down.
fn step(stage: &JobStage) -> Result<u32> {
    let pid = std::fs::read_to_string(stage.in_workspace("pid"))?;
    Ok(pid.trim().parse()?)
}

/// Whether a signal has stopped a process.
fn is_frozen(process: u32) -> Result<bool> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, rest) = stat.rsplit_once(") ").context("no line of the kernel's")?;
    Ok(rest.starts_with('T'))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_was_being_ended_fails_and_does_not_go_on_without_its_children() -> Result<()> {
    // Its child hears no SIGTERM, so that the agent waits for it with the step frozen.
    let script = "trap '' TERM; echo $$ > pid; touch began; sleep 3600; touch passed";
    let mut stage = JobStage::amid(Step::new("work", script)).await?;
    let mut command = stage.command(&program()?, "fail-step")?;
    command
        .env("REPRISE_AGENT_POLL_INTERVAL", "100ms")
        .env("REPRISE_AGENT_FINISH_UNTIL", SOON)
        .env("REPRISE_AGENT_STEP_GRACE", "60s");
    let agent = Agent::start(command)?;
    agent.says("the instance is known").await?;
    stage.place.give_notice()?;
    wait::until("the word that the step is ended", PATIENCE, async || {
        let ended = stage
            .record()
            .is_ok_and(|it| it["job_ended"] == "fail-step");
        Ok(ended.then_some(()))
    })
    .await?;
    let step = step(&stage)?;
    ensure!(is_frozen(step)?, "it is frozen before that is written");
    agent.kill().await?;
    ensure!(is_frozen(step)?, "nobody is there to free it");
    stage.place.break_by(|faults| faults.notice_gone = true);

    let agent = stage.agent("fail-step", SOON)?;
    agent.says("an earlier agent was ending a step").await?;
    let report = stage.report(&agent).await?;
    ensure!(report.conclusion == Conclusion::Failure, "{report:#?}");
    ensure!(conclusion(&report, "work") == Some(Conclusion::Failure));
    ensure!(conclusion(&report, "tidy") == Some(Conclusion::Success));
    ensure!(!stage.in_workspace("passed").exists());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_to_which_nothing_was_done_goes_on_to_its_own_end() -> Result<()> {
    let script = "echo $$ > pid; touch began; until test -e go; do sleep 0.02; done; echo done";
    let mut stage = JobStage::amid(Step::new("work", script)).await?;
    let agent = stage.agent("fail-step", "60s")?;
    agent.says("the instance is known").await?;
    stage.place.give_notice()?;
    agent.says("is tagged").await?;
    agent.kill().await?;
    // As an agent does that is killed before it has written down that it ends the step.
    let step = step(&stage)?;
    signal("STOP", step).await?;
    wait::until("the step's stop", PATIENCE, async || {
        Ok(is_frozen(step)?.then_some(()))
    })
    .await?;
    stage.place.break_by(|faults| faults.notice_gone = true);

    let agent = stage.agent("fail-step", "60s")?;
    agent.says("had left a step frozen; it goes on").await?;
    std::fs::write(stage.in_workspace("go"), "")?;
    let report = stage.report(&agent).await?;
    ensure!(report.conclusion == Conclusion::Success, "{report:#?}");
    Ok(())
}
