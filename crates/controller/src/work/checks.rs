//! People are told of a run by a check run: what was interrupted, what becomes of it, whether a merge queue
//! may go on.
//!
//! What is told, and whether, the engine says ([`reprise_engine::check`]). It stands in a record of its own,
//! so that nothing here makes a re-run lose a commit, and its calls leave GitHub's room to re-runs. Each
//! turn changes one thing at most.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use reprise_engine::check::{self, CheckFacts, CheckStep, Purpose, RunWords};
use reprise_engine::job::JobVerdict;
use reprise_engine::no_machine::CheckWords;
use reprise_engine::pace::Errand;
use reprise_model::check::{CheckEntry, CheckRunOrder, CheckRunSeen};
use reprise_model::ending::ChangeAnswer;
use reprise_model::ids::{CheckRunId, JobId, Repository, Sha};
use reprise_model::ledger::{RunEntry, RunKey};
use reprise_model::reason::Refusal;
use reprise_model::run::Run;
use reprise_store::{Store, StoreError};
use tracing::{debug, info, warn};

use super::looks::Checks;
use super::run::Asks;
use crate::context::{Controller, WorkError};
use crate::intake::attempts::Attempts;
use crate::logging::chain;
use crate::ports::{ChangeReply, GitHub, Ports};

/// What was read so far.
#[derive(Default)]
struct Read {
    run: Option<Option<Run>>,
    verdicts: Option<BTreeMap<JobId, JobVerdict>>,
    checks: Option<Checks>,
}

impl Read {
    fn run(&self) -> RunWords<'_> {
        match &self.run {
            None => RunWords::Unread,
            Some(Some(run)) => RunWords::Seen(run),
            Some(None) => RunWords::Gone,
        }
    }

    fn checks(&self) -> CheckWords<'_> {
        match &self.checks {
            None => CheckWords::Unread,
            Some(Ok(checks)) => CheckWords::Seen(checks),
            Some(Err(refusal)) => CheckWords::Refused(refusal),
        }
    }
}

impl<P: Ports> Controller<P> {
    /// One turn of telling people of a run.
    pub(super) async fn tell_run(&self, key: &RunKey) -> Result<(), WorkError> {
        let found = self.store.check(key).await?;
        let Some(mut claimed) = self.claim_due(found).await? else {
            return Ok(());
        };
        let entry = check::taken(claimed.record.clone());
        let told = Box::pin(self.told_run(&entry));
        let after = self.while_claimed(&mut claimed, told).await??;
        match self.conclude_claim(&claimed, after.clone()).await {
            Err(StoreError::Conflict { .. }) => {
                let (deadline, now) = (claimed.deadline(), self.now());
                self.change_check(key, |found| {
                    check::changed_meanwhile(found?, deadline, after.clone(), now)
                })
                .await?;
                self.due.notify_one();
            }
            concluded => {
                concluded?;
                self.told_gate(&entry, &after);
            }
        }
        Ok(())
    }

    /// The record after one turn.
    async fn told_run(&self, entry: &CheckEntry) -> Result<CheckEntry, WorkError> {
        let ledger = self.store.run(&entry.key).await?;
        let ledger = ledger.map(|found| found.record);
        let repository = &entry.key.repository;
        let mut read = Read::default();
        loop {
            let facts = CheckFacts {
                entry,
                ledger: ledger.as_ref(),
                run: read.run(),
                verdicts: read.verdicts.as_ref(),
                reports: self.settings.checks.reports,
                checks: read.checks(),
            };
            let (jitter, rules) = (self.jitter(), &self.settings.rules);
            match check::decide(&facts, self.now(), jitter, rules) {
                CheckStep::ReadRun => read.run = Some(self.run_seen(&entry.key).await?),
                CheckStep::JudgeJobs => {
                    let run = read.run.as_ref().and_then(Option::as_ref);
                    let judged = Box::pin(self.judge_rest(&entry.key, ledger.as_ref(), run));
                    read.verdicts = Some(judged.await?);
                }
                CheckStep::ReadChecks(head, name) => {
                    read.checks = Some(self.our_checks(repository, &head, &name).await?);
                }
                CheckStep::Write(entry, order) => {
                    return Ok(self.write_run_check(entry, &order).await);
                }
                CheckStep::Commit(after) => return Ok(after),
            }
        }
    }

    async fn write_run_check(&self, entry: CheckEntry, order: &CheckRunOrder) -> CheckEntry {
        let repository = &entry.key.repository;
        let reply = self.write_check(repository, entry.id, order).await;
        let purpose = Purpose::of(&entry).as_str();
        let state = order.text.state.as_str();
        self.metrics
            .check_run(purpose, state, reply.answer.as_str());
        told_run(&entry, order, &reply);
        check::answered(
            entry,
            order,
            &reply.answer,
            reply.check_run,
            reply.retry_after,
            (self.now(), self.jitter()),
            &self.settings.rules,
        )
    }

