//! A job has completed: was its instance taken from it?

use reprise_engine::job::{self, JobVerdict};
use reprise_engine::run;
use reprise_model::evidence::Evidence;
use reprise_model::ids::{InstanceId, Repository};
use reprise_model::instance::Instance;
use reprise_model::job::Job;
use reprise_model::ledger::{ClaimKey, RunKey, UnexplainedJob};
use reprise_model::reason::{EndReason, SettleReason};
use reprise_store::Store;
use tracing::{debug, info, warn};

use crate::context::{Controller, WorkError};
use crate::intake::Outcome;
use crate::logging::chain;
use crate::ports::Ports;

impl<P: Ports> Controller<P> {
    /// Looks, as often as the decision asks for it, and carries the verdict out. Nothing is
    /// written while it looks: the message is held, and comes again should the process end.
    pub(crate) async fn completed(
        &self,
        repository: &Repository,
        job: &Job,
    ) -> Result<Outcome, WorkError> {
        let listener = self
            .named_instance(job)
            .map(|named| self.bells.listen(&named.id));
        let mut evidence_came_between = false;
        loop {
            // Before the look, so that evidence stored during it is not missed.
            let rung = listener.as_ref().map(|listener| listener.rung());
            // In a box, as is all that the wait for the next look would keep room for.
            let (verdict, other) = Box::pin(self.judge_and_see(repository, job)).await?;
            if let JobVerdict::LookAgain { at, .. } = verdict {
                looking(repository, job);
                tokio::select! {
                    // The pause first: it tells of the end.
                    biased;
                    paused = self.pause_until(at) => paused?,
                    () = heard(rung) => {}
                }
                continue;
            }
            if !evidence_came_between
                && Box::pin(self.leave_unexplained(repository, job, &verdict)).await?
            {
                evidence_came_between = true;
                continue;
            }
            self.tell_of_policy(repository, job);
            if let Some((key, instance)) = other {
                self.ask_of_robbed(job, &key, &instance).await?;
            }
            return Box::pin(self.carry_out(repository, job, verdict)).await;
        }
    }

    /// A label that names what it may not is told of where its job failed.
    fn tell_of_policy(&self, repository: &Repository, job: &Job) {
        let refused = self.policy_of(repository, job).refused;
        if let Some(refused) = refused.filter(|_| job.is_unsuccessful()) {
            info!(
                target: "reprise::decision",
                decision = "policy-refused",
                reason = refused.as_str(),
                detail = %refused,
                repository = %repository,
                run.id = %job.run_id,
                job.id = %job.id,
                job.name,
                "what a label says of re-runs is not allowed, and counts as if it said nothing"
            );
        }
    }

    /// The job of another run for which the instance was launched may wait for a machine in vain. Jobs of
    /// one run often take each other's, and lose nothing by it.
    async fn ask_of_robbed(
        &self,
        job: &Job,
        key: &ClaimKey,
        instance: &InstanceId,
    ) -> Result<(), WorkError> {
        let claim = self.store.claim(key).await?;
        if claim.is_some_and(|claim| claim.record.run_id != job.run_id) {
            self.ask_of_holder(key, instance).await?;
        }
        Ok(())
    }

