//! Reading, deciding and writing a record, again when somebody else was faster.

use reprise_engine::{job, run};
use reprise_model::evidence::{Evidence, KEPT_FOR};
use reprise_model::ids::Repository;
use reprise_model::instance::Instance;
use reprise_model::job::Job;
use reprise_model::ledger::{InstanceEntry, RunEntry, RunKey, UnexplainedJob};
use reprise_store::{Change, Expect, Store, StoreError, Versioned};
use tracing::info;

use crate::context::{Controller, RUN_KEPT, WorkError};
use crate::ports::Ports;

/// How often a record is read again before the work is handed back. Each try fails only when
/// another writer succeeded, so eight writers would have to meet on one record.
const TRIES: u32 = 8;

impl<P: Ports> Controller<P> {
    /// Writes what `change` makes of the run's record; `None` leaves it. What was written.
    pub(crate) async fn change_run(
        &self,
        key: &RunKey,
        change: impl Fn(Option<&RunEntry>) -> Option<RunEntry>,
    ) -> Result<Option<RunEntry>, WorkError> {
        for _ in 1..TRIES {
            let found = self.store.run(key).await?;
            let Some(entry) = change(found.as_ref().map(|found| &found.record)) else {
                return Ok(None);
            };
            match self.store.commit(vec![self.put_run(entry.clone(), expected(&found))]).await {
                Ok(()) => return Ok(Some(entry)),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Conflict { key: key.to_string() }.into())
    }

    /// Writes what `change` makes of an instance's record; `None` leaves it. The record as it is
    /// afterwards.
    pub(crate) async fn change_instance(
        &self,
        instance: &Instance,
        change: impl Fn(Option<&InstanceEntry>) -> Option<InstanceEntry>,
    ) -> Result<Option<InstanceEntry>, WorkError> {
        for _ in 1..TRIES {
            let found = self.store.instance(instance).await?;
            let Some(entry) = change(found.as_ref().map(|found| &found.record)) else {
                return Ok(found.map(|found| found.record));
            };
            let put = self.put_instance(entry.clone(), expected(&found));
            match self.store.commit(vec![put]).await {
                Ok(()) => return Ok(Some(entry)),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Conflict { key: instance.to_string() }.into())
    }

    /// Adds evidence to an instance's record. Answers the job that this evidence may reopen.
    pub(crate) async fn store_evidence(
        &self,
        instance: &Instance,
        evidence: &[Evidence],
    ) -> Result<Option<UnexplainedJob>, WorkError> {
        let entry = self
            .change_instance(instance, |entry| {
                job::with_evidence(entry.cloned(), instance, evidence)
            })
            .await?;
        for one in evidence {
            self.metrics.evidence(one.source.as_str());
        }
        self.evidence.notify_waiters();
        Ok(entry.and_then(|entry| entry.unexplained))
    }

    /// An interrupted job waits for its run: the evidence, the job and the due read of the run are
    /// one commit.
    pub(crate) async fn await_run(
        &self,
        repository: &Repository,
        job: &Job,
        instance: &Instance,
        evidence: &[Evidence],
    ) -> Result<(), WorkError> {
        let key = RunKey { repository: repository.clone(), run_id: job.run_id };
        for _ in 1..TRIES {
            let run = self.store.run(&key).await?;
            let host = self.store.instance(instance).await?;
            let changes = self.awaiting(&key, job, instance, evidence, &run, &host);
            match self.store.commit(changes).await {
                Ok(()) => {
                    self.awaiting_committed(&key, job, instance, evidence);
                    return Ok(());
                }
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Conflict { key: key.to_string() }.into())
    }

    fn awaiting(
        &self,
        key: &RunKey,
        job: &Job,
        instance: &Instance,
        evidence: &[Evidence],
        run: &Option<Versioned<RunEntry>>,
        host: &Option<Versioned<InstanceEntry>>,
    ) -> Vec<Change> {
        let now = self.now();
        let stored = run.as_ref().map(|found| found.record.clone());
        let entry = run::await_job(stored, key.clone(), job, instance.clone(), evidence.to_vec(), now);
        let known = host.as_ref().map(|found| found.record.clone());
        let mut changes = vec![self.put_run(entry, expected(run))];
        changes.extend(
            job::explained(known, instance, evidence)
                .map(|entry| self.put_instance(entry, expected(host))),
        );
        changes
    }

    fn awaiting_committed(
        &self,
        key: &RunKey,
        job: &Job,
        instance: &Instance,
        evidence: &[Evidence],
    ) {
        let sources: Vec<&str> = evidence.iter().map(|one| one.source.as_str()).collect();
        self.metrics.verdict("awaiting");
        self.due.notify_one();
        info!(
            target: "reprise::decision",
            decision = "awaiting",
            repository = %key.repository,
            run.id = %key.run_id,
            run.attempt = %job.run_attempt,
            job.id = %job.id,
            job.name,
            instance.id = %instance.id,
            evidence = sources.join(","),
            "a job was interrupted; it is re-run once its run has completed"
        );
    }

    pub(crate) fn put_run(&self, entry: RunEntry, expect: Expect) -> Change {
        let expires_at = self.now().saturating_add(RUN_KEPT).unwrap_or(jiff::Timestamp::MAX);
        Change::PutRun { entry, expect, expires_at }
    }

    fn put_instance(&self, entry: InstanceEntry, expect: Expect) -> Change {
        let expires_at = self.now().saturating_add(KEPT_FOR).unwrap_or(jiff::Timestamp::MAX);
        Change::PutInstance { entry, expect, expires_at }
    }
}

/// What a change of a record that was read must find.
pub(crate) fn expected<R>(found: &Option<Versioned<R>>) -> Expect {
    match found {
        Some(found) => Expect::At(found.version),
        None => Expect::Absent,
    }
}
