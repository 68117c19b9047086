//! An instance under notice: its agent, its hooks, and a stand-in for its runner, which runs a job.

use std::fs::File;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use reprise_world::stand_in::{Condition, Installed, Job, Report, Step};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::alone::{Agent, Place, program};
use super::program::built;
use crate::agent_host::deploy;
use crate::wait;

/// Longer than anything here takes, so that a failure is not a hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// By how much shorter the stand-in's waits are.
pub const PACE: u32 = 50;

/// A step that says that it runs, and goes on for long.
pub const LONG: &str = "touch began; sleep 3600; touch passed";

/// What the runner's program says goes there.
const SAID: &str = "runner.out";

/// The instance. A runner that has not ended is told to with this.
pub struct JobStage {
    /// Its metadata service, EC2 and disk.
    pub place: Place,
    /// Its runner.
    pub runner: Installed,
    job: Job,
    listener: Child,
}

impl JobStage {
    /// An instance whose runner runs that job, and is quick about it.
    pub async fn with(job: Job) -> Result<Self> {
        Self::at_pace(Job { pace: PACE, ..job }).await
    }

    /// The same, at the job's own pace.
    pub async fn at_pace(job: Job) -> Result<Self> {
        Self::on(Place::open()?, job).await
    }

    /// The same on that instance.
    pub async fn on(place: Place, job: Job) -> Result<Self> {
        Self::run_by(None, place, job).await
    }

    /// The same with a runner that is that user's, on a machine where the agent is root's.
    pub async fn of_user(user: u32, job: Job) -> Result<Self> {
        Self::run_by(Some(user), Place::open()?, Job { pace: PACE, ..job }).await
    }

    async fn run_by(user: Option<u32>, place: Place, job: Job) -> Result<Self> {
        let runner = Installed::install(&built("stand-in-runner")?, place.file("runner"))?;
        std::fs::write(runner.root().join(".runner"), "{}")?;
        runner.give(&job)?;
        let mut command = runner_command(&runner, &place)?;
        if let Some(user) = user {
            make_owner(user, &runner, &place)?;
            command.uid(user).gid(user);
        }
        let listener = command.spawn().context("failed to start the runner")?;
        let stage = Self {
            place,
            runner,
            job,
            listener,
        };
        stage.wait_for(&stage.in_workspace("began")).await?;
        Ok(stage)
    }

    /// An instance whose runner runs the usual job.
    pub async fn amid(step: Step) -> Result<Self> {
        Self::with(usual(step)).await
    }

    /// The agent's program, not started yet, which ends this job so.
    pub fn command(&self, program: &Path, end_job: &str) -> Result<Command> {
        let mut command = self.place.command(program)?;
        command
            .env("REPRISE_AGENT_RUNNERS_BELOW", self.runner.root())
            .env("REPRISE_AGENT_END_JOB", end_job);
        Ok(command)
    }

    /// Starts its agent, or another one; the job is ended so long before the end.
    pub fn agent(&self, end_job: &str, finish_until: &str) -> Result<Agent> {
        Self::hurried(self.command(&program()?, end_job)?, finish_until)
    }

    /// The same with the capabilities alone that the agent's unit leaves it.
    pub fn agent_as_in_its_unit(&self, end_job: &str, finish_until: &str) -> Result<Agent> {
        let mut command = self.command(Path::new("/usr/bin/setpriv"), end_job)?;
        command
            .arg(format!("--bounding-set=-all{}", unit_capabilities()?))
            .args(["--inh-caps=-all", "--no-new-privs"])
            .arg(program()?);
        Self::hurried(command, finish_until)
    }

    fn hurried(mut command: Command, finish_until: &str) -> Result<Agent> {
        command
            .env("REPRISE_AGENT_POLL_INTERVAL", "100ms")
            .env("REPRISE_AGENT_HOOK_TIMEOUT", "1s")
            .env("REPRISE_AGENT_FINISH_UNTIL", finish_until)
            .env("REPRISE_AGENT_STOP_RUNNER_AT", "60s");
        Agent::start(command)
    }

