//! A served world with agents on its hosts, and a folder for controllers.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use reprise_world::clock::ScaledClock;
use reprise_world::github::{self, AppKeys, Mutation};
use reprise_world::invariants::{self, Broken};
use reprise_world::scenario::Scenario;
use reprise_world::server::{self, RunningWorld};
use reprise_world::sqs::Counts;
use reprise_world::world::{Queue, World, WorldSettings};
use serde_json::Value;
use tempfile::TempDir;

use super::agents::Agents;
use super::config::{self, Places, WEBHOOK_SECRET};
use super::controller::{Controller, end_of, lines};
use super::messages::{self, Letter};
use super::program::part;
use super::secrets::{self, AWS_SECRET_KEY};
use crate::wait;

/// Seconds of the story in one of the wall's: a pause of a second on a busy machine must stay short
/// against the two minutes of EC2's notice.
const SPEED: f64 = 40.0;

/// The longest story takes half a minute.
const PATIENCE: Duration = Duration::from_secs(120);

/// GitHub's tokens are compared with the wall's time, and the world's runs ahead of it.
const TOKENS_EXPIRE_AT: &str = "2199-01-01T00:00:00Z";

/// How a stage is set.
pub struct Setting {
    /// Seconds of the story in one of the wall's.
    pub speed: f64,
    /// What is otherwise in the world.
    pub world: fn(&mut WorldSettings),
    /// Where other servers than the world's own stand.
    pub places: Box<dyn FnOnce(&mut Places) + Send>,
    /// Sections after those that every controller has.
    pub config: &'static str,
    /// Values over the file, as `REPRISE__RETRY__LOOK_WINDOW`.
    pub variables: Vec<(&'static str, &'static str)>,
    /// What is on its hosts.
    pub hosts: Hosts,
}

/// What is on the hosts of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hosts {
    /// A metadata service and an agent's process each.
    WithAgents,
    /// Nothing: whoever needs more of them than there can be processes plays their part.
    Bare,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            speed: SPEED,
            world: |_| {},
            places: Box::new(|_| {}),
            config: "",
            variables: Vec::new(),
            hosts: Hosts::WithAgents,
        }
    }
}

/// A world with agents; controllers are the test's to start.
pub struct Stage {
    // Declared first: the agents end before their world.
    _agents: Option<Agents>,
    world: RunningWorld,
    places: Places,
    variables: Vec<(&'static str, &'static str)>,
    controllers: AtomicU32,
    folder: TempDir,
}

impl Stage {
    /// The usual one.
    pub async fn usual() -> Result<Self> {
        Self::set(Setting::default()).await
    }

    /// One of a kind.
    pub async fn set(setting: Setting) -> Result<Self> {
        let folder = tempfile::tempdir().context("failed to make a folder")?;
        let keys = AppKeys::generate()?;
        std::fs::write(folder.path().join("app-key.pem"), &keys.private_pem)?;
        let clock = ScaledClock::starting_now(setting.speed)?;
        let world = new_world(&keys, &clock, setting.world)?;
        let world = match setting.hosts {
            Hosts::WithAgents => server::start(world, clock).await?,
            Hosts::Bare => server::start_without_hosts(world, clock).await?,
        };
        let mut places = Places::of(&world);
        (setting.places)(&mut places);
        places.write(folder.path(), setting.config)?;
        let agents = match setting.hosts {
            Hosts::WithAgents => Some(Agents::follow(&world, &places, folder.path())),
            Hosts::Bare => None,
        };
        Ok(Self {
            _agents: agents,
            world,
            places,
            variables: setting.variables,
            controllers: AtomicU32::new(0),
            folder,
        })
    }

    /// The world.
    pub fn world(&self) -> &RunningWorld {
        &self.world
    }

    /// Where everything is.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// Looks at the world, or changes it, at its present time.
    pub fn with<R>(&self, act: impl FnOnce(&mut World, Timestamp) -> R) -> R {
        self.world.with(act)
    }

    /// Starts a controller; all of a stage share one ledger.
    pub async fn controller(&self) -> Result<Controller> {
        self.spawn_controller()?.started().await
    }

    /// The same without waiting for its start.
    pub fn spawn_controller(&self) -> Result<Controller> {
        let number = self.controllers.fetch_add(1, Ordering::Relaxed);
        let mut command = part("controller", &self.world.clock())?;
        command
            .arg("--config")
            .arg(self.folder.path().join("controller.toml"))
            .args(["--seed", &number.to_string()])
            .env("AWS_ENDPOINT_URL_EC2", &self.places.ec2_url)
            .env("AWS_ENDPOINT_URL_SQS", &self.places.sqs_url)
            .env("AWS_ENDPOINT_URL_DYNAMODB", &self.places.dynamodb_url)
            .env("AWS_REGION", self.places.region.as_str())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ACCESS_KEY_ID", "AKIAFAKETESTFAKETEST")
            .env("AWS_SECRET_ACCESS_KEY", AWS_SECRET_KEY)
            .envs(self.variables.iter().copied());
        Controller::spawn(command, &self.log(number))
    }

    /// What every controller that ever was said of its decisions, in the order of time.
    pub fn decisions(&self) -> Vec<Value> {
        let logs = (0..self.controllers.load(Ordering::Relaxed)).map(|number| self.log(number));
        let lines = logs.flat_map(|log| lines(&log).unwrap_or_default());
        let mut decisions: Vec<Value> = lines.filter(|line| line["decision"].is_string()).collect();
        decisions.sort_by(|one, other| said_at(one).cmp(said_at(other)));
        decisions
    }

