//! A run with interrupted jobs is due: read it, decide, ask GitHub at most once.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use reprise_engine::job::JobVerdict;
use reprise_engine::run::{self, Newer, RunDecision, RunFacts, RunStep};
use reprise_model::ids::JobId;
use reprise_model::job::Job;
use reprise_model::ledger::{RerunAnswer, RerunOrder, RunEntry, RunKey};
use reprise_model::run::{CancelCause, Run};
use reprise_store::{Expect, Store, Versioned};
use tracing::warn;

use super::{is_due, report};
use crate::clock::Clock;
use crate::context::{Controller, WorkError};
use crate::intake::attempts::Attempts;
use crate::logging::chain;
use crate::ports::{GitHub, PortError, Ports, RerunReply};
use crate::together::together;

/// How much of [`reprise_engine::rules::Rules::unclear_for`] a POST may take, as a divisor and a
/// factor: whoever reads the run to find out what became of it must find it over.
const POST_SHARE: (i32, i32) = (5, 4);

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
    pub(super) async fn work_on_run(&self, key: &RunKey) -> Result<(), WorkError> {
        let Some(found) = self.store.run(key).await? else {
            return Ok(());
        };
        if !is_due(found.record.due, self.now()) {
            return Ok(());
        }
        let run = match self.github.run(&key.repository, key.run_id).await {
            Ok(run) => run,
            Err(error) => return self.run_is_unreadable(&found, error).await,
        };
        match self.step(&found, run).await {
            // The run is there, so what it lacks in the details may come yet.
            Err(WorkError::Port(error)) => self.postpone(&found, &error).await,
            other => other,
        }
    }

    async fn step(&self, found: &Versioned<RunEntry>, run: Run) -> Result<(), WorkError> {
        let key = &found.record.key;
        let mut read = Read {
            run,
            jobs: None,
            verdicts: BTreeMap::new(),
            causes: BTreeMap::new(),
            newer: Newer::Unread,
        };
        loop {
            let RunDecision { entry, step } = self.decide(found, &read);
            match step {
                RunStep::ReadJobs => self.read_jobs(&found.record, &mut read).await?,
                RunStep::ReadCauses(ids) => self.read_causes(key, &mut read, &ids).await?,
                RunStep::ReadNewer => self.read_newer(&mut read).await?,
                RunStep::Wait(why) => {
                    self.commit_run(found, &entry).await?;
                    report::waiting(&entry, why);
                    return Ok(());
                }
                RunStep::Done => return self.commit_run(found, &entry).await,
                RunStep::Ask(order) => {
                    self.commit_run(found, &entry).await?;
                    return self.ask(&entry, &order).await;
                }
            }
        }
    }

    fn decide(&self, found: &Versioned<RunEntry>, read: &Read) -> RunDecision {
        let facts = RunFacts {
            entry: &found.record,
            run: &read.run,
            jobs: read.jobs.as_deref(),
            verdicts: &read.verdicts,
            causes: &read.causes,
            newer: read.newer,
        };
        run::decide(&facts, self.now(), self.jitter(), &self.settings.rules)
    }

    /// The one POST. Its order is committed already; whatever happens to the answer, the run is
    /// read before anything is repeated.
    async fn ask(&self, asked: &RunEntry, order: &RerunOrder) -> Result<(), WorkError> {
        let key = &asked.key;
        let reply = self.post(key, order).await;
        self.metrics.rerun(
            report::target_word(order.target),
            report::answer_word(&reply.answer),
        );
        report::rerun(key, order, &reply);
        let (now, jitter) = (self.now(), self.jitter());
        let answered = self
            .change_run(key, |entry| {
                let entry = entry.filter(|entry| is_last(entry, asked))?.clone();
                let answer = reply.answer.clone();
                Some(run::answered(entry, answer, reply.retry_after, now, jitter))
            })
            .await?;
        if let Some(entry) = answered {
            self.report_changes(asked, &entry);
        }
        Ok(())
    }

    async fn post(&self, key: &RunKey, order: &RerunOrder) -> RerunReply {
        let (divisor, factor) = POST_SHARE;
        let limit = self.settings.rules.unclear_for / divisor * factor;
        tokio::select! {
            // An answer that came in time counts, however late it is looked at.
            biased;
            reply = self.github.rerun(&key.repository, key.run_id, order.target) => reply,
            () = self.clock.sleep(limit) => unanswered(limit),
        }
    }

    /// GitHub does not show the run: later, or never where its no is final.
    async fn run_is_unreadable(
        &self,
        found: &Versioned<RunEntry>,
        error: PortError,
    ) -> Result<(), WorkError> {
        let Some(refusal) = error.refusal() else {
            return self.postpone(found, &error).await;
        };
        complain(&found.record, &error);
        let entry = run::refused(found.record.clone(), refusal, self.now());
        self.commit_run(found, &entry).await
    }

    async fn postpone(
        &self,
        found: &Versioned<RunEntry>,
        error: &PortError,
    ) -> Result<(), WorkError> {
        complain(&found.record, error);
        let (now, jitter) = (self.now(), self.jitter());
        let entry = run::postponed(found.record.clone(), error.retry_after, now, jitter);
        self.commit_run(found, &entry).await
    }

    async fn commit_run(
        &self,
        found: &Versioned<RunEntry>,
        entry: &RunEntry,
    ) -> Result<(), WorkError> {
        if *entry == found.record {
            return Ok(());
        }
        let change = self.put_run(entry.clone(), Expect::At(found.version));
        self.store.commit(vec![change]).await?;
        self.report_changes(&found.record, entry);
        Ok(())
    }

    fn report_changes(&self, before: &RunEntry, after: &RunEntry) {
        for (job, reason) in report::settled_since(before, after) {
            self.metrics.verdict(reason.as_str());
            report::settled(&after.key, job, reason);
        }
    }

    /// All jobs of the current attempt, and the verdict on each unsuccessful one that the ledger
    /// does not know. Their hosts are looked at together: one call to EC2 answers for all.
    async fn read_jobs(&self, entry: &RunEntry, read: &mut Read) -> Result<(), WorkError> {
        let repository = &entry.key.repository;
        let mut attempts = Attempts::new(&self.github, entry.key.clone());
        let jobs = attempts.jobs(read.run.run_attempt).await?.to_vec();
        let unknown: Vec<&Job> = jobs
            .iter()
            .filter(|job| job.is_unsuccessful() && !entry.jobs.contains_key(&job.id))
            .collect();
        let looks = together(unknown.iter().map(|job| self.look(repository, job))).await;
        for (job, look) in unknown.into_iter().zip(looks) {
            let verdict = self.conclude(repository, job, look?, &mut attempts).await?;
            read.verdicts.insert(job.id, verdict);
        }
        read.jobs = Some(jobs);
        Ok(())
    }

    async fn read_causes(
        &self,
        key: &RunKey,
        read: &mut Read,
        ids: &[JobId],
    ) -> Result<(), WorkError> {
        let jobs = read.jobs.as_deref().unwrap_or_default();
        for id in ids {
            let check_run = jobs
                .iter()
                .find(|job| job.id == *id)
                .and_then(|job| job.check_run);
            let cause = match check_run {
                Some(check_run) => self.github.cancel_cause(&key.repository, check_run).await?,
                None => CancelCause::Unreadable,
            };
            read.causes.insert(*id, cause);
        }
        Ok(())
    }

    async fn read_newer(&self, read: &mut Read) -> Result<(), WorkError> {
        read.newer = match self.github.newer_run(&read.run).await? {
            Some(run) => Newer::Run(run),
            None => Newer::No,
        };
        Ok(())
    }
}

/// Whether the record's last re-run is still the one that was asked for.
fn is_last(entry: &RunEntry, asked: &RunEntry) -> bool {
    let named = |entry: &RunEntry| {
        entry
            .reruns
            .last()
            .map(|last| (entry.reruns.len(), last.decided_at, last.order.clone()))
    };
    named(entry) == named(asked)
}

fn unanswered(limit: SignedDuration) -> RerunReply {
    RerunReply {
        answer: RerunAnswer::Unclear,
        retry_after: None,
        detail: format!("no answer came within {limit:#}"),
    }
}

fn complain(entry: &RunEntry, error: &PortError) {
    warn!(
        error = %chain(error),
        repository = %entry.key.repository,
        run.id = %entry.key.run_id,
        "failed to read a run that interrupted jobs wait for"
    );
}
