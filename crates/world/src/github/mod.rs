//! The simulated GitHub Actions: runs, attempts, jobs, webhooks out, REST in.
//!
//! One state machine. Time is the `now` of each call, randomness is seeded, and nothing here
//! listens or sends: [`GitHub::take_deliveries`] hands out signed webhooks, [`GitHub::handle`]
//! answers one REST request, and the other methods are what pushes, people and runners do.
//! It behaves as measured on GitHub: a re-run clones the whole run with new job ids, is refused
//! while the run is active or by an id of an earlier attempt, and repeats the `completed` events
//! of what did not execute again.
//!
//! Any runner with matching labels may take a job, one that was registered by a just-in-time
//! configuration as much as one that a machine brings along.
//!
//! It does not run steps or parse workflow files; a log is written from what became of the job's steps.

mod audit;
mod cancel;
mod checks;
mod gone;
mod hook;
mod index;
mod json;
mod keys;
mod lifecycle;
mod logs;
mod registrations;
mod repository_json;
mod rerun;
mod rest;
mod runner_json;
mod runners;
mod settings;
mod spec;
mod state;
#[cfg(test)]
mod tests;
mod webhooks;

use std::collections::{BTreeMap, BTreeSet};

use hmac::{Hmac, KeyInit};
use jiff::Timestamp;
use jsonwebtoken::DecodingKey;
use reprise_model::ids::{
    CheckRunId, JobId, Repository, RunAttempt, RunId, RunnerName, WorkflowId,
};
use sha2::Sha256;

pub use audit::{Happening, HappeningKind, Mutation, MutationKind};
pub use checks::CheckRun;
pub use hook::{NotAgain, Undelivered};
pub use keys::{AppKeys, KeyError};
pub use registrations::{Registration, RunnerPlace, RunnerState, StartError};
pub use rerun::{Refusal, Rerun};
pub use rest::{ChangePosted, RerunPosted, RunnerOrdered, RunnerRemoved};
pub use runners::JobError;
pub use settings::{Faults, Settings, SettingsError};
pub use spec::{Concurrency, Condition, FailedStep, JobSpec, Matrix, RunSpec};
pub use state::{Annotation, Attempt, Cancel, Job, Run, Runner, Step};
pub use webhooks::Delivery;

/// The simulated GitHub.
pub struct GitHub {
    settings: Settings,
    app_key: DecodingKey,
    webhook_key: Hmac<Sha256>,
    rng: fastrand::Rng,
    faults: Faults,
    repositories: BTreeMap<Repository, u64>,
    gone: BTreeSet<Repository>,
    workflows: BTreeMap<(Repository, String), WorkflowId>,
    run_numbers: BTreeMap<WorkflowId, u64>,
    groups: BTreeMap<(Repository, String), cancel::Group>,
    runs: BTreeMap<RunId, Run>,
    places: BTreeMap<JobId, (RunId, RunAttempt)>,
    index: index::Index,
    next_run: u64,
    next_job: u64,
    next_runner: u64,
    registrations: BTreeMap<u64, Registration>,
    checks: BTreeMap<CheckRunId, CheckRun>,
    checks_written: u64,
    deliveries: Vec<Delivery>,
    hook: hook::Hook,
    happenings: Vec<Happening>,
    mutations: Vec<Mutation>,
    reads: BTreeMap<RunId, u64>,
    requests: BTreeMap<&'static str, u64>,
    tokens: BTreeMap<String, Timestamp>,
    window: rest::RateWindow,
}

impl GitHub {
    /// A GitHub without runs.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        let app_key = DecodingKey::from_rsa_pem(settings.app_public_key_pem.as_bytes())
            .map_err(SettingsError::PublicKey)?;
        let webhook_key = match settings.webhook_secret.as_bytes() {
            [] => return Err(SettingsError::WebhookSecret),
            secret => Hmac::new_from_slice(secret).map_err(|_| SettingsError::WebhookSecret)?,
        };
        let mut github = Self {
            app_key,
            webhook_key,
            rng: fastrand::Rng::with_seed(settings.seed),
            faults: Faults::default(),
            repositories: BTreeMap::new(),
            gone: BTreeSet::new(),
            workflows: BTreeMap::new(),
            run_numbers: BTreeMap::new(),
            groups: BTreeMap::new(),
            runs: BTreeMap::new(),
            places: BTreeMap::new(),
            index: index::Index::default(),
            next_run: settings.first_run.0,
            next_job: settings.first_job.0,
            next_runner: 1,
            registrations: BTreeMap::new(),
            checks: BTreeMap::new(),
            checks_written: 0,
            deliveries: Vec::new(),
            hook: hook::Hook::default(),
            happenings: Vec::new(),
            mutations: Vec::new(),
            reads: BTreeMap::new(),
            requests: BTreeMap::new(),
            tokens: BTreeMap::new(),
            window: rest::RateWindow::default(),
            settings,
        };
        for repository in github.settings.repositories.clone() {
            github.know(&repository);
        }
        Ok(github)
    }

    /// What it was made with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The faults as they are.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The faults, to switch them on and off.
    pub fn faults_mut(&mut self) -> &mut Faults {
        &mut self.faults
    }

    /// All runs, the oldest first.
    pub fn runs(&self) -> impl DoubleEndedIterator<Item = &Run> {
        self.runs.values()
    }

    /// One run.
    pub fn run(&self, id: RunId) -> Option<&Run> {
        self.runs.get(&id)
    }

    /// The run and the attempt that a job id belongs to, with its record.
    pub fn job(&self, id: JobId) -> Option<(&Run, &Attempt, &Job)> {
        let (run, attempt) = self.places.get(&id)?;
        let run = self.runs.get(run)?;
        let attempt = run.attempt(*attempt)?;
        Some((run, attempt, attempt.jobs.get(&id)?))
    }

    /// The job that a runner is busy with.
    pub fn job_of_runner(&self, runner: &RunnerName) -> Option<JobId> {
        self.index.job_of(runner.as_str())
    }

    /// Every request that changes a run, in order; for the invariants.
    pub fn mutations(&self) -> &[Mutation] {
        &self.mutations
    }

    /// How many requests each route answered; the key is the route's name.
    pub fn requests(&self) -> &BTreeMap<&'static str, u64> {
        &self.requests
    }

    /// What happened since the last call, in order.
    pub fn take_happenings(&mut self) -> Vec<Happening> {
        std::mem::take(&mut self.happenings)
    }

    fn know(&mut self, repository: &Repository) -> u64 {
        let next = 700_000_001 + self.repositories.len() as u64;
        *self.repositories.entry(repository.clone()).or_insert(next)
    }

    fn workflow_of(&mut self, repository: &Repository, path: &str) -> WorkflowId {
        let next = WorkflowId(80_000_001 + self.workflows.len() as u64);
        *self
            .workflows
            .entry((repository.clone(), path.to_owned()))
            .or_insert(next)
    }

    fn happened(&mut self, at: Timestamp, run: RunId, what: HappeningKind) {
        let Some(attempt) = self.runs.get(&run).map(|run| run.current().number) else {
            return;
        };
        self.happenings.push(Happening {
            at,
            run,
            attempt,
            what,
        });
    }
}
