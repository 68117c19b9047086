//! Runs that a merge queue waits for: their gates are opened before anything may happen to them.
//!
//! Which runs these are, configuration, the run's event and GitHub's branches of merge groups tell; whether
//! GitHub agrees is read before anything is shown. Any other run costs nothing.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use reprise_engine::check;
use reprise_model::ids::{Repository, RunId, Sha};
use reprise_model::job::Job;
use reprise_model::ledger::RunKey;
use reprise_model::reason::IgnoreReason;
use reprise_model::run::Run;
use tracing::info;

use crate::context::{Controller, WorkError};
use crate::intake::Outcome;
use crate::ports::Ports;

/// How many gates are remembered. What is forgotten costs a read.
const MOST: usize = 4_096;

/// The runs whose gates are known to be open, so that not each of their events asks the store.
#[derive(Debug, Default)]
pub(crate) struct Gates(Mutex<BTreeSet<RunKey>>);

impl Gates {
    fn has(&self, key: &RunKey) -> bool {
        self.lock().contains(key)
    }

    fn add(&self, key: RunKey) {
        let mut known = self.lock();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(key);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<RunKey>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P: Ports> Controller<P> {
    /// Opens the gate of a queued job's run, where a merge queue waits for it.
    ///
    /// What is seldom done is in a box, so that a message that waits has no room for it.
    pub(crate) async fn gate_of_job(
        &self,
        repository: &Repository,
        job: &Job,
    ) -> Result<(), WorkError> {
        let workflow = job.workflow_name.as_deref();
        if check::is_of_merge_queue(job.head_branch.as_deref())
            && self.is_gated(repository, workflow)
        {
            Box::pin(self.open_gate(repository, job.run_id, &job.head_sha)).await?;
        }
        Ok(())
    }

    /// The same of a run that was asked for or has begun. Whether it was opened now.
    pub(crate) async fn gate_of_run(&self, run: &Run) -> Result<Outcome, WorkError> {
        let is_new = self.has_gate(run)
            && Box::pin(self.open_gate(&run.repository, run.id, &run.head_sha)).await?;
        Ok(if is_new {
            Outcome::GateOpened
        } else {
            Outcome::Ignored(IgnoreReason::NothingToDecide)
        })
    }

    /// A run has completed: its gate may be concluded, or nobody has heard of it before.
    pub(crate) async fn gate_has_news(&self, run: &Run) -> Result<(), WorkError> {
        if self.has_gate(run) {
            Box::pin(self.open_gate(&run.repository, run.id, &run.head_sha)).await?;
            Box::pin(self.look_at_check(&key_of(&run.repository, run.id))).await?;
        }
        Ok(())
    }

    /// Whether configuration has a merge queue wait for runs of this workflow.
    pub(crate) fn is_gated(&self, repository: &Repository, workflow: Option<&str>) -> bool {
        self.allows(repository) && self.settings.checks.gates(repository, workflow)
    }

    fn has_gate(&self, run: &Run) -> bool {
        check::is_gated_event(&run.event)
            && self.is_gated(&run.repository, run.workflow_name.as_deref())
    }

    async fn open_gate(
        &self,
        repository: &Repository,
        run: RunId,
        head: &Sha,
    ) -> Result<bool, WorkError> {
        let key = key_of(repository, run);
        if self.gates.has(&key) {
            return Ok(false);
        }
        let now = self.now();
        let opened = self
            .change_check(&key, |found| check::gate_opened(found, &key, head, now))
            .await?;
        self.gates.add(key.clone());
        if opened.is_none() {
            return Ok(false);
        }
        self.due.notify_one();
        self.metrics.gate("opened");
        info!(
            target: "reprise::decision",
            decision = "gate",
            reason = "opened",
            repository = %key.repository,
            run.id = %key.run_id,
            "a merge queue waits for a run"
        );
        Ok(true)
    }
}

fn key_of(repository: &Repository, run_id: RunId) -> RunKey {
    RunKey {
        repository: repository.clone(),
        run_id,
    }
}
