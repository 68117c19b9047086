//! Runners that were made by a just-in-time configuration: from its order to the end of its only job.
//!
//! A configuration starts one runner, once. A runner is there from its order on (offline, until a
//! machine starts with its configuration), takes one job whose every label it has and that its scope
//! serves, and is removed with the end of that job; one that never connects is removed after a day.
//! Runners that a machine brings along without a configuration are not here.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::{JobId, Repository, RunnerName};
use serde_json::{Value, json};

use super::GitHub;

/// GitHub removes an ephemeral runner that has not connected for so long.
const UNCONNECTED_FOR: SignedDuration = SignedDuration::from_hours(24);

/// The group that every organisation has, and the only one of a repository.
pub(super) const DEFAULT_GROUP: u64 = 1;

/// The longest name.
const LONGEST_NAME: usize = 64;

/// The most labels of a runner.
const MOST_LABELS: usize = 100;

/// The longest label.
const LONGEST_LABEL: usize = 256;

/// The numbers of the runner's key of 2,048 bits and their bytes, which take a configuration past 4 KB.
const KEY: [(&str, usize); 8] = [
    ("d", 256),
    ("dp", 128),
    ("dq", 128),
    ("exponent", 3),
    ("inverseQ", 128),
    ("modulus", 256),
    ("p", 128),
    ("q", 128),
];

/// Where a runner is registered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RunnerPlace {
    /// In an organisation, by its name.
    Organization(String),
    /// At a repository.
    Repository(Repository),
}

/// A registered runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// GitHub's number for it.
    pub id: u64,
    /// Its name.
    pub name: RunnerName,
    /// Its labels.
    pub labels: Vec<String>,
    /// Where it is registered.
    pub place: RunnerPlace,
    /// Its group.
    pub group: u64,
    /// What it starts with.
    pub encoded: String,
    /// What became of it.
    pub state: RunnerState,
    /// When it was made or last heard of.
    pub(super) heard_at: Timestamp,
}

/// What became of a registered runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunnerState {
    /// No machine has started with its configuration.
    Waiting,
    /// It waits for a job.
    Idle,
    /// It took this job.
    Took(JobId),
    /// Its machine went before it took a job.
    Lost,
}

/// A runner that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) name: String,
    pub(super) group: u64,
    pub(super) labels: Vec<String>,
    pub(super) work_folder: String,
}

/// Why there is no runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OrderRefusal {
    /// The place has a runner of that name.
    NameTaken,
    /// The place has no such group.
    NoSuchGroup,
    /// Its name or its labels are not what GitHub takes.
    Invalid(&'static str),
}

/// Why a machine cannot start a runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// No runner has this configuration (any more).
    #[error("the runner registration has been deleted from the server; ask for a new one")]
    Unknown,
    /// A machine started with it already.
    #[error("the configuration was used already; it works once")]
    Used,
}

impl GitHub {
    /// Registered runners, in the order of their making.
    pub fn registrations(&self) -> impl Iterator<Item = &Registration> {
        self.registrations.values()
    }

    /// A machine starts its runner with a configuration; the runner then asks for a job.
    pub fn start_runner(
        &mut self,
        now: Timestamp,
        encoded: &str,
    ) -> Result<&Registration, StartError> {
        self.prune_runners(now);
        let mut runners = self.registrations.values_mut();
        let runner = runners
            .find(|runner| runner.encoded == encoded)
            .ok_or(StartError::Unknown)?;
        match runner.state {
            RunnerState::Waiting => {
                runner.state = RunnerState::Idle;
                runner.heard_at = now;
                Ok(runner)
            }
            RunnerState::Idle | RunnerState::Took(_) | RunnerState::Lost => Err(StartError::Used),
        }
    }

    /// The machine of a runner is gone; one without a job is offline from then on.
    pub fn runner_gone(&mut self, now: Timestamp, name: &RunnerName) {
        let mut runners = self.registrations.values_mut();
        let idle =
            |runner: &&mut Registration| runner.name == *name && runner.state == RunnerState::Idle;
        if let Some(runner) = runners.find(idle) {
            runner.state = RunnerState::Lost;
            runner.heard_at = now;
        }
    }

    pub(super) fn order_runner(
        &mut self,
        now: Timestamp,
        place: &RunnerPlace,
        order: Order,
    ) -> Result<&Registration, OrderRefusal> {
        self.prune_runners(now);
        order.check()?;
        if self.groups_of(place).all(|(group, _)| group != order.group) {
            return Err(OrderRefusal::NoSuchGroup);
        }
        let mut there = self
            .registrations
            .values()
            .filter(|one| one.place == *place);
        if there.any(|one| one.name.as_str().eq_ignore_ascii_case(&order.name)) {
            return Err(OrderRefusal::NameTaken);
        }
        let id = self.next_runner;
        self.next_runner += 1;
        let encoded = self.encoded(id, &order);
        Ok(self.registrations.entry(id).or_insert(Registration {
            id,
            name: RunnerName::new(order.name),
            labels: order.labels,
            place: place.clone(),
            group: order.group,
            encoded,
            state: RunnerState::Waiting,
            heard_at: now,
        }))
    }

