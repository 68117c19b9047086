//! What a demo is made of: its folder, its world, its made-up secrets and its configuration.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jiff::Timestamp;
use reprise_world::clock::ScaledClock;
use reprise_world::github::{self, AppKeys};
use reprise_world::machine::RunnerStart;
use reprise_world::server::RunningWorld;
use reprise_world::world::{Queue, World, WorldSettings};
use tempfile::TempDir;

/// Nobody else knows this world, so its webhook secret need not be one.
const WEBHOOK_SECRET: &str = "fake-webhook-secret-of-the-demo";

/// GitHub's tokens are compared with the wall's time, and the world's runs ahead of it.
const TOKENS_EXPIRE_AT: &str = "2199-01-01T00:00:00Z";

pub(super) struct Setting {
    folder: TempDir,
    keys: AppKeys,
    start: Timestamp,
    clock: ScaledClock,
    seed: u64,
    keep: bool,
}

impl Setting {
    pub(super) fn new(seed: u64, clock: &ScaledClock, keep: bool) -> Result<Self> {
        let mut folder = tempfile::Builder::new()
            .prefix("reprise-demo-")
            .tempdir()
            .context("failed to make a folder for the demo; see the variable TMPDIR")?;
        folder.disable_cleanup(keep);
        Ok(Self {
            folder,
            keys: AppKeys::generate()?,
            start: clock.origin().0,
            clock: *clock,
            seed,
            keep,
        })
    }

    pub(super) fn clock(&self) -> &ScaledClock {
        &self.clock
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder, where it stays after the demo.
    pub(super) fn kept(&self) -> Option<&Path> {
        self.keep.then(|| self.folder.path())
    }

    pub(super) fn world(&self) -> Result<World> {
        let mut github = github::Settings::new(&self.keys.public_pem, WEBHOOK_SECRET);
        github.tokens_expire_at = Some(
            TOKENS_EXPIRE_AT
                .parse()
                .context("failed to read a constant time")?,
        );
        let mut settings = WorldSettings::new(self.seed, self.start, github);
        settings.machines.runner = RunnerStart::JustInTime;
        Ok(World::new(settings)?)
    }

    /// Writes what an operator would write, and answers where it is.
    pub(super) fn write_config(&self, world: &RunningWorld) -> Result<PathBuf> {
        let path = |name: &str| self.folder.path().join(name);
        let key = path("app-key.pem");
        std::fs::write(&key, &self.keys.private_pem)
            .with_context(|| format!("failed to write {}", key.display()))?;
        let config = path("controller.toml");
        std::fs::write(&config, self.config(world, &key))
            .with_context(|| format!("failed to write {}", config.display()))?;
        Ok(config)
    }

    fn config(&self, world: &RunningWorld, key: &Path) -> String {
        let (app, account, region, stack, template, table, role) = world.with(|world, _| {
            let settings = world.settings();
            (
                settings.github.app_id,
                settings.account.clone(),
                settings.region.clone(),
                settings.stack.clone(),
                settings.launch_template.clone(),
                settings.runner_table.clone(),
                settings.runner_role.clone(),
            )
        });
        format!(
            r#"[github]
base_url = "{github}"
app_id = {app}
private_key_file = "{key}"
webhook_secrets = ["{WEBHOOK_SECRET}"]

[[aws.regions]]
region = "{region}"
account = "{account}"

[queues]
webhooks = "{webhooks}"
ec2_events = "{ec2_events}"

[store]
path = "{store}"

[http]
listen = "127.0.0.1:0"

[fleet]
stack = "{stack}"
launch_template = "{template}"
subnets = ["subnet-{region}a", "subnet-{region}b", "subnet-{region}c"]
types = [
  {{ name = "c7a.large", cpu = 2, ram = 4 }},
  {{ name = "m7a.large", cpu = 2, ram = 8 }},
]

[checks]
merge_queue = ["acme/*"]

[retry]
allow = ["when-failed", "when-transient"]

[runner]
table = "{table}"
role_id = "{role}"
"#,
            github = world.github_url(),
            key = key.display(),
            webhooks = world.queue_url(Queue::Webhooks),
            ec2_events = world.queue_url(Queue::Ec2Events),
            store = self.folder.path().join("ledger.db").display(),
        )
    }
}