    /// Makes a verdict durable, then acts on it.
    pub(crate) async fn carry_out(
        &self,
        repository: &Repository,
        job: &Job,
        verdict: JobVerdict,
    ) -> Result<Outcome, WorkError> {
        let kept = verdict.given_up().is_some().then(|| verdict.clone());
        match verdict {
            JobVerdict::Ignore(reason) => Ok(Outcome::Ignored(reason)),
            JobVerdict::Settle {
                reason,
                end,
                ran_on,
                evidence,
                ..
            } => {
                let has_evidence = !evidence.is_empty();
                if reason == SettleReason::Uncorroborated {
                    self.metrics.unverified(repository, ran_on.as_ref());
                }
                let is_told = match &kept {
                    Some(kept) => self.bury(repository, job, kept).await?,
                    None => false,
                };
                if has_evidence && reason != SettleReason::Succeeded {
                    match Box::pin(self.tell_left_alone(repository, job, &reason)).await {
                        // It is no part of the verdict. But what the ledger keeps for people to see they
                        // are told of on the commit too, if by another delivery.
                        Err(error) if kept.is_none() => warn!(
                            error = %chain(&error),
                            job.id = %job.id,
                            "nobody is told on its commit that an interrupted job is not re-run"
                        ),
                        told => told?,
                    }
                }
                // Once it counts as judged, nobody comes back to it: people are to know by then.
                if let Some(instance) = ran_on.filter(|_| has_evidence)
                    && self.explain(job, &instance, &evidence).await?
                    && !is_told
                {
                    self.settled(repository, job, &reason, None);
                }
                if reason != SettleReason::Succeeded {
                    self.wake_run(repository, job).await?;
                }
                match &end {
                    Some(instance) if has_evidence => {
                        self.end(instance, EndReason::JobEnded).await?;
                    }
                    Some(instance) => self.end_with_job(instance).await?,
                    None => {}
                }
                if !has_evidence && !is_told {
                    self.settled(repository, job, &reason, end.as_ref());
                }
                Ok(Outcome::Settled(reason))
            }
            JobVerdict::Await { .. } => {
                self.await_run(repository, job, &verdict).await?;
                Ok(Outcome::Awaiting)
            }
            JobVerdict::Retry { ref end, .. } => {
                self.await_run(repository, job, &verdict).await?;
                if let Some(instance) = end {
                    self.end(instance, EndReason::JobEnded).await?;
                }
                Ok(Outcome::Awaiting)
            }
            // Nothing to carry out yet: whoever asked looks again.
            JobVerdict::LookAgain { .. }
            | JobVerdict::ReadEarlier
            | JobVerdict::ReadFailure
            | JobVerdict::Ask(_) => Ok(Outcome::Looking),
        }
    }

    /// Keeps a job that its policy gives up, so that people see it. Whether it was there before, and so was
    /// told of: the run may be read before the job's own event comes.
    async fn bury(
        &self,
        repository: &Repository,
        job: &Job,
        verdict: &JobVerdict,
    ) -> Result<bool, WorkError> {
        let key = RunKey {
            repository: repository.clone(),
            run_id: job.run_id,
        };
        let now = self.now();
        let kept = self
            .change_run(&key, |entry| {
                run::bury(entry.cloned(), key.clone(), job, verdict, now)
            })
            .await?;
        if kept.is_some() {
            return Ok(false);
        }
        let known = self.store.run(&key).await?;
        Ok(known.is_some_and(|known| run::knows(&known.record, job)))
    }

    /// Remembers a job that is settled as not interrupted, where nothing else would tell of it when
    /// evidence comes late. True when evidence stands in the record: it may have come between the look and now, and whoever
    /// stored it found no job to reopen.
    async fn leave_unexplained(
        &self,
        repository: &Repository,
        job: &Job,
        verdict: &JobVerdict,
    ) -> Result<bool, WorkError> {
        if !is_without_evidence(verdict) {
            return Ok(false);
        }
        let (JobVerdict::Settle {
            ran_on: Some(instance),
            ..
        }
        | JobVerdict::Retry {
            ran_on: Some(instance),
            ..
        }) = verdict
        else {
            return Ok(false);
        };
        let unexplained = UnexplainedJob {
            repository: repository.clone(),
            job: job.clone(),
        };
        let (fleet, rules, now) = (self.fleet_rule(), &self.settings.rules, self.now());
        let changed = self
            .change_instance(instance, |entry| {
                let unexplained = unexplained.clone();
                job::unexplained(entry.cloned(), instance, unexplained, fleet, rules, now)
            })
            .await?;
        let entry = changed.after.or(changed.before);
        Ok(entry.is_some_and(|entry| !entry.evidence.is_empty()))
    }