    /// The run as GitHub shows it; `None` where it does not.
    async fn run_seen(&self, key: &RunKey) -> Result<Option<Run>, WorkError> {
        let github = self.github_for(Errand::Read);
        match github.run(&key.repository, key.run_id).await {
            Ok(run) => Ok(Some(run)),
            Err(error) if error.refusal().is_some() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The verdicts on the unsuccessful jobs that the run's record does not hold. What is to be re-run goes
    /// the way of its event, which may have been lost.
    async fn judge_rest(
        &self,
        key: &RunKey,
        ledger: Option<&RunEntry>,
        run: Option<&Run>,
    ) -> Result<BTreeMap<JobId, JobVerdict>, WorkError> {
        let Some(run) = run else {
            return Ok(BTreeMap::new());
        };
        let mut attempts = Attempts::new(self.github_for(Errand::Read), key.clone());
        let jobs = attempts.jobs(run.run_attempt).await?.to_vec();
        let is_known = |id| ledger.is_some_and(|ledger| ledger.jobs.contains_key(&id));
        let repository = &key.repository;
        let verdicts = self
            .verdicts_on(repository, &jobs, (is_known, Asks::Not), &mut attempts)
            .await?;
        for job in &jobs {
            if let Some(verdict @ (JobVerdict::Await { .. } | JobVerdict::Retry { .. })) =
                verdicts.get(&job.id)
            {
                drop(self.carry_out(repository, job, verdict.clone()).await?);
            }
        }
        Ok(verdicts)
    }

    /// Something of a run has changed that people are to read. This is no part of what was done: where it
    /// fails, the record is looked at anyway, later.
    pub(crate) async fn retell(&self, before: &RunEntry, after: &RunEntry) {
        if !check::tells_more(before, after) {
            return;
        }
        if let Err(error) = self.wake_check(&after.key, check::retold).await {
            debug!(
                error = %chain(&error),
                repository = %after.key.repository,
                run.id = %after.key.run_id,
                "people are told of a run later"
            );
        }
    }

    /// People are told of interrupted jobs, too, whose events were lost.
    pub(super) async fn tell_found(
        &self,
        before: &RunEntry,
        after: &RunEntry,
        head: &Sha,
    ) -> Result<(), WorkError> {
        let tells = self.settings.checks.reports && self.no_checks.at(self.now()).is_none();
        if !tells || !check::is_found(before, after) {
            return Ok(());
        }
        let (key, now) = (&after.key, self.now());
        let told = self.change_check(key, |entry| check::found(entry, key, head, now));
        if told.await?.is_some() {
            self.due.notify_one();
        }
        Ok(())
    }

    /// Has the run's check run looked at now, where there is one that may have more to say.
    pub(crate) async fn look_at_check(&self, key: &RunKey) -> Result<(), WorkError> {
        self.wake_check(key, check::woken).await
    }

    async fn wake_check(
        &self,
        key: &RunKey,
        woken: fn(&CheckEntry, Timestamp) -> Option<CheckEntry>,
    ) -> Result<(), WorkError> {
        let now = self.now();
        let changed = self.change_check(key, |found| woken(found?, now));
        if changed.await?.is_some() {
            self.due.notify_one();
        }
        Ok(())
    }

    pub(super) async fn our_checks(
        &self,
        repository: &Repository,
        head: &Sha,
        name: &str,
    ) -> Result<Checks, WorkError> {
        if let Some(refusal) = self.no_checks.at(self.now()) {
            return Ok(Err(refusal));
        }
        let github = self.github_for(Errand::Read);
        let read: Result<Vec<CheckRunSeen>, _> = github.check_runs(repository, head, name).await;
        match read {
            Ok(checks) => Ok(Ok(Arc::new(checks))),
            Err(error) => match error.refusal() {
                Some(refusal) => {
                    self.denied(&refusal);
                    Ok(Err(refusal))
                }
                None => Err(error.into()),
            },
        }
    }

    pub(super) async fn write_check(
        &self,
        repository: &Repository,
        known: Option<CheckRunId>,
        order: &CheckRunOrder,
    ) -> ChangeReply {
        let reply = self
            .github_for(Errand::Read)
            .write_check_run(repository, known, order)
            .await;
        if let ChangeAnswer::Refused(refusal) = &reply.answer {
            self.denied(refusal);
        }
        reply
    }

    fn denied(&self, refusal: &Refusal) {
        if self.no_checks.note(refusal, self.now()) {
            warn!(
                detail = refusal.message,
                "GitHub lets the App write no check runs: what becomes of interrupted jobs, and that jobs \
                 get no machine, says this log alone; give the App the permission Checks: write"
            );
        }
    }

    fn told_gate(&self, before: &CheckEntry, after: &CheckEntry) {
        let end = |entry: &CheckEntry| entry.gate.as_ref().and_then(|gate| gate.end.clone());
        let Some(ended) = end(after).filter(|_| end(before).is_none()) else {
            return;
        };
        self.metrics.gate(ended.as_str());
        info!(
            target: "reprise::decision",
            decision = "gate",
            reason = ended.as_str(),
            repository = %after.key.repository,
            run.id = %after.key.run_id,
            "a merge queue need not wait for a run any longer"
        );
    }
}

fn told_run(entry: &CheckEntry, order: &CheckRunOrder, reply: &ChangeReply) {
    info!(
        target: "reprise::decision",
        decision = "told",
        reason = reply.answer.as_str(),
        repository = %entry.key.repository,
        run.id = %entry.key.run_id,
        check.name = order.name,
        check.state = order.text.state.as_str(),
        check.title = order.text.title,
        detail = reply.detail,
        "people are told of a run on its commit"
    );
}
