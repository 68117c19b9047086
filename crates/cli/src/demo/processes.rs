//! The controller and the agents as processes, and what they print.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use reprise_model::ids::InstanceId;
use reprise_world::server::RunningWorld;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::setting::Setting;
use crate::clock::arguments_of;

/// How long the controller may take to end: its own drain takes 20 s at most.
const ENDS_WITHIN: Duration = Duration::from_secs(25);

/// What was heard from a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    /// A line of the controller's log.
    Controller(String),
    /// A line of an agent's log.
    Agent(InstanceId, String),
    /// The controller says nothing any more: it has ended.
    ControllerSilent,
}

pub(super) struct Processes {
    folder: std::path::PathBuf,
    seed: u64,
    clock: [String; 4],
    aws_url: String,
    region: String,
    runners: Runners,
    controller: Option<Child>,
    agents: BTreeMap<InstanceId, Child>,
    tongue: UnboundedSender<Heard>,
    ear: UnboundedReceiver<Heard>,
}

/// What agents are told of the runner table.
struct Runners {
    table: String,
    role: String,
}

impl Runners {
    fn of(world: &RunningWorld) -> Self {
        world.with(|world, _| Self {
            table: world.settings().runner_table.clone(),
            role: world.settings().runner_role.to_string(),
        })
    }
}

impl Processes {
    pub(super) fn new(setting: &Setting, world: &RunningWorld) -> Self {
        let (tongue, ear) = unbounded_channel();
        Self {
            folder: setting.folder().to_owned(),
            seed: setting.seed(),
            clock: arguments_of(setting.clock()),
            aws_url: world.aws_url().to_owned(),
            region: world.with(|world, _| world.settings().region.to_string()),
            runners: Runners::of(world),
            controller: None,
            agents: BTreeMap::new(),
            tongue,
            ear,
        }
    }

    pub(super) fn start_controller(&mut self, config: &Path) -> Result<()> {
        let mut command = self.this_program("controller")?;
        command
            .arg("--config")
            .arg(config)
            .args(["--seed", &self.seed.to_string()]);
        command.envs([
            ("AWS_ACCESS_KEY_ID", "AKIAFAKEDEMOFAKEDEMO"),
            ("AWS_SECRET_ACCESS_KEY", "fake-secret-key-of-the-demo"),
        ]);
        let path = self.folder.join("controller.err");
        let errors = std::fs::File::create(&path)
            .with_context(|| format!("failed to make {}", path.display()))?;
        command.stdout(Stdio::piped()).stderr(errors);
        let mut child = spawn(command)?;
        let (tongue, log) = (self.tongue.clone(), self.folder.join("controller.log"));
        if let Some(output) = child.stdout.take() {
            tokio::spawn(async move {
                listen(output, &log, |line| {
                    tongue.send(Heard::Controller(line)).is_ok()
                })
                .await;
                tongue.send(Heard::ControllerSilent).ok();
            });
        }
        self.controller = Some(child);
        Ok(())
    }

    /// Waits until the controller says that it has started.
    pub(super) async fn controller_ready(&mut self) -> Result<()> {
        while let Some(heard) = self.ear.recv().await {
            match heard {
                Heard::Controller(line) if line.contains("\"http.address\"") => return Ok(()),
                Heard::Controller(_) | Heard::Agent(..) => {}
                Heard::ControllerSilent => break,
            }
        }
        bail!(self.last_words());
    }

    pub(super) fn start_agent(
        &mut self,
        instance: InstanceId,
        metadata_url: &str,
        runner_address: &str,
    ) -> Result<()> {
        let mut command = self.this_program("agent")?;
        let config = self.folder.join(format!("runner-{instance}.config"));
        let starter = format!(
            "{} runner --address {runner_address}",
            own_file()?.display()
        );
        command
            .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata_url)
            .env("REPRISE_AGENT_LOG_FORMAT", "json")
            .env("REPRISE_AGENT_RUNNER_TABLE", &self.runners.table)
            .env("REPRISE_AGENT_RUNNER_ROLE_ID", &self.runners.role)
            .env("REPRISE_AGENT_RUNNER_COMMAND", starter)
            .env("REPRISE_AGENT_RUNNER_CONFIG_FILE", config)
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = spawn(command)?;
        let (tongue, log) = (
            self.tongue.clone(),
            self.folder.join(format!("agent-{instance}.log")),
        );
        let name = instance.clone();
        if let Some(output) = child.stderr.take() {
            tokio::spawn(async move {
                listen(output, &log, |line| {
                    tongue.send(Heard::Agent(name.clone(), line)).is_ok()
                })
                .await;
            });
        }
        self.agents.insert(instance, child);
        Ok(())
    }

    /// The instance is gone, and its agent with it, without a word.
    pub(super) fn end_agent(&mut self, instance: &InstanceId) {
        // Dropping the child kills it.
        self.agents.remove(instance);
    }

    /// What was heard next; never `None` while this lives, since it could speak itself.
    pub(super) async fn next(&mut self) -> Option<Heard> {
        self.ear.recv().await
    }

    /// Asks the controller to end, as ECS would, and waits for it.
    pub(super) async fn stop_controller(&mut self) -> Result<()> {
        self.agents.clear();
        let Some(mut child) = self.controller.take() else {
            return Ok(());
        };
        if let Some(id) = child.id() {
            terminate(id).await?;
        }
        let status = tokio::time::timeout(ENDS_WITHIN, child.wait())
            .await
            .context("the controller did not drain in time")??;
        if !status.success() {
            bail!("the controller ended with {status}: {}", self.last_words());
        }
        Ok(())
    }

    /// Why the controller is not there any more.
    pub(super) fn last_words(&self) -> String {
        let said = std::fs::read_to_string(self.folder.join("controller.err")).unwrap_or_default();
        format!("the controller has ended: {}", said.trim())
    }

    /// This same program as another part, with nothing of the caller's environment.
    fn this_program(&self, part: &str) -> Result<Command> {
        let mut command = Command::new(own_file()?);
        command
            .arg(part)
            .args(&self.clock)
            .arg("--end-with-stdin")
            .env_clear()
            .env("AWS_ENDPOINT_URL", &self.aws_url)
            .env("AWS_REGION", &self.region)
            .kill_on_drop(true)
            // Held open for as long as this process lives; its end is the part's end too.
            .stdin(Stdio::piped());
        Ok(command)
    }
}

fn own_file() -> Result<std::path::PathBuf> {
    std::env::current_exe().context("failed to find this program's own file")
}

fn spawn(mut command: Command) -> Result<Child> {
    command
        .spawn()
        .context("failed to start this program once more")
}

/// SIGTERM, as ECS and systemd send it.
async fn terminate(process: u32) -> Result<()> {
    let status = Command::new("kill")
        .args(["-TERM", &process.to_string()])
        .status()
        .await
        .context("failed to start kill")?;
    if !status.success() {
        bail!("failed to ask the controller to end");
    }
    Ok(())
}

/// Keeps every line in a file and passes it on, until there are no more or nobody listens.
async fn listen(
    output: impl AsyncRead + Unpin,
    log: &Path,
    mut pass_on: impl FnMut(String) -> bool,
) {
    let mut file = tokio::fs::File::create(log).await.ok();
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(file) = &mut file {
            // A log that cannot be kept must not end the story.
            file.write_all(format!("{line}\n").as_bytes()).await.ok();
        }
        if !pass_on(line) {
            break;
        }
    }
}