    /// The groups of a place: number and name.
    pub(super) fn groups_of(&self, place: &RunnerPlace) -> impl Iterator<Item = (u64, &str)> {
        let named = match place {
            RunnerPlace::Organization(_) => self.settings.runner_groups.as_slice(),
            RunnerPlace::Repository(_) => &[],
        };
        let named = named.iter().map(String::as_str);
        (DEFAULT_GROUP..).zip(std::iter::once("Default").chain(named))
    }

    /// Whether the place is one that the App is installed at.
    pub(super) fn has_place(&self, place: &RunnerPlace) -> bool {
        match place {
            RunnerPlace::Organization(organization) => {
                let mut known = self.repositories.keys();
                !self.settings.is_person(organization)
                    && known.any(|known| known.owner().eq_ignore_ascii_case(organization))
            }
            RunnerPlace::Repository(repository) => self.repositories.contains_key(repository),
        }
    }

    /// The runner of a job goes with it.
    pub(super) fn runner_of_job_ended(&mut self, job: JobId) {
        self.registrations
            .retain(|_, runner| runner.state != RunnerState::Took(job));
    }

    /// Removes runners that have not connected for a day.
    pub(super) fn prune_runners(&mut self, now: Timestamp) {
        self.registrations.retain(|_, runner| match runner.state {
            RunnerState::Waiting | RunnerState::Lost => now < runner.heard_at + UNCONNECTED_FOR,
            RunnerState::Idle | RunnerState::Took(_) => true,
        });
    }

    /// The registered runner of this name that waits for a job.
    pub(super) fn idle_registration(&self, name: &RunnerName) -> Option<&Registration> {
        let mut runners = self.registrations.values();
        runners.find(|one| one.name == *name && one.state == RunnerState::Idle)
    }

    /// Whether it still has a runner of this name.
    pub fn has_runner(&self, name: &RunnerName) -> bool {
        self.registrations.values().any(|one| one.name == *name)
    }

    fn encoded(&mut self, id: u64, order: &Order) -> String {
        let (account, place, client) = (self.guid(), self.guid(), self.guid());
        let url = &self.settings.api_url;
        let runner = json!({
            "AgentId": id,
            "AgentName": order.name,
            "Ephemeral": "True",
            "PoolId": 1,
            "PoolName": "Default",
            "ServerUrl": format!("{url}/pipelines/{account}/{place}/{account}"),
            "ServerUrlV2": format!("{url}/broker/{account}"),
            "GitHubUrl": url,
            "UseV2Flow": true,
            "SkipSessionRecover": false,
            "IsHostedServer": true,
            "DisableUpdate": false,
            "MonitorSocketAddress": "",
            "WorkFolder": order.work_folder,
        });
        let credentials = json!({
            "Scheme": "OAuth",
            "Data": {
                "AuthorizationUrl": format!("{url}/tokens/{account}/_apis/oauth2/token/{place}"),
                "ClientId": client,
                "RequireFipsCryptography": "True",
            },
        });
        let parameters = Value::from_iter(KEY.map(|(name, bytes)| {
            let number: Vec<u8> = (0..bytes).map(|_| self.rng.u8(..)).collect();
            (name, STANDARD.encode(number))
        }));
        let files = json!({
            ".runner": STANDARD.encode(runner.to_string()),
            ".credentials": STANDARD.encode(credentials.to_string()),
            ".credentials_rsaparams": STANDARD.encode(parameters.to_string()),
        });
        STANDARD.encode(files.to_string())
    }
}

impl Order {
    fn check(&self) -> Result<(), OrderRefusal> {
        let name = 1..=LONGEST_NAME;
        let labels = 1..=MOST_LABELS;
        if !name.contains(&self.name.chars().count()) {
            return Err(OrderRefusal::Invalid("name must have 1 to 64 characters"));
        }
        if !labels.contains(&self.labels.len()) {
            return Err(OrderRefusal::Invalid("labels must be 1 to 100"));
        }
        let sound = |label: &String| (1..=LONGEST_LABEL).contains(&label.chars().count());
        if !self.labels.iter().all(sound) {
            return Err(OrderRefusal::Invalid(
                "a label must have 1 to 256 characters",
            ));
        }
        Ok(())
    }
}

impl Registration {
    /// Whether a job runs on it.
    pub fn is_busy(&self) -> bool {
        match self.state {
            RunnerState::Took(_) => true,
            RunnerState::Waiting | RunnerState::Idle | RunnerState::Lost => false,
        }
    }

    /// Whether it may take jobs of a repository.
    pub(super) fn serves(&self, repository: &Repository) -> bool {
        match &self.place {
            RunnerPlace::Organization(organization) => {
                repository.owner().eq_ignore_ascii_case(organization)
            }
            RunnerPlace::Repository(only) => only == repository,
        }
    }
}
