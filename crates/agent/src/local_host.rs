//! The machine itself behind the agent's ports.

use std::fmt;
use std::path::PathBuf;

use jiff::SignedDuration;

use crate::clock::Clock;
use crate::hook_folder::HookFolder;
use crate::host::{HookWords, Hooks, Runners, StepEnd};
use crate::processes::job::JobFacts;
use crate::processes::{Handle, ProcFolder, Process, Runner, Signal, step};
use crate::record::{Boot, Records};
use crate::record_file::RecordFile;
use crate::settings::InterruptionSettings;

/// How long a step's environment may take to be read.
const READING: SignedDuration = SignedDuration::from_secs(1);

/// This machine.
#[derive(Debug, Clone)]
pub(crate) struct LocalHost<C> {
    records: RecordFile,
    hooks: HookFolder,
    processes: ProcFolder,
    runners_below: Option<PathBuf>,
    clock: C,
}

impl<C: Clock> LocalHost<C> {
    /// As configured.
    pub(crate) fn new(settings: &InterruptionSettings, clock: C) -> Self {
        Self {
            records: RecordFile::new(settings.record_file.clone()),
            hooks: HookFolder::new(settings.hooks_folder.clone()),
            processes: ProcFolder::default(),
            runners_below: settings.runners_below.clone(),
            clock,
        }
    }

    /// Says which hooks there are, and what does not run.
    pub(crate) fn announce_hooks(&self) {
        self.hooks.announce();
    }
}

impl<C: Clock> Records for LocalHost<C> {
    fn boot(&self) -> Result<Boot, String> {
        self.records.boot()
    }

    async fn load(&self) -> Result<Option<String>, String> {
        self.records.load().await
    }

    async fn save(&self, text: String) -> Result<(), String> {
        self.records.save(text).await
    }

    async fn remove(&self) -> Result<(), String> {
        self.records.remove().await
    }
}

impl<C: Clock> Hooks for LocalHost<C> {
    fn hooks(&self) -> Result<Vec<String>, String> {
        self.hooks.hooks()
    }

    async fn run_hook(&self, name: &str, words: &HookWords) -> Result<(), String> {
        self.hooks.run_hook(name, words).await
    }
}

impl<C: Clock> Runners for LocalHost<C> {
    fn runners(&self) -> Result<Vec<Runner>, String> {
        let folder = self.runners_below.as_deref();
        let runners = self.processes.runners_below(folder);
        runners.map_err(|error| unseen(&error))
    }

    fn lives(&self, process: Process) -> bool {
        self.processes.lives(process)
    }

    async fn job_of(&self, worker: Process) -> JobFacts {
        let processes = self.processes.clone();
        // A process that waits for a disk may hold up who reads its environment; polls go on meanwhile.
        let reading = tokio::task::spawn_blocking(move || job_of(&processes, worker));
        tokio::select! {
            biased;
            read = reading => read.unwrap_or_default(),
            () = self.clock.sleep(READING) => JobFacts::default(),
        }
    }

    fn has_frozen_step(&self, worker: Process) -> bool {
        self.processes.has_frozen_step(worker)
    }

    fn thaw_step(&self, worker: Process) -> Result<(), String> {
        let thawed = self.processes.thaw_step(worker);
        thawed.map_err(|failure| failure.to_string())
    }

    async fn fail_step(
        &self,
        worker: Process,
        grace: SignedDuration,
        sure: impl Future<Output = ()> + Send,
    ) -> StepEnd {
        step::fail(&self.processes, worker, grace, &self.clock, sure).await
    }

    fn stop(&self, listener: Process) -> Result<(), String> {
        let Some(handle) = Handle::open(&self.processes, listener) else {
            return Ok(());
        };
        // It stops as on Ctrl-C: a job that it has is cancelled as one of a runner that goes.
        let told = handle.signal(&self.processes, Signal::INT);
        told.map(|_| ()).map_err(|failure| failure.to_string())
    }
}

fn job_of(processes: &ProcFolder, worker: Process) -> JobFacts {
    let steps = processes.children(worker).unwrap_or_default();
    let facts = steps.iter().map(|step| processes.job_facts(*step));
    let known = |facts: &JobFacts| *facts != JobFacts::default();
    facts.into_iter().find(known).unwrap_or_default()
}

fn unseen(error: &dyn fmt::Display) -> String {
    format!("the processes of the machine cannot be listed: {error}")
}
