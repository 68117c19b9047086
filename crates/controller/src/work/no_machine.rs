//! A job that gets no machine is told of at GitHub.
//!
//! What is told, and whether, the engine says ([`reprise_engine::no_machine`]). Each turn reads before it
//! changes anything, changes one thing at most, and commits what came of it; so a crash anywhere leads
//! back to a read.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use reprise_engine::no_machine::{
    self, Asked, CheckStep, CheckWords, EndStep, JobWords, Over, Unserved, Why,
};
use reprise_engine::pace::Errand;
use reprise_model::ending::{ChangeAnswer, CheckRunOrder, CheckRunSeen};
use reprise_model::ids::{CheckRunId, JobId, Repository, Sha};
use reprise_model::job::Job;
use reprise_model::ledger::LaunchClaim;
use reprise_model::reason::{LaunchRefusal, Refusal};
use tracing::{debug, info, warn};

use crate::claims::Claimed;
use crate::context::{Controller, WorkError};
use crate::ports::{ChangeReply, GitHub, PortError, PortErrorKind, Ports};

/// Refused jobs that were told of by this process: a search finds each of them again and again. Forgotten
/// when there are too many, which costs two reads each.
#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<BTreeSet<JobId>>);

/// How many jobs are remembered.
const REMEMBERED: usize = 10_000;

impl Told {
    fn knows(&self, job: JobId) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(&job)
    }

    fn remember(&self, job: JobId) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= REMEMBERED {
            told.clear();
        }
        told.insert(job);
    }
}

/// What was read so far.
#[derive(Default)]
struct Read {
    job: Option<Option<Job>>,
    checks: Option<Result<Vec<CheckRunSeen>, Refusal>>,
}

impl Read {
    fn job(&self) -> JobWords<'_> {
        match &self.job {
            None => JobWords::Unread,
            Some(Some(job)) => JobWords::Seen(job),
            Some(None) => JobWords::Gone,
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
    /// Goes on with telling of a launch that was given up.
    pub(super) async fn tell_end(
        &self,
        mut claimed: Claimed<LaunchClaim>,
    ) -> Result<(), WorkError> {
        let claim = claimed.record.clone();
        let told = Box::pin(self.told_end(&claim));
        let after = self.while_claimed(&mut claimed, told).await??;
        let goes_on = after.due.is_some();
        self.conclude_claim(&claimed, after).await?;
        if goes_on {
            self.due.notify_one();
        }
        Ok(())
    }

    /// The claim after one turn.
    async fn told_end(&self, claim: &LaunchClaim) -> Result<LaunchClaim, WorkError> {
        let repository = &claim.key.repository;
        let mut read = Read::default();
        loop {
            match no_machine::decide(claim, read.job(), read.checks(), self.now()) {
                EndStep::ReadJob => read.job = Some(self.waiting_job(claim).await?),
                EndStep::ReadChecks(head) => {
                    read.checks = Some(self.our_checks(repository, &head).await?);
                }
                EndStep::Write(known, order) => {
                    let reply = self.write_check(repository, known, &order).await;
                    return Ok(self.after_reply(claim, Asked::Check, &reply));
                }
                EndStep::Cancel => {
                    let reply = self
                        .github_for(Errand::Read)
                        .cancel_run(repository, claim.run_id)
                        .await;
                    return Ok(self.after_reply(claim, Asked::Cancel, &reply));
                }
                EndStep::Commit(after) => return Ok(after),
            }
        }
    }

    fn after_reply(&self, claim: &LaunchClaim, asked: Asked, reply: &ChangeReply) -> LaunchClaim {
        self.metrics.told(asked.as_str(), reply.answer.as_str());
        told_reply(claim, asked, reply);
        no_machine::answered(
            claim,
            asked,
            &reply.answer,
            reply.retry_after,
            (self.now(), self.jitter()),
            &self.settings.rules,
        )
    }

    /// Tells of a job that asks for what it cannot have, while its message is held. It was queued when it
    /// was sent or found, so it is not read again.
    pub(crate) async fn tell_refused(
        &self,
        repository: &Repository,
        job: &Job,
        refusal: &LaunchRefusal,
    ) -> Result<(), WorkError> {
        if self.told.knows(job.id) {
            return Ok(());
        }
        let unserved = Unserved {
            run_id: job.run_id,
            attempt: job.run_attempt,
            job_id: job.id,
            job_name: &job.name,
            why: Why::Refused(refusal),
        };
        let mut read = Read {
            job: Some(Some(job.clone())),
            checks: None,
        };
        loop {
            match no_machine::check(&unserved, read.job(), read.checks()) {
                // Known from the beginning.
                CheckStep::ReadJob => return Ok(()),
                CheckStep::ReadChecks(head) => {
                    read.checks = Some(self.our_checks(repository, &head).await?);
                }
                CheckStep::Write(known, order) => {
                    let reply = self.write_check(repository, known, &order).await;
                    self.metrics
                        .told(Asked::Check.as_str(), reply.answer.as_str());
                    match reply.answer {
                        ChangeAnswer::Accepted | ChangeAnswer::Refused(_) => break,
                        ChangeAnswer::NotNow | ChangeAnswer::Unclear => {
                            return Err(not_written(reply).into());
                        }
                    }
                }
                CheckStep::Over(over) => {
                    told_over(repository, job, &over);
                    break;
                }
            }
        }
        self.told.remember(job.id);
        Ok(())
    }

    /// The job of a claim as it stands; `None` where it is not there (any more).
    async fn waiting_job(&self, claim: &LaunchClaim) -> Result<Option<Job>, WorkError> {
        let github = self.github_for(Errand::Read);
        let jobs = github.jobs(&claim.key.repository, claim.run_id, claim.attempt);
        match jobs.await {
            Ok(jobs) => Ok(jobs.into_iter().find(|job| job.id == claim.key.job_id)),
            Err(error) if error.refusal().is_some() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn our_checks(
        &self,
        repository: &Repository,
        head: &Sha,
    ) -> Result<Result<Vec<CheckRunSeen>, Refusal>, WorkError> {
        if let Some(refusal) = self.no_checks.at(self.now()) {
            return Ok(Err(refusal));
        }
        match self
            .github_for(Errand::Read)
            .check_runs(repository, head)
            .await
        {
            Ok(checks) => Ok(Ok(checks)),
            Err(error) => match error.refusal() {
                Some(refusal) => {
                    self.denied(&refusal);
                    Ok(Err(refusal))
                }
                None => Err(error.into()),
            },
        }
    }

    async fn write_check(
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
                "GitHub lets the App write no check runs: jobs that get no machine say so in this log \
                 alone; give the App the permission Checks: write"
            );
        }
    }
}

fn not_written(reply: ChangeReply) -> PortError {
    PortError {
        operation: "write a check run",
        kind: PortErrorKind::Passing,
        retry_after: reply.retry_after,
        source: reply.detail.into(),
    }
}

fn told_reply(claim: &LaunchClaim, asked: Asked, reply: &ChangeReply) {
    info!(
        target: "reprise::decision",
        decision = asked.as_str(),
        reason = reply.answer.as_str(),
        repository = %claim.key.repository,
        run.id = %claim.run_id,
        run.attempt = %claim.attempt,
        job.id = %claim.key.job_id,
        job.name = claim.job_name,
        detail = reply.detail,
        "GitHub was told that a job gets no machine"
    );
}

fn told_over(repository: &Repository, job: &Job, over: &Over) {
    debug!(
        repository = %repository,
        run.id = %job.run_id,
        job.id = %job.id,
        reason = over.as_str(),
        "no check run is written"
    );
}
