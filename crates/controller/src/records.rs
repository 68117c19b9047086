//! Reading, deciding and writing a record, again when somebody else was faster.

use jiff::SignedDuration;
use reprise_engine::backoff::after;
use reprise_engine::job::{Grounds, JobVerdict};
use reprise_engine::{check, job, run};
use reprise_model::budget::Budget;
use reprise_model::check::CheckEntry;
use reprise_model::evidence::{Evidence, KEPT_FOR};
use reprise_model::ids::Repository;
use reprise_model::instance::Instance;
use reprise_model::job::Job;
use reprise_model::ledger::{InstanceEntry, LaunchClaim, RunEntry, RunKey, UnexplainedJob, Why};
use reprise_model::reason::SettleReason;
use reprise_store::{Change, Expect, Store, StoreError, Version, Versioned};
use tracing::info;

use crate::clock::Clock;
use crate::context::{CLAIM_KEPT, Controller, RUN_KEPT, WorkError};
use crate::ports::Ports;

/// How often a record is read again before the work is handed back. Each try fails only when
/// another writer succeeded, so eight writers would have to meet on one record.
pub(crate) const TRIES: u32 = 8;

impl<P: Ports> Controller<P> {
    /// Writes what `change` makes of the run's record; `None` leaves it. What was written.
    pub(crate) async fn change_run(
        &self,
        key: &RunKey,
        change: impl Fn(Option<&RunEntry>) -> Option<RunEntry>,
    ) -> Result<Option<RunEntry>, WorkError> {
        for _ in 0..TRIES {
            let found = self.store.run(key).await?;
            let Some(entry) = change(found.as_ref().map(|found| &found.record)) else {
                return Ok(None);
            };
            if self
                .committed(vec![self.put_run(entry.clone(), expected(&found))])
                .await?
            {
                return Ok(Some(entry));
            }
        }
        Err(StoreError::Conflict {
            key: key.to_string(),
        }
        .into())
    }

    /// Writes what `change` makes of what GitHub shows of a run; `None` leaves it. What was written.
    pub(crate) async fn change_check(
        &self,
        key: &RunKey,
        change: impl Fn(Option<&CheckEntry>) -> Option<CheckEntry>,
    ) -> Result<Option<CheckEntry>, WorkError> {
        for _ in 0..TRIES {
            let found = self.store.check(key).await?;
            let Some(entry) = change(found.as_ref().map(|found| &found.record)) else {
                return Ok(None);
            };
            if self
                .committed(vec![self.put_check(entry.clone(), expected(&found))])
                .await?
            {
                return Ok(Some(entry));
            }
        }
        Err(StoreError::Conflict {
            key: key.to_string(),
        }
        .into())
    }

    /// Writes what `change` makes of an instance's record; `None` leaves it.
    pub(crate) async fn change_instance(
        &self,
        instance: &Instance,
        change: impl Fn(Option<&InstanceEntry>) -> Option<InstanceEntry>,
    ) -> Result<Changed, WorkError> {
        for _ in 0..TRIES {
            let found = self.store.instance(instance).await?;
            let expect = expected(&found);
            let before = found.map(|found| found.record);
            let Some(after) = change(before.as_ref()) else {
                return Ok(Changed {
                    before,
                    after: None,
                });
            };
            let put = self.put_instance(after.clone(), expect);
            if self.committed(vec![put]).await? {
                return Ok(Changed {
                    before,
                    after: Some(after),
                });
            }
        }
        Err(StoreError::Conflict {
            key: instance.to_string(),
        }
        .into())
    }

    /// Adds evidence to an instance's record. Answers the job that this evidence may reopen.
    pub(crate) async fn store_evidence(
        &self,
        instance: &Instance,
        evidence: &[Evidence],
    ) -> Result<Option<UnexplainedJob>, WorkError> {
        let changed = self
            .change_instance(instance, |entry| {
                job::with_evidence(entry.cloned(), instance, evidence)
            })
            .await?;
        if changed.after.is_some() {
            for one in evidence {
                self.metrics.evidence(one.source.as_str());
            }
            self.bells.ring(&instance.id);
        }
        let entry = changed.after.or(changed.before);
        Ok(entry.and_then(|entry| entry.unexplained))
    }

