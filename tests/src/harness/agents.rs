//! An agent process on every instance that is up, and gone with it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use reprise_model::ids::InstanceId;
use reprise_world::clock::ScaledClock;
use reprise_world::machine::RunnerStart;
use reprise_world::server::{HostEvent, RunningWorld, runner_address};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::config::Places;
use super::program::{part, reprise, spawn_into};

/// Starts and ends agents for as long as it lives.
#[derive(Debug)]
pub struct Agents {
    task: JoinHandle<()>,
}

impl Agents {
    /// Follows the world's hosts. `places` say where agents set their tag and find their runners.
    pub fn follow(world: &RunningWorld, places: &Places, folder: &Path) -> Self {
        let mut hosts = world.hosts();
        let mut office = Office {
            clock: world.clock(),
            ec2_url: places.ec2_url.clone(),
            region: world.with(|world, _| world.settings().region.to_string()),
            runners: Runners::of(world, places),
            folder: folder.to_owned(),
            agents: BTreeMap::new(),
        };
        let task = tokio::spawn(async move {
            while let Some(event) = hosts.recv().await {
                office.hear(event);
            }
        });
        Self { task }
    }
}

impl Drop for Agents {
    fn drop(&mut self) {
        // With the task go the children, which are killed when they are dropped.
        self.task.abort();
    }
}

/// Where agents find the configuration of a runner to start.
struct Runners {
    dynamodb_url: String,
    table: String,
    role: String,
    github_url: String,
}

struct Office {
    clock: ScaledClock,
    ec2_url: String,
    region: String,
    runners: Option<Runners>,
    folder: PathBuf,
    agents: BTreeMap<InstanceId, Child>,
}

impl Office {
    fn hear(&mut self, event: HostEvent) {
        match event {
            HostEvent::Up {
                instance,
                metadata_url,
            } => match self.start(&instance, &metadata_url) {
                Ok(agent) => {
                    self.agents.insert(instance, agent);
                }
                // The test will miss its tag, and finds this beside the failure.
                Err(error) => eprintln!("no agent on {instance}: {error:#}"),
            },
            // The machine is gone, and its agent with it, without a word.
            HostEvent::Down { instance } => {
                self.agents.remove(&instance);
            }
        }
    }

    fn start(&self, instance: &InstanceId, metadata_url: &str) -> Result<Child> {
        let mut command = part("agent", &self.clock)?;
        command
            .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata_url)
            .env("AWS_ENDPOINT_URL", &self.ec2_url)
            .env("AWS_REGION", &self.region)
            // At its loudest, as no line may tell a secret.
            .env("REPRISE_AGENT_LOG_LEVEL", "trace");
        if let Some(runners) = &self.runners {
            runners.tell(&mut command, instance, &self.folder)?;
        }
        spawn_into(command, &self.folder.join(format!("agent-{instance}.log")))
    }
}

impl Runners {
    /// `None` where machines bring their runners along.
    fn of(world: &RunningWorld, places: &Places) -> Option<Self> {
        let settings = world.with(|world, _| world.settings().clone());
        match settings.machines.runner {
            RunnerStart::BroughtAlong => None,
            RunnerStart::JustInTime => Some(Self {
                dynamodb_url: places.dynamodb_url.clone(),
                table: settings.runner_table,
                role: settings.runner_role.to_string(),
                github_url: world.github_url().to_owned(),
            }),
        }
    }

    fn tell(&self, command: &mut Command, instance: &InstanceId, folder: &Path) -> Result<()> {
        let program = reprise()?;
        let address = runner_address(&self.github_url, instance);
        let starter = format!("{} runner --address {address}", program.display());
        let config = folder.join(format!("runner-{instance}.config"));
        command
            .env("AWS_ENDPOINT_URL_DYNAMODB", &self.dynamodb_url)
            .env("REPRISE_AGENT_RUNNER_TABLE", &self.table)
            .env("REPRISE_AGENT_RUNNER_ROLE_ID", &self.role)
            .env("REPRISE_AGENT_RUNNER_COMMAND", starter)
            .env("REPRISE_AGENT_RUNNER_CONFIG_FILE", config);
        Ok(())
    }
}
