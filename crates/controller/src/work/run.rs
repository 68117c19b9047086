//! A run with interrupted jobs is due: read it, decide, ask GitHub at most once.

use std::collections::BTreeMap;

use reprise_engine::job::JobVerdict;
use reprise_engine::run::{self, Newer, RunFacts, RunStep};
use reprise_model::ids::{CheckRunId, JobId, Repository, RunAttempt, RunId};
use reprise_model::job::{Job, JobKey, keys_of};
use reprise_model::ledger::{RerunOrder, RunEntry, RunKey};
use reprise_model::reason::{Refusal, RefusalKind};
use reprise_model::run::{CancelCause, Run};
use reprise_store::{Expect, Store, Version, Versioned};
use tracing::warn;

use crate::context::{Controller, WorkError};
use crate::ports::{GitHub, PortError, PortErrorKind, Ports};
use crate::work::report;

/// All jobs of an attempt, and their keys.
pub(crate) struct AttemptJobs {
    pub(crate) jobs: Vec<Job>,
    pub(crate) keys: BTreeMap<JobId, JobKey>,
}

/// What was read of a run so far.
struct Read {
    run: Run,
    jobs: Option<Vec<Job>>,
    verdicts: BTreeMap<JobId, JobVerdict>,
    causes: BTreeMap<JobId, CancelCause>,
    newer: Newer,
}

impl<P: Ports> Controller<P> {
    /// Reads the run and takes the step that the decision names.
    pub(crate) async fn work_on_run(&self, key: &RunKey) -> Result<(), WorkError> {
        let Some(found) = self.store.run(key).await? else { return Ok(()) };
        match self.read_and_step(&found).await {
            Err(WorkError::Port(error)) => self.unreadable(&found, error).await,
            other => other,
        }
    }

    async fn read_and_step(&self, found: &Versioned<RunEntry>) -> Result<(), WorkError> {
        let key = &found.record.key;
        let mut read = Read {
            run: self.github.run(&key.repository, key.run_id).await?,
            jobs: None,
            verdicts: BTreeMap::new(),
            causes: BTreeMap::new(),
            newer: Newer::Unread,
        };
        loop {
            let facts = RunFacts {
                entry: &found.record,
                run: &read.run,
                jobs: read.jobs.as_deref(),
                verdicts: &read.verdicts,
                causes: &read.causes,
                newer: read.newer,
            };
            let decision = run::decide(&facts, self.now(), self.jitter(), &self.settings.rules);
            match decision.step {
                RunStep::ReadJobs => self.read_jobs(&found.record, &mut read).await?,
                RunStep::ReadCauses(ids) => self.read_causes(&mut read, &ids).await?,
                RunStep::ReadNewer => self.read_newer(&mut read).await?,
                RunStep::Wait(why) => {
                    report::waiting(&decision.entry, why);
                    return self.commit_run(found, decision.entry).await;
                }
                RunStep::Done => return self.commit_run(found, decision.entry).await,
                RunStep::Ask(order) => {
                    self.commit_run(found, decision.entry.clone()).await?;
                    let asked = Versioned { record: decision.entry, version: after(found.version) };
                    return self.ask(asked, &order).await;
                }
            }
        }
    }

    /// The one POST. Its order is committed already; whatever happens to the answer, the run is
    /// read before anything is repeated.
    async fn ask(&self, asked: Versioned<RunEntry>, order: &RerunOrder) -> Result<(), WorkError> {
        let key = asked.record.key.clone();
        let reply = self.github.rerun(&key.repository, key.run_id, order.target).await;
        self.metrics.rerun(report::target_word(order.target), report::answer_word(&reply.answer));
        report::rerun(&key, order, &reply);
        let now = self.now();
        let jitter = self.jitter();
        let answered = self
            .change_run(&key, |entry| {
                let entry = entry.filter(|entry| is_last(entry, order))?.clone();
                let answer = reply.answer.clone();
                Some(run::answered(entry, answer, reply.retry_after, now, jitter))
            })
            .await?;
        if let Some(entry) = answered {
            self.report_changes(&asked.record, &entry);
        }
        self.due.notify_one();
        Ok(())
    }