    /// A job that is to come back waits for its run: the evidence, if any, the job, the due read of the run
    /// and that people are told of it are one commit. A job that waits already, or did, changes nothing.
    pub(crate) async fn await_run(
        &self,
        repository: &Repository,
        job: &Job,
        verdict: &JobVerdict,
    ) -> Result<(), WorkError> {
        let Some(grounds) = verdict.grounds() else {
            return Ok(());
        };
        let host = grounds
            .instance
            .as_ref()
            .filter(|_| !grounds.evidence.is_empty());
        let key = RunKey {
            repository: repository.clone(),
            run_id: job.run_id,
        };
        for _ in 0..TRIES {
            let run = self.store.run(&key).await?;
            let mut changes: Vec<Change> = Vec::new();
            changes.extend(self.put_awaiting(&key, job, &grounds, &run));
            if let Some(instance) = host {
                let known = self.store.instance(instance).await?;
                changes.extend(self.put_awaited(job, instance, &grounds.evidence, &known));
            }
            let told = match self.tells_of(repository, job, grounds.why) {
                true => Some(self.store.check(&key).await?),
                false => None,
            };
            if changes.is_empty() {
                return Ok(());
            }
            let awaits = matches!(changes.first(), Some(Change::PutRun { .. }));
            let told = told.filter(|_| awaits);
            let told = told.and_then(|found| self.put_interrupted(&key, job, &found));
            let changes = changes.into_iter().chain(told).collect();
            if self.committed(changes).await? {
                if awaits {
                    self.awaits(&key, job, &grounds);
                }
                return Ok(());
            }
        }
        Err(StoreError::Conflict {
            key: key.to_string(),
        }
        .into())
    }

    fn put_awaiting(
        &self,
        key: &RunKey,
        job: &Job,
        grounds: &Grounds,
        found: &Option<Versioned<RunEntry>>,
    ) -> Option<Change> {
        let stored = found.as_ref().map(|found| &found.record);
        let (grounds, now) = (grounds.clone(), self.clock.now());
        let entry = run::await_job(stored.cloned(), key.clone(), job, grounds, now);
        (stored != Some(&entry)).then(|| self.put_run(entry, expected(found)))
    }

    /// Whether people are told what becomes of a job: of one that was interrupted, but not where GitHub lets
    /// nobody be told; a merge queue waits for whatever is to come back.
    fn tells_of(&self, repository: &Repository, job: &Job, why: Why) -> bool {
        let gated = self.is_gated(repository, job.workflow_name.as_deref());
        let reports = self.settings.checks.reports && self.no_checks.at(self.now()).is_none();
        gated || (reports && why == Why::Interrupted)
    }

    fn put_interrupted(
        &self,
        key: &RunKey,
        job: &Job,
        found: &Option<Versioned<CheckEntry>>,
    ) -> Option<Change> {
        let stored = found.as_ref().map(|found| &found.record);
        let gated = self.is_gated(&key.repository, job.workflow_name.as_deref());
        let entry = check::interrupted(stored, key, job, gated, self.now())?;
        Some(self.put_check(entry, expected(found)))
    }

    /// People are told of a job that was interrupted and is not re-run.
    pub(crate) async fn tell_left_alone(
        &self,
        repository: &Repository,
        job: &Job,
        reason: &SettleReason,
    ) -> Result<(), WorkError> {
        if !self.tells_of(repository, job, Why::Interrupted) {
            return Ok(());
        }
        let key = RunKey {
            repository: repository.clone(),
            run_id: job.run_id,
        };
        let gated = self.is_gated(repository, job.workflow_name.as_deref());
        let now = self.now();
        let told = self.change_check(&key, |found| {
            check::left_alone(found, &key, job, reason, gated, now)
        });
        if told.await?.is_some() {
            self.due.notify_one();
        }
        Ok(())
    }