    /// A file that the job writes.
    pub fn in_workspace(&self, name: &str) -> PathBuf {
        self.runner.workspace(&self.job).join(name)
    }

    /// Waits for a file.
    pub async fn wait_for(&self, file: &Path) -> Result<()> {
        let waited = tokio::time::timeout(PATIENCE, wait::for_file(file)).await;
        waited.with_context(|| format!("{} never came", file.display()))
    }

    /// What came of the job, once its runner has ended.
    pub async fn report(&mut self, agent: &Agent) -> Result<Report> {
        let ended = self.ended_by(Instant::now() + PATIENCE).await?;
        ended.with_context(|| {
            format!("the runner never ended; the agent said {:#?}", agent.said())
        })?;
        self.runner.report()?.context("no report")
    }

    /// When the runner has ended, if it does by then.
    pub async fn ended_by(&mut self, deadline: Instant) -> Result<Option<Instant>> {
        match tokio::time::timeout_at(deadline, self.listener.wait()).await {
            Ok(ended) => ended.map(|_| Some(Instant::now())).map_err(Into::into),
            Err(_) => Ok(None),
        }
    }

    /// What the runner's program has said.
    pub fn runner_said(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.place.file(SAID))?)
    }

    /// What the agent has written down.
    pub fn record(&self) -> Result<serde_json::Value> {
        let text = std::fs::read_to_string(self.place.record_file())?;
        Ok(serde_json::from_str(&text)?)
    }
}

impl Drop for JobStage {
    /// By a word that it heeds: killed, it would leave its job's processes behind.
    fn drop(&mut self) {
        if let Some(id) = self.listener.id() {
            let mut kill = std::process::Command::new("kill");
            // One that has just ended needs nothing.
            let _ = kill.args(["-INT", &id.to_string()]).status();
        }
    }
}

/// As `setpriv` writes them: `,+kill,+chown`.
fn unit_capabilities() -> Result<String> {
    let unit = std::fs::read_to_string(deploy()?.join("agent/reprise-agent.service"))?;
    let line = unit
        .lines()
        .find_map(|line| line.strip_prefix("CapabilityBoundingSet="));
    let names = line
        .context("the unit bounds no capabilities")?
        .split_whitespace();
    let names = names.filter_map(|name| name.strip_prefix("CAP_"));
    Ok(names
        .map(|name| format!(",+{}", name.to_lowercase()))
        .collect())
}

/// The usual job, with that step in its middle: something to tidy up after it, a step that is only for a job
/// that goes well, and a cache to save.
pub fn usual(step: Step) -> Job {
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

/// The steps of the usual job that run whatever happens: its own, what its cache does after it, and the runner's
/// hook at its end.
pub const ALWAYS: [&str; 3] = ["tidy", "Post cache", "Complete runner"];

/// The runner, with the agent's own hook at the end of its jobs.
fn runner_command(runner: &Installed, place: &Place) -> Result<Command> {
    let hook = place.file("job-completed.sh");
    let script = format!(
        "#!/bin/sh\nREPRISE_AGENT_RECORD_FILE='{}' exec '{}' job-completed\n",
        place.record_file().display(),
        program()?.display()
    );
    std::fs::write(&hook, script)?;
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755))?;
    let said = File::create(place.file(SAID)).context("failed to make a log")?;
    let mut command = Command::new(runner.listener());
    command
        .arg("run")
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("ACTIONS_RUNNER_HOOK_JOB_COMPLETED", hook)
        .stdin(Stdio::null())
        .stdout(said);
    Ok(command)
}

/// Gives the runner what it writes to. Its programs are links to what was built, and stay as they are.
fn make_owner(user: u32, runner: &Installed, place: &Place) -> Result<()> {
    std::fs::set_permissions(place.file("."), std::fs::Permissions::from_mode(0o711))?;
    for folder in [runner.root().join("_work"), runner.diagnostics()] {
        std::fs::create_dir_all(&folder)?;
        chown(&folder, Some(user), Some(user))?;
    }
    Ok(chown(runner.root(), Some(user), Some(user))?)
}
