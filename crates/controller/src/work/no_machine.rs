//! A job that gets no machine is told of at GitHub.
//!
//! What is told, and whether, the engine says ([`reprise_engine::no_machine`]). Each turn reads before it
//! changes anything, changes one thing at most, and commits what came of it; so a crash anywhere leads
//! back to a read. Of one run's jobs one is told of at a time, by what was read for all of them
//! ([`super::looks`]).

use reprise_engine::no_machine::{self, Asked, CheckWords, EndStep, JobWords};
use reprise_engine::pace::Errand;
use reprise_model::check::CHECK_NAME;
use reprise_model::job::Job;
use reprise_model::ledger::LaunchClaim;
use tracing::info;

use super::looks::{Checks, Look, Visitor};
use crate::claims::Claimed;
use crate::context::{Controller, WorkError};
use crate::ports::{ChangeReply, GitHub, Ports};

/// What was read so far.
#[derive(Default)]
struct Read {
    job: Option<Option<Job>>,
    checks: Option<Checks>,
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
        let came_at = self.now();
        let look = self.looks.of(claim, came_at);
        let visitor = Visitor { claim, came_at };
        let mut checks = look.checks.lock().await;
        let mut read = Read::default();
        loop {
            match no_machine::decide(claim, read.job(), read.checks(), self.now()) {
                EndStep::ReadJob => read.job = Some(self.waiting_job(&look, visitor).await?),
                EndStep::ReadChecks(head) => {
                    let reading = self.our_checks(repository, &head, CHECK_NAME);
                    let operation = "read the check runs of a commit";
                    let seen = self.see(&mut checks, visitor, operation, reading);
                    read.checks = Some(seen.await?);
                }
                EndStep::Write(known, order) => {
                    checks.forget();
                    let reply = self.write_check(repository, known, &order).await;
                    return Ok(self.after_reply(claim, Asked::Check, &reply));
                }
                EndStep::Cancel => {
                    self.forget_jobs(&look).await;
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

    /// The job of a claim as it stands; `None` where it is not there (any more).
    async fn waiting_job(
        &self,
        look: &Look,
        visitor: Visitor<'_>,
    ) -> Result<Option<Job>, WorkError> {
        let jobs = self.jobs_seen(look, visitor, Errand::Read).await?;
        let id = visitor.claim.key.job_id;
        Ok(jobs.and_then(|jobs| jobs.iter().find(|job| job.id == id).cloned()))
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