    fn put_awaited(
        &self,
        job: &Job,
        instance: &Instance,
        evidence: &[Evidence],
        found: &Option<Versioned<InstanceEntry>>,
    ) -> Option<Change> {
        let stored = found.as_ref().map(|found| found.record.clone());
        let (fleet, now) = (self.fleet_rule(), self.clock.now());
        let entry = job::awaited(stored, instance, evidence, job.id, fleet, now)?;
        Some(self.put_instance(entry, expected(found)))
    }

    fn awaits(&self, key: &RunKey, job: &Job, grounds: &Grounds) {
        let evidence = grounds.evidence.iter();
        let sources: Vec<&str> = evidence.map(|one| one.source.as_str()).collect();
        let instance = grounds.instance.as_ref().map(|instance| &instance.id);
        self.metrics.verdict("awaiting");
        if grounds.why == Why::Interrupted {
            let host = grounds.instance.as_ref();
            self.metrics.interrupted(&key.repository, host);
        }
        self.due.notify_one();
        info!(
            target: "reprise::decision",
            decision = "awaiting",
            reason = grounds.why.as_str(),
            policy = %grounds.policy,
            repository = %key.repository,
            run.id = %key.run_id,
            run.attempt = %job.run_attempt,
            job.id = %job.id,
            job.name,
            instance.id = instance.map(tracing::field::display),
            evidence = sources.join(","),
            "a job is to come back; it is re-run once its run has completed"
        );
    }

    /// Commits; false when somebody else was faster.
    async fn committed(&self, changes: Vec<Change>) -> Result<bool, StoreError> {
        match self.store.commit(changes).await {
            Ok(()) => Ok(true),
            Err(StoreError::Conflict { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn put_run(&self, entry: RunEntry, expect: Expect) -> Change {
        Change::PutRun {
            entry,
            expect,
            expires_at: self.in_future(RUN_KEPT),
        }
    }

    pub(crate) fn put_check(&self, entry: CheckEntry, expect: Expect) -> Change {
        Change::PutCheck {
            entry,
            expect,
            expires_at: self.in_future(RUN_KEPT),
        }
    }

    /// Writes a budget on what was read of it. What is there then: where somebody was faster, theirs.
    pub(crate) async fn spend(
        &self,
        budget: &Budget,
        found: &Option<Versioned<Budget>>,
    ) -> Result<Option<Versioned<Budget>>, WorkError> {
        let expect = expected(found);
        let put = Change::PutBudget {
            budget: budget.clone(),
            expect,
            expires_at: self.in_future(Budget::REMEMBERED_FOR),
        };
        if !self.committed(vec![put]).await? {
            return Ok(self.store.budget(&budget.repository).await?);
        }
        let version = match expect {
            Expect::Absent => Version::FIRST,
            Expect::At(version) => version.next(),
        };
        Ok(Some(Versioned {
            record: budget.clone(),
            version,
        }))
    }

    pub(crate) fn put_claim(&self, claim: LaunchClaim, expect: Expect) -> Change {
        Change::PutClaim {
            claim,
            expect,
            expires_at: self.in_future(CLAIM_KEPT),
        }
    }

    pub(crate) fn put_instance(&self, entry: InstanceEntry, expect: Expect) -> Change {
        Change::PutInstance {
            entry,
            expect,
            expires_at: self.in_future(KEPT_FOR),
        }
    }

    fn in_future(&self, pause: SignedDuration) -> jiff::Timestamp {
        after(self.clock.now(), pause)
    }
}

/// An instance's record around a change.
pub(crate) struct Changed {
    /// The record before it.
    pub(crate) before: Option<InstanceEntry>,
    /// The record that was written; `None` where nothing was to be changed.
    pub(crate) after: Option<InstanceEntry>,
}

/// What a change of a record that was read must find.
pub(crate) fn expected<R>(found: &Option<Versioned<R>>) -> Expect {
    match found {
        Some(found) => Expect::At(found.version),
        None => Expect::Absent,
    }
}