    /// GitHub could not be read: later, or never where the run is gone for good.
    async fn unreadable(
        &self,
        found: &Versioned<RunEntry>,
        error: PortError,
    ) -> Result<(), WorkError> {
        let now = self.now();
        let entry = match error.kind {
            PortErrorKind::Passing => run::postponed(found.record.clone(), now, self.jitter()),
            PortErrorKind::NotFound => run::refused(found.record.clone(), refusal(RefusalKind::NotFound, &error), now),
            PortErrorKind::Denied => {
                run::refused(found.record.clone(), refusal(RefusalKind::MissingPermission, &error), now)
            }
        };
        warn!(
            error = &error as &dyn std::error::Error,
            repository = %found.record.key.repository,
            run.id = %found.record.key.run_id,
            "failed to read a run that interrupted jobs wait for"
        );
        self.commit_run(found, entry).await
    }

    async fn commit_run(
        &self,
        found: &Versioned<RunEntry>,
        entry: RunEntry,
    ) -> Result<(), WorkError> {
        if entry == found.record {
            return Ok(());
        }
        let change = self.put_run(entry.clone(), Expect::At(found.version));
        self.store.commit(vec![change]).await?;
        self.report_changes(&found.record, &entry);
        Ok(())
    }

    fn report_changes(&self, before: &RunEntry, after: &RunEntry) {
        for (job, reason) in report::settled_since(before, after) {
            self.metrics.verdict(reason.as_str());
            report::settled(&after.key, job, reason);
        }
    }

    async fn read_jobs(&self, entry: &RunEntry, read: &mut Read) -> Result<(), WorkError> {
        let key = &entry.key;
        let jobs = self.github.jobs(&key.repository, key.run_id, read.run.run_attempt).await?;
        for job in jobs.iter().filter(|job| job.is_unsuccessful() && !entry.jobs.contains_key(&job.id)) {
            let verdict = self.judge(&key.repository, job).await?;
            read.verdicts.insert(job.id, verdict);
        }
        read.jobs = Some(jobs);
        Ok(())
    }

    async fn read_causes(&self, read: &mut Read, ids: &[JobId]) -> Result<(), WorkError> {
        let repository = read.run.repository.clone();
        for id in ids {
            let check_run = read
                .jobs
                .iter()
                .flatten()
                .find(|job| job.id == *id)
                .and_then(|job| job.check_run);
            let cause = self.cause(&repository, check_run).await?;
            read.causes.insert(*id, cause);
        }
        Ok(())
    }

    async fn cause(
        &self,
        repository: &Repository,
        check_run: Option<CheckRunId>,
    ) -> Result<CancelCause, WorkError> {
        match check_run {
            Some(check_run) => Ok(self.github.cancel_cause(repository, check_run).await?),
            None => Ok(CancelCause::Unreadable),
        }
    }

    async fn read_newer(&self, read: &mut Read) -> Result<(), WorkError> {
        read.newer = match self.github.newer_run(&read.run).await? {
            Some(run) => Newer::Run(run),
            None => Newer::No,
        };
        Ok(())
    }

    /// All jobs of an attempt with their keys.
    pub(crate) async fn jobs_of(
        &self,
        repository: &Repository,
        run: RunId,
        attempt: RunAttempt,
    ) -> Result<AttemptJobs, WorkError> {
        let jobs = self.github.jobs(repository, run, attempt).await?;
        let keys = keys_of(repository, None, &jobs);
        Ok(AttemptJobs { jobs, keys })
    }
}

fn is_last(entry: &RunEntry, order: &RerunOrder) -> bool {
    entry.reruns.last().is_some_and(|last| last.order == *order)
}

/// The version of a record after one more commit.
fn after(version: Version) -> Version {
    Version(version.0 + 1)
}

fn refusal(kind: RefusalKind, error: &PortError) -> Refusal {
    Refusal { kind, message: error.source.to_string() }
}
