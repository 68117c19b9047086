//! An agent process on every instance that is up, and gone with it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use reprise_model::ids::InstanceId;
use reprise_world::clock::ScaledClock;
use reprise_world::server::{HostEvent, RunningWorld};
use tokio::process::Child;
use tokio::task::JoinHandle;

use super::program::{part, spawn_into};

/// Starts and ends agents for as long as it lives.
#[derive(Debug)]
pub struct Agents {
    task: JoinHandle<()>,
}

impl Agents {
    /// Follows the world's hosts. `ec2_url` is where agents set their tag.
    pub fn follow(world: &RunningWorld, ec2_url: &str, folder: &Path) -> Self {
        let mut hosts = world.hosts();
        let mut office = Office {
            clock: world.clock(),
            ec2_url: ec2_url.to_owned(),
            region: world.with(|world, _| world.settings().region.to_string()),
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

struct Office {
    clock: ScaledClock,
    ec2_url: String,
    region: String,
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
            .env("AWS_REGION", &self.region);
        spawn_into(command, &self.folder.join(format!("agent-{instance}.log")))
    }
}