    /// How many bytes all controllers have logged.
    pub fn logged_bytes(&self) -> Result<u64> {
        let logs = (0..self.controllers.load(Ordering::Relaxed)).map(|number| self.log(number));
        logs.map(|log| Ok(std::fs::metadata(log)?.len())).sum()
    }

    /// The shared ledger's file, where it is one.
    pub fn ledger_file(&self) -> PathBuf {
        config::ledger_file(self.folder.path())
    }

    /// What its controllers are configured by.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("controller.toml")
    }

    /// Pushes what a scenario says.
    pub fn play(&self, scenario: &Scenario) {
        self.with(|world, now| world.play(now, scenario));
    }

    /// Waits until the world shows something.
    pub async fn sees<T>(
        &self,
        what: &str,
        mut look: impl FnMut(&mut World, Timestamp) -> Option<T>,
    ) -> Result<T> {
        let seen = wait::until(what, PATIENCE, async || Ok(self.with(&mut look))).await;
        seen.with_context(|| self.so_far())
    }

    /// What became of everything so far, and what the controllers said last: for the message of a
    /// test that failed.
    pub fn so_far(&self) -> String {
        let mut text = format!("{:#?}", self.rows());
        for number in 0..self.controllers.load(Ordering::Relaxed) {
            let end = end_of(&self.log(number));
            text.push_str(&format!("\ncontroller {number} said last:\n{end}"));
        }
        text
    }

    fn log(&self, controller: u32) -> PathBuf {
        self.folder
            .path()
            .join(format!("controller-{controller}.log"))
    }

    /// Asserts that no log of controllers and agents tells a secret, and answers how many logs there are.
    pub fn keeps_its_secrets(&self) -> Result<usize> {
        secrets::are_kept(self.folder.path())
    }

    /// Waits until everything has come to rest, and asserts every invariant and expectation.
    pub async fn ends_well(&self, scenario: &Scenario) -> Result<()> {
        let rest = self.comes_to_rest().await;
        let broken = self.with(|world, _| invariants::check(world, scenario));
        let broken: Vec<String> = broken.iter().map(Broken::to_string).collect();
        ensure!(broken.is_empty(), "broken: {broken:#?}\n{}", self.so_far());
        rest
    }

    /// Waits until everything has come to rest.
    pub async fn comes_to_rest(&self) -> Result<()> {
        self.sees("rest", |world, now| {
            invariants::is_quiet(world, now).then_some(())
        })
        .await
    }

    /// What became of every execution: repository, job, attempt, capacity, conclusion.
    pub fn rows(&self) -> Vec<String> {
        let rows = self.with(|world, _| invariants::summary(world));
        let executed = rows.iter().filter(|row| !row.carried_over);
        let text = |row: &invariants::JobRow| {
            let capacity = row.capacity.map(|capacity| capacity.to_string());
            let ended = row
                .conclusion
                .as_ref()
                .map(|ended| ended.as_str().to_owned());
            format!(
                "{} {} {} {} {}",
                row.repository,
                row.job,
                row.attempt,
                capacity.unwrap_or_else(|| "-".to_owned()),
                ended.unwrap_or_else(|| "open".to_owned())
            )
        };
        executed.map(text).collect()
    }

    /// Every call that changes a run, as GitHub saw it.
    pub fn mutations(&self) -> Vec<Mutation> {
        self.with(|world, _| world.github().mutations().to_vec())
    }

    /// How many instances were ever launched.
    pub fn launches(&self) -> usize {
        self.with(|world, _| world.machines().count())
    }

    /// Sends a message to a queue, over HTTP as everybody else does.
    pub async fn send(&self, queue: Queue, letter: &Letter) -> Result<()> {
        let url = match queue {
            Queue::Webhooks => &self.places.webhooks,
            Queue::Ec2Events => &self.places.ec2_events,
        };
        messages::send(
            &self.places.sqs_url,
            self.places.region.as_str(),
            url,
            letter,
        )
        .await
    }

    /// How many messages one of the world's queues holds.
    pub fn messages(&self, queue: Queue) -> Result<Counts> {
        let counts = self.with(|world, now| {
            let name = world.settings().queues.of(queue).to_owned();
            world.sqs_mut(now).counts(now, &name)
        });
        Ok(counts?)
    }

    /// How many messages a dead-letter queue of the world holds.
    pub fn dead_letters(&self, queue: Queue) -> Result<usize> {
        let counts = self.with(|world, now| {
            let name = world.settings().queues.dead_letters_of(queue).to_owned();
            world.sqs_mut(now).counts(now, &name)
        });
        Ok(counts?.visible)
    }
}

fn said_at(line: &Value) -> &str {
    line["timestamp"].as_str().unwrap_or_default()
}

fn new_world(keys: &AppKeys, clock: &ScaledClock, change: fn(&mut WorldSettings)) -> Result<World> {
    let mut github = github::Settings::new(&keys.public_pem, WEBHOOK_SECRET);
    github.tokens_expire_at = Some(TOKENS_EXPIRE_AT.parse()?);
    let mut settings = WorldSettings::new(1, clock.origin().0, github);
    change(&mut settings);
    Ok(World::new(settings)?)
}

/// However a story went, its logs told no secret.
impl Drop for Stage {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let kept = self.keeps_its_secrets();
            assert!(kept.is_ok(), "{kept:?}");
        }
    }
}