    /// Keeps the evidence by which a job was judged: EC2 forgets it. False when the record says that
    /// this job was judged by it before, as by an event that was delivered twice or by a sweep.
    pub(crate) async fn explain(
        &self,
        job: &Job,
        instance: &Instance,
        evidence: &[Evidence],
    ) -> Result<bool, WorkError> {
        let changed = self
            .change_instance(instance, |entry| {
                job::explained(entry.cloned(), instance, evidence, job.id)
            })
            .await?;
        let judged_before = changed.before.and_then(|entry| entry.judged);
        Ok(judged_before != Some(job.id))
    }

    /// A run that waits for this job's verdict need not wait longer.
    async fn wake_run(&self, repository: &Repository, job: &Job) -> Result<(), WorkError> {
        let key = RunKey {
            repository: repository.clone(),
            run_id: job.run_id,
        };
        let now = self.now();
        if self
            .change_run(&key, |entry| run::woken(entry?.clone(), now))
            .await?
            .is_some()
        {
            self.due.notify_one();
        }
        Ok(())
    }

    /// Ends the instance of a job that is settled in the same breath, whose line names it for people.
    async fn end_with_job(&self, instance: &Instance) -> Result<(), WorkError> {
        self.terminate_for(instance, EndReason::JobEnded).await?;
        debug!(
            target: "reprise::decision",
            decision = "terminate",
            instance.id = %instance.id,
            reason = EndReason::JobEnded.as_str(),
            "an instance is terminated with its job"
        );
        Ok(())
    }

    pub(crate) async fn end(&self, instance: &Instance, why: EndReason) -> Result<(), WorkError> {
        self.terminate_for(instance, why).await?;
        info!(
            target: "reprise::decision",
            decision = "terminate",
            instance.id = %instance.id,
            instance.region = %instance.region,
            reason = why.as_str(),
            detail = %why,
            "an instance is terminated"
        );
        Ok(())
    }

    async fn terminate_for(&self, instance: &Instance, why: EndReason) -> Result<(), WorkError> {
        self.terminate_in_turn(instance).await?;
        self.metrics.terminated(why.as_str());
        Ok(())
    }

    fn settled(
        &self,
        repository: &Repository,
        job: &Job,
        reason: &SettleReason,
        ended: Option<&Instance>,
    ) {
        self.metrics.verdict(reason.as_str());
        info!(
            target: "reprise::decision",
            decision = "settled",
            repository = %repository,
            run.id = %job.run_id,
            run.attempt = %job.run_attempt,
            job.id = %job.id,
            job.name,
            instance.ended = ended.map(|ended| tracing::field::display(&ended.id)),
            reason = reason.as_str(),
            detail = %reason,
            "a job is settled"
        );
    }
}

/// Whether only evidence that comes late could change what becomes of it.
fn is_without_evidence(verdict: &JobVerdict) -> bool {
    match verdict {
        JobVerdict::Settle {
            reason,
            evidence,
            given_up,
            ..
        } => {
            let lacked = [SettleReason::NotInterrupted, SettleReason::Uncorroborated];
            evidence.is_empty() && (lacked.contains(reason) || given_up.is_some())
        }
        JobVerdict::Retry { .. } => true,
        JobVerdict::Ignore(_)
        | JobVerdict::LookAgain { .. }
        | JobVerdict::ReadEarlier
        | JobVerdict::ReadFailure
        | JobVerdict::Ask(_)
        | JobVerdict::Await { .. } => false,
    }
}

fn looking(repository: &Repository, job: &Job) {
    debug!(
        target: "reprise::decision",
        decision = "looking",
        reason = "no-evidence-yet",
        repository = %repository,
        run.id = %job.run_id,
        job.id = %job.id,
        job.name,
        "a job that did not succeed is looked at again"
    );
}

/// Never, where there is no bell to hear.
async fn heard(rung: Option<impl Future<Output = ()>>) {
    match rung {
        Some(rung) => rung.await,
        None => std::future::pending().await,
    }
}
