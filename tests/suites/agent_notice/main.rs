//! What the agent does with a notice's two minutes: the real program, a runner's processes, and hooks.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use jiff::SignedDuration;
use reprise_tests::harness::alone::{Agent, NOTICED, program};
use reprise_tests::harness::job_stage::{ALWAYS, JobStage, LONG, usual};
use reprise_world::stand_in::{Conclusion, Condition, Job, Report, Step};

mod frozen;

/// The notice leaves two minutes, so the job is ended two seconds after it.
const SOON: &str = "118s";

fn conclusion(report: &Report, step: &str) -> Option<Conclusion> {
    report.step(step).map(|step| step.conclusion)
}

/// The job failed, and nothing of it ran after its runner was stopped.
fn ensure_stopped(report: &Report) -> Result<()> {
    ensure!(report.conclusion == Conclusion::Failure, "{report:#?}");
    for step in ["deploy"].into_iter().chain(ALWAYS) {
        let skipped = conclusion(report, step) == Some(Conclusion::Skipped);
        ensure!(skipped, "{step} ran: {report:#?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_ended_by_its_step_and_what_is_always_done_still_is() -> Result<()> {
    let mut stage = JobStage::amid(Step::new("work", LONG)).await?;
    let agent = stage.agent("fail-step", SOON)?;
    stage.place.give_notice()?;
    let report = stage.report(&agent).await?;
    ensure!(report.conclusion == Conclusion::Failure, "{report:#?}");
    ensure!(conclusion(&report, "work") == Some(Conclusion::Failure));
    ensure!(conclusion(&report, "deploy") == Some(Conclusion::Skipped));
    ensure!(conclusion(&report, "tidy") == Some(Conclusion::Success));
    ensure!(conclusion(&report, "Post cache") == Some(Conclusion::Success));
    let said = report
        .step("Complete runner")
        .map(|hook| hook.output.as_str());
    let said = said.unwrap_or_default();
    ensure!(
        said.starts_with("::error title=EC2 Spot interruption::"),
        "{said}"
    );
    ensure!(said.contains("re-run on on-demand capacity"), "{said}");
    ensure!(!stage.in_workspace("passed").exists());
    ensure!(stage.place.is_tagged()?);
    ensure!(stage.record()?["job_ended"] == "fail-step");
    Ok(())
}

/// The last deadline: whatever still runs then, here a step that is always run and takes its time, is ended by
/// the runner, which is told as by Ctrl-C. The agent is as it is shipped, and the notice short.
#[tokio::test(flavor = "multi_thread")]
async fn twenty_seconds_before_the_end_the_runner_gets_sigint_whatever_still_runs() -> Result<()> {
    let mut job = usual(Step::new("work", LONG));
    let slow = Step::new("tidy slowly", "touch tidying; sleep 3600");
    job.steps.push(slow.when(Condition::Always));
    let mut stage = JobStage::with(job).await?;
    let agent = Agent::start(stage.command(&program()?, "fail-step")?)?;
    agent.says("the instance is known").await?;
    let given = stage.place.give_notice_of(SignedDuration::from_secs(26))?;
    agent.says("the running step is ended").await?;
    stage.wait_for(&stage.in_workspace("tidying")).await?;
    let told = agent.says("the runner is told to stop").await?;
    let reason = told.fields["reason"].as_str().unwrap_or_default();
    ensure!(reason.contains("the instance is about to go"), "{reason}");
    // EC2 and the metadata service tell times in whole seconds.
    let after = told.at - given;
    let due = Duration::from_secs(26 - 20);
    ensure!(after + Duration::from_secs(1) >= due, "too soon: {after:?}");
    ensure!(after <= due + Duration::from_secs(2), "too late: {after:?}");
    let report = stage.report(&agent).await?;
    ensure!(report.conclusion == Conclusion::Failure, "{report:#?}");
    let told = report
        .annotations
        .iter()
        .any(|said| said.contains("shutdown signal"));
    ensure!(told, "{report:#?}");
    // On SIGTERM the runner would not say so.
    let said = stage.runner_said()?;
    ensure!(said.contains("Exiting..."), "{said}");
    ensure!(conclusion(&report, "tidy") == Some(Conclusion::Success));
    ensure!(conclusion(&report, "tidy slowly") != Some(Conclusion::Success));
    for step in ["deploy", "Post cache", "Complete runner"] {
        let skipped = conclusion(&report, step) == Some(Conclusion::Skipped);
        ensure!(skipped, "{step} ran: {report:#?}");
    }
    ensure!(stage.record()?["job_ended"] == "stop-runner");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_last_step_that_ends_well_when_it_is_asked_to_still_fails_its_job() -> Result<()> {
    let script = "trap 'exit 0' TERM; touch began; sleep 600 & wait; exit 0";
    let job = Job {
        steps: vec![Step::new("serve", script)],
        ..Job::default()
    };
    let mut stage = JobStage::with(job).await?;
    let agent = stage.agent("fail-step", SOON)?;
    stage.place.give_notice()?;
    let report = stage.report(&agent).await?;
    ensure!(report.conclusion == Conclusion::Failure, "{report:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn with_stop_runner_the_job_fails_and_nothing_more_of_it_runs() -> Result<()> {
    let mut stage = JobStage::amid(Step::new("work", LONG)).await?;
    let agent = stage.agent("stop-runner", SOON)?;
    stage.place.give_notice()?;
    ensure_stopped(&stage.report(&agent).await?)?;
    ensure!(stage.record()?["job_ended"] == "stop-runner");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_whose_failure_would_be_passed_over_is_left_to_the_runner() -> Result<()> {
    let lenient = Step {
        continue_on_error: true,
        ..Step::new("lint", LONG)
    };
    let composite = Step {
        composite: vec![LONG.to_owned(), "echo on".to_owned()],
        ..Step::new("action", "")
    };
    for (step, why) in [(lenient, "continue-on-error"), (composite, "composite")] {
        let mut stage = JobStage::amid(step).await?;
        let agent = stage.agent("fail-step", SOON)?;
        stage.place.give_notice()?;
        let line = agent.says("is not ended alone").await?;
        let reason = line.fields["reason"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        ensure!(reason.contains(why), "{reason}");
        let report = stage.report(&agent).await?;
        ensure!(report.conclusion != Conclusion::Success, "{report:#?}");
        ensure!(!stage.in_workspace("passed").exists());
        ensure!(stage.record()?["job_ended"] == "stop-runner");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_in_a_container_is_left_to_the_runner() -> Result<()> {
    let job = Job {
        container: Some("node:22".to_owned()),
        steps: vec![Step::new("work", LONG)],
        ..Job::default()
    };
    let mut stage = JobStage::with(job).await?;
    let agent = stage.agent("fail-step", SOON)?;
    stage.place.give_notice()?;
    agent.says("is not ended alone").await?;
    let report = stage.report(&agent).await?;
    ensure!(report.conclusion == Conclusion::Failure, "{report:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn with_none_a_job_goes_on_to_its_own_end() -> Result<()> {
    let script = "touch began; until test -e go; do sleep 0.02; done; echo done";
    let mut stage = JobStage::amid(Step::new("work", script)).await?;
    let agent = stage.agent("none", SOON)?;
    stage.place.give_notice()?;
    agent.says("nothing is left to do for the job").await?;
    stage.place.asked(30).await?;
    std::fs::write(stage.in_workspace("go"), "")?;
    let report = stage.report(&agent).await?;
    ensure!(report.conclusion == Conclusion::Success, "{report:#?}");
    let said = report
        .step("Complete runner")
        .map(|hook| hook.output.as_str());
    ensure!(
        said.is_some_and(|said| said.starts_with("::warning ")),
        "{report:#?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_notice_the_jobs_last_hook_says_nothing() -> Result<()> {
    let mut stage = JobStage::amid(Step::new("work", "touch began; echo done")).await?;
    let agent = stage.agent("fail-step", SOON)?;
    let report = stage.report(&agent).await?;
    ensure!(report.conclusion == Conclusion::Success, "{report:#?}");
    let hook = report.step("Complete runner");
    ensure!(
        hook.is_some_and(|hook| hook.output.is_empty()),
        "{report:#?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_hangs_is_killed_and_the_next_one_knows_the_job() -> Result<()> {
    let mut stage = JobStage::amid(Step::new("work", LONG)).await?;
    let pid = stage.place.file("pid");
    let env = stage.place.file("env");
    stage.place.hook(
        "10-hangs",
        &format!("echo $$ > {}; sleep 600", pid.display()),
    )?;
    stage
        .place
        .hook("20-save", &format!("echo saved; env > {}", env.display()))?;
    let agent = stage.agent("fail-step", "115s")?;
    agent.says("the instance is known").await?;
    stage.place.give_notice()?;
    let report = stage.report(&agent).await?;
    ensure!(report.conclusion == Conclusion::Failure, "{report:#?}");
    ensure!(stage.place.is_tagged()?);
    let pid = std::fs::read_to_string(pid)?;
    ensure!(
        !Path::new("/proc").join(pid.trim()).exists(),
        "it still runs"
    );
    let env = std::fs::read_to_string(env)?;
    let workspace = stage.in_workspace("began");
    let workspace = workspace.parent().unwrap_or(Path::new("/")).display();
    for word in [
        "REPRISE_REPOSITORY=acme/shop",
        "REPRISE_RUN_ID=4711",
        "REPRISE_RUN_ATTEMPT=1",
        "REPRISE_JOB=build",
        &format!("REPRISE_WORKSPACE={workspace}"),
        "REPRISE_ACTION=terminate",
        "REPRISE_INSTANCE_ID=i-",
    ] {
        ensure!(env.contains(word), "{word} is missing in {env}");
    }
    ensure!(!env.contains("GITHUB_"), "{env}");
    let said = agent.says("saved").await?;
    ensure!(said.fields["hook.name"] == "20-save", "{said:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_killed_in_mid_notice_is_followed_by_one_that_goes_on() -> Result<()> {
    let mut stage = JobStage::amid(Step::new("work", LONG)).await?;
    let ran = stage.place.file("ran");
    stage
        .place
        .hook("10-save", &format!("echo once >> {}", ran.display()))?;
    let agent = stage.agent("fail-step", "114s")?;
    agent.says("the instance is known").await?;
    stage.place.give_notice()?;
    agent.says("a hook has ended").await?;
    agent.says("is tagged").await?;
    agent.kill().await?;
    let first = stage.record()?;
    let agent = stage.agent("fail-step", "114s")?;
    let resumed = agent.says("an earlier agent of this boot").await?;
    let left = resumed.fields["notice.remaining_ms"]
        .as_i64()
        .unwrap_or(i64::MAX);
    ensure!(left < 120_000, "{resumed:?}");
    ensure!(resumed.fields["notice.tagged"] == true, "{resumed:?}");
    let report = stage.report(&agent).await?;
    ensure!(report.conclusion == Conclusion::Failure, "{report:#?}");
    ensure!(conclusion(&report, "tidy") == Some(Conclusion::Success));
    let second = stage.record()?;
    for word in [
        "first_seen_uptime_ms",
        "remaining_ms",
        "boot_id",
        "hooks_begun",
    ] {
        ensure!(first[word] == second[word], "{word}: {first} {second}");
    }
    ensure!(std::fs::read_to_string(ran)? == "once\n");
    ensure!(agent.count(NOTICED) == 0, "it is the same notice");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_another_boot_ends_no_job() -> Result<()> {
    let mut stage = JobStage::amid(Step::new("work", LONG)).await?;
    let agent = stage.agent("fail-step", "110s")?;
    agent.says("the instance is known").await?;
    stage.place.give_notice()?;
    agent.says("is tagged").await?;
    agent.kill().await?;
    let mut record = stage.record()?;
    record["boot_id"] = "00000000-0000-4000-8000-000000000000".into();
    std::fs::write(stage.place.record_file(), record.to_string())?;
    // The instance was stopped and started again, and the notice is gone with its old life.
    stage
        .place
        .break_by(|faults| faults.notice_text = Some("{}".to_owned()));
    let agent = stage.agent("fail-step", SOON)?;
    let line = agent.says("is void").await?;
    let reason = line.fields["reason"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    ensure!(reason.contains("another boot"), "{reason}");
    ensure!(!stage.place.record_file().exists());
    stage.place.asked(40).await?;
    ensure!(stage.runner.report()?.is_none(), "the job was ended");
    stage.place.break_by(|faults| faults.notice_text = None);
    let report = stage.report(&agent).await?;
    ensure!(report.conclusion == Conclusion::Failure, "{report:#?}");
    Ok(())
}

/// As in production: the agent is root with few capabilities, and the runner is somebody else's.
#[tokio::test(flavor = "multi_thread")]
async fn with_its_units_capabilities_the_agent_ends_the_job_of_another_user() -> Result<()> {
    const NOBODY: u32 = 65534;
    if std::fs::metadata("/proc/self")?.uid() != 0 {
        // Past the harness, which shows what a test prints only where it fails.
        let why = "only root can give a runner to another user; run agent_notice as root";
        writeln!(
            std::io::stderr(),
            "SKIPPED with_its_units_capabilities: {why}"
        )?;
        return Ok(());
    }
    let mut stage = JobStage::of_user(NOBODY, usual(Step::new("work", LONG))).await?;
    let hook = format!(
        "echo \"$REPRISE_JOB\" > '{}'",
        stage.place.file("by-hook").display()
    );
    stage.place.hook("10-say", &hook)?;
    let agent = stage.agent_as_in_its_unit("fail-step", SOON)?;
    stage.place.give_notice()?;
    let report = stage.report(&agent).await?;
    ensure!(report.conclusion == Conclusion::Failure, "{report:#?}");
    ensure!(
        conclusion(&report, "tidy") == Some(Conclusion::Success),
        "{report:#?}"
    );
    ensure!(stage.record()?["job_ended"] == "fail-step");
    let job = std::fs::read_to_string(stage.place.file("by-hook"))?;
    ensure!(!job.trim().is_empty(), "the hook does not know the job");
    Ok(())
}
