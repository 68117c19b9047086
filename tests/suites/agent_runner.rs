//! The agent and the runner of its instance, as processes: it starts by a unit of its own, no end of the agent
//! touches it, and the instance goes when it has served its turn.

use anyhow::{Context, Result, ensure};
use reprise_tests::agent_host::AgentHost;
use reprise_tests::harness::program::signal;
use reprise_world::stand_in::{Conclusion, Job, Report, Step};

/// Goes on until the test lets it.
const UNTIL_LET: &str = "touch began; until test -e go; do sleep 0.02; done; echo done";

fn job(script: &str) -> Job {
    Job {
        steps: vec![Step::new("work", script)],
        pace: 50,
        ..Job::default()
    }
}

fn report(host: &AgentHost) -> Result<Report> {
    host.runner().report()?.context("the job has not ended")
}

/// The parent of a process, as the kernel has it.
fn parent_of(process: u32) -> Result<u32> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    Ok(line.context("no parent")?.trim().parse()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_runner_starts_by_its_own_unit_and_its_instance_goes_after_the_job() -> Result<()> {
    let host = AgentHost::boot().await?;
    let job = job(&format!("env > environment; {UNTIL_LET}"));
    let workspace = host.runner().workspace(&job);
    host.runner().give(&job)?;
    let mut agent = host.agent()?;
    host.until("a look at the runner", |host| {
        said(host, "the runner has a job").is_ok_and(|times| times == 1)
    })
    .await?;
    host.until("the job's begin", |_| workspace.join("began").exists())
        .await?;
    std::fs::write(workspace.join("go"), "")?;
    host.until("the job's end", |host| host.runner().report_file().exists())
        .await?;
    ensure!(!host.is_left(), "the controller had no time");
    host.until("the power-off", AgentHost::is_left).await?;
    ensure!(report(&host)?.conclusion == Conclusion::Success);
    ensure!(host.runners().1 == [Some(0)], "{:?}", host.runners());
    ensure!(!host.config_file().exists(), "the configuration lies about");
    let environment = std::fs::read_to_string(workspace.join("environment"))?;
    ensure!(!environment.contains("JITCONFIG"), "{environment}");
    ensure!(agent.try_wait()?.is_none(), "the agent watches on");
    ensure!(host.log()?.contains("the runner ended after its job"));
    ensure!(!host.log()?.contains("AgentId"), "a secret is told");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_end_of_the_agent_touches_the_job_that_runs() -> Result<()> {
    let host = AgentHost::boot().await?;
    let job = job(UNTIL_LET);
    let workspace = host.runner().workspace(&job);
    host.runner().give(&job)?;
    let mut agent = host.agent()?;
    host.until("the job's begin", |_| workspace.join("began").exists())
        .await?;
    let listener = *host.runners().0.first().context("no runner")?;
    ensure!(parent_of(listener)? != agent.id().context("it has ended")?);
    let arguments = std::fs::read(format!("/proc/{listener}/cmdline"))?;
    ensure!(
        arguments == b"./bin/Runner.Listener\0run\0",
        "everybody reads these"
    );
    for (number, end) in ["KILL", "TERM", "KILL", "INT"].into_iter().enumerate() {
        signal(end, agent.id().context("it has ended")?).await?;
        agent.wait().await?;
        agent = host.agent()?;
        host.until("the next agent", |host| {
            said(host, "was started already").is_ok_and(|times| times > number)
        })
        .await?;
    }
    host.until("the next agent's look", |host| {
        said(host, "the runner has a job").is_ok_and(|times| times >= 2)
    })
    .await?;
    ensure!(
        host.runners().0 == [listener],
        "one runner: {:?}",
        host.runners()
    );
    ensure!(host.rows_read() == 1, "{} looks", host.rows_read());
    std::fs::write(workspace.join("go"), "")?;
    host.until("the power-off", AgentHost::is_left).await?;
    let report = report(&host)?;
    ensure!(report.conclusion == Conclusion::Success, "{report:?}");
    ensure!(report.steps[0].output == "done\n", "{report:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_without_a_job_ends_and_then_its_instance_goes() -> Result<()> {
    let host = AgentHost::boot().await?;
    let _agent = host.agent()?;
    host.until("the power-off", AgentHost::is_left).await?;
    ensure!(host.runners().1 == [Some(0)], "{:?}", host.runners());
    ensure!(host.log()?.contains("the runner was given no job"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_ec2_gave_notice_for_is_left_to_ec2() -> Result<()> {
    let host = AgentHost::boot().await?;
    host.runner().give(&job("echo built"))?;
    let mut agent = host.agent()?;
    host.until("the job's end", |host| host.runner().report_file().exists())
        .await?;
    host.give_notice();
    host.until("the agent's word", |host| {
        said(host, "the instance is left to it").is_ok_and(|times| times > 0)
    })
    .await?;
    ensure!(!host.is_left(), "the evidence is destroyed");
    ensure!(agent.try_wait()?.is_none(), "the agent watches on");
    Ok(())
}

/// How often the agents said so.
fn said(host: &AgentHost, words: &str) -> Result<usize> {
    Ok(host.log()?.matches(words).count())
}
