//! An instance under notice: its agent, its hooks, and a stand-in for its runner.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use reprise_tests::harness::alone::{Agent, Place, program};
use reprise_tests::harness::program::built;
use reprise_tests::wait;
use reprise_world::stand_in::{Condition, Installed, Job, Report, Step};
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// Longer than anything here takes, so that a failure is not a hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// By how much shorter the stand-in's waits are.
const PACE: u32 = 50;

/// A step that says that it runs, and goes on for long.
pub(crate) const LONG: &str = "touch began; sleep 600; touch passed";

/// The instance.
pub(crate) struct Stage {
    pub(crate) place: Place,
    pub(crate) runner: Installed,
    job: Job,
    folder: TempDir,
    listener: Child,
}

impl Stage {
    /// An instance whose runner runs that job, and is quick about it.
    pub(crate) async fn with(job: Job) -> Result<Self> {
        Self::at_pace(Job { pace: PACE, ..job }).await
    }

    /// The same, at the job's own pace.
    pub(crate) async fn at_pace(job: Job) -> Result<Self> {
        let folder = tempfile::tempdir().context("failed to make a folder")?;
        let runner = Installed::install(&built("stand-in-runner")?, folder.path().join("runner"))?;
        std::fs::write(runner.root().join(".runner"), "{}")?;
        runner.give(&job)?;
        let place = Place::open()?;
        let listener = start(&runner, &folder, &place)?;
        let stage = Self {
            place,
            runner,
            job,
            folder,
            listener,
        };
        stage.wait_for(&stage.in_workspace("began")).await?;
        Ok(stage)
    }

    /// An instance whose runner runs the usual job.
    pub(crate) async fn amid(step: Step) -> Result<Self> {
        Self::with(usual(step)).await
    }

    /// Starts its agent, or another one; the job is ended so long before the end.
    pub(crate) fn agent(&self, end_job: &str, finish_until: &str) -> Result<Agent> {
        let mut command = self.place.command(&program()?)?;
        command
            .env("REPRISE_AGENT_POLL_INTERVAL", "100ms")
            .env("REPRISE_AGENT_RUNNERS_BELOW", self.runner.root())
            .env("REPRISE_AGENT_HOOKS_FOLDER", self.hooks())
            .env("REPRISE_AGENT_HOOK_TIMEOUT", "1s")
            .env("REPRISE_AGENT_END_JOB", end_job)
            .env("REPRISE_AGENT_FINISH_UNTIL", finish_until)
            .env("REPRISE_AGENT_STOP_RUNNER_AT", "60s");
        Agent::start(command)
    }

    /// Installs a hook.
    pub(crate) fn hook(&self, name: &str, script: &str) -> Result<()> {
        std::fs::create_dir_all(self.hooks())?;
        executable(&self.hooks().join(name), script)
    }

    /// A file that a hook writes.
    pub(crate) fn by_hook(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file that the job writes.
    pub(crate) fn in_workspace(&self, name: &str) -> PathBuf {
        self.runner.workspace(&self.job).join(name)
    }

    /// Waits for a file.
    pub(crate) async fn wait_for(&self, file: &Path) -> Result<()> {
        let what = file.display().to_string();
        wait::until(&what, PATIENCE, async || Ok(file.exists().then_some(()))).await
    }

    /// What came of the job, once its runner has ended.
    pub(crate) async fn report(&mut self, agent: &Agent) -> Result<Report> {
        let ended = tokio::time::timeout(PATIENCE, self.listener.wait()).await;
        ended.with_context(|| {
            format!("the runner never ended; the agent said {:#?}", agent.said())
        })??;
        self.runner.report()?.context("no report")
    }

    /// What the agent has written down.
    pub(crate) fn record(&self) -> Result<serde_json::Value> {
        let text = std::fs::read_to_string(self.place.record_file())?;
        Ok(serde_json::from_str(&text)?)
    }

    fn hooks(&self) -> PathBuf {
        self.folder.path().join("interrupt.d")
    }
}

/// The usual job, with that step in its middle: something to tidy up after it, a step that is only for a job
/// that goes well, and a cache to save.
pub(crate) fn usual(step: Step) -> Job {
    let cache = Step {
        post: Some("echo the cache is saved".to_owned()),
        ..Step::new("cache", "echo restored")
    };
    let tidy = Step::new("tidy", "echo tidied").when(Condition::Always);
    Job {
        steps: vec![cache, step, Step::new("deploy", "echo deployed"), tidy],
        ..Job::default()
    }
}

/// The runner, with the agent's own hook at the end of its jobs.
fn start(runner: &Installed, folder: &TempDir, place: &Place) -> Result<Child> {
    let hook = folder.path().join("job-completed.sh");
    let script = format!(
        "REPRISE_AGENT_RECORD_FILE='{}' exec '{}' job-completed",
        place.record_file().display(),
        program()?.display()
    );
    executable(&hook, &script)?;
    let mut command = Command::new(runner.listener());
    command
        .arg("run")
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("ACTIONS_RUNNER_HOOK_JOB_COMPLETED", hook)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    command.spawn().context("failed to start the runner")
}

fn executable(path: &Path, script: &str) -> Result<()> {
    std::fs::write(path, format!("#!/bin/sh\n{script}\n"))?;
    let mode = std::fs::Permissions::from_mode(0o755);
    Ok(std::fs::set_permissions(path, mode)?)
}
