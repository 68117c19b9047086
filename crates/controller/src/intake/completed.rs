//! A job has completed: was its instance taken from it?

use reprise_engine::job::{self, Earlier, Host, JobFacts, JobVerdict, Triage};
use reprise_engine::run;
use reprise_model::evidence::Evidence;
use reprise_model::ids::{Repository, RunnerName};
use reprise_model::instance::{Instance, InstanceSight};
use reprise_model::job::{Execution, Job};
use reprise_model::ledger::{InstanceEntry, RunKey, UnexplainedJob};
use reprise_model::reason::SettleReason;
use reprise_store::Store;
use tracing::info;

use crate::clock::Clock;
use crate::context::{Controller, WorkError};
use crate::intake::Outcome;
use crate::ports::{Cloud, Ports};

impl<P: Ports> Controller<P> {
    /// Looks, as often as the decision asks for it, and carries the verdict out. Nothing is
    /// written while it looks: the message is held, and comes again should the process end.
    pub(crate) async fn completed(
        &self,
        repository: &Repository,
        job: &Job,
    ) -> Result<Outcome, WorkError> {
        loop {
            // Asked for before the look, so that evidence stored in between is not missed.
            let evidence = self.evidence.notified();
            tokio::pin!(evidence);
            evidence.as_mut().enable();
            match self.judge(repository, job).await? {
                JobVerdict::LookAgain { at, .. } => {
                    tokio::select! {
                        paused = self.pause_until(at) => paused?,
                        () = evidence => {}
                    }
                }
                verdict => return self.carry_out(repository, job, verdict).await,
            }
        }
    }

    /// One look, one verdict. Reads earlier attempts when the decision asks for them.
    pub(crate) async fn judge(
        &self,
        repository: &Repository,
        job: &Job,
    ) -> Result<JobVerdict, WorkError> {
        let allowed = self.allows(repository);
        if let Triage::Decided(verdict) = job::triage(job, allowed, self.fleet_rule()) {
            return Ok(verdict);
        }
        let found = self.find_host(job.runner_name.as_ref()).await?;
        let verdict = self.verdict(repository, job, &found, Earlier::Unread);
        if verdict != JobVerdict::ReadEarlier {
            return Ok(verdict);
        }
        let earlier = self.earlier_executions(repository, job).await?;
        Ok(self.verdict(repository, job, &found, Earlier::Read(&earlier)))
    }

    fn verdict(
        &self,
        repository: &Repository,
        job: &Job,
        found: &Found,
        earlier: Earlier<'_>,
    ) -> JobVerdict {
        let facts = JobFacts {
            job,
            repository_allowed: self.allows(repository),
            host: found.as_host(),
            earlier,
            policy: self.policy_of(repository, job),
            fleet: self.fleet_rule(),
        };
        job::completed(&facts, &self.settings.rules, self.clock.now())
    }

    /// Looks for the instance that the runner's name tells, in the region that it tells or in
    /// each of ours.
    async fn find_host(&self, runner: Option<&RunnerName>) -> Result<Found, WorkError> {
        let Some(runner) = runner else { return Ok(Found::None) };
        let Some(named) = self.settings.runner_name.read(runner) else {
            return Ok(Found::NotNamed);
        };
        let mut found = Found::ElsewhereRegion;
        for place in &self.settings.places {
            if named.region.as_ref().is_some_and(|region| *region != place.region) {
                continue;
            }
            let instance = Instance {
                account: place.account.clone(),
                region: place.region.clone(),
                id: named.id.clone(),
            };
            let sight = self.cloud.look(&place.region, &named.id).await?;
            let remembered = self.store.instance(&instance).await?.map(|entry| entry.record);
            let known = remembered.is_some() || matches!(sight, InstanceSight::Seen(_));
            found = Found::Looked { sight, remembered };
            if known {
                break;
            }
        }
        Ok(found)
    }

    /// The executions of the same job key in all earlier attempts, oldest first.
    async fn earlier_executions(
        &self,
        repository: &Repository,
        job: &Job,
    ) -> Result<Vec<Execution>, WorkError> {
        let current = self.jobs_of(repository, job.run_id, job.run_attempt).await?;
        let Some(key) = current.keys.get(&job.id).cloned() else { return Ok(Vec::new()) };
        let mut executions: Vec<Execution> = Vec::new();
        for number in 1..job.run_attempt.get() {
            let Some(attempt) = reprise_model::ids::RunAttempt::new(number) else { continue };
            let earlier = self.jobs_of(repository, job.run_id, attempt).await?;
            let same = earlier.jobs.iter().find(|other| earlier.keys.get(&other.id) == Some(&key));
            executions.extend(same.map(Job::execution).filter(|one| !executions.contains(one)));
        }
        Ok(executions)
    }

    async fn carry_out(
        &self,
        repository: &Repository,
        job: &Job,
        verdict: JobVerdict,
    ) -> Result<Outcome, WorkError> {
        match verdict {
            JobVerdict::Ignore(reason) => Ok(Outcome::Ignored(reason)),
            JobVerdict::Settle { reason, end, ran_on, evidence } => {
                if let Some(instance) = &ran_on {
                    self.remember(repository, job, instance, &evidence, &reason).await?;
                }
                if let Some(instance) = &end {
                    self.end(instance).await?;
                }
                self.settled(repository, job, &reason);
                Ok(Outcome::Settled(reason))
            }
            JobVerdict::Await { instance, evidence, .. } => {
                self.await_run(repository, job, &instance, &evidence).await?;
                Ok(Outcome::Awaiting)
            }
            // Both are answered by `completed` and `judge`; a caller that looks only once has
            // nothing to carry out.
            JobVerdict::LookAgain { .. } | JobVerdict::ReadEarlier => Ok(Outcome::RunDue),
        }
    }

    /// Keeps what may be forgotten elsewhere: evidence, and a job that late evidence may reopen.
    async fn remember(
        &self,
        repository: &Repository,
        job: &Job,
        instance: &Instance,
        evidence: &[Evidence],
        reason: &SettleReason,
    ) -> Result<(), WorkError> {
        let now = self.now();
        if *reason == SettleReason::NotInterrupted {
            let unexplained = UnexplainedJob { repository: repository.clone(), job: job.clone() };
            let rules = &self.settings.rules;
            self.change_instance(instance, |entry| {
                job::unexplained(entry.cloned(), instance, unexplained.clone(), rules, now)
            })
            .await?;
            self.wake_run(&RunKey { repository: repository.clone(), run_id: job.run_id }).await?;
        } else if !evidence.is_empty() {
            self.change_instance(instance, |entry| {
                job::with_evidence(entry.cloned(), instance, evidence)
            })
            .await?;
        }
        Ok(())
    }

    /// A run that waits for this job's verdict need not wait longer.
    async fn wake_run(&self, key: &RunKey) -> Result<(), WorkError> {
        let now = self.now();
        if self.change_run(key, |entry| run::woken(entry?.clone(), now)).await?.is_some() {
            self.due.notify_one();
        }
        Ok(())
    }

    async fn end(&self, instance: &Instance) -> Result<(), WorkError> {
        self.cloud.terminate(instance).await?;
        info!(
            target: "reprise::decision",
            decision = "terminate",
            instance.id = %instance.id,
            instance.region = %instance.region,
            "an instance whose job has ended is terminated"
        );
        Ok(())
    }

    fn settled(&self, repository: &Repository, job: &Job, reason: &SettleReason) {
        self.metrics.verdict(reason.as_str());
        info!(
            target: "reprise::decision",
            decision = "settled",
            repository = %repository,
            run.id = %job.run_id,
            run.attempt = %job.run_attempt,
            job.id = %job.id,
            job.name,
            reason = reason.as_str(),
            detail = %reason,
            "a job is settled"
        );
    }
}

/// What was found of a job's host, owned.
enum Found {
    None,
    NotNamed,
    ElsewhereRegion,
    Looked { sight: InstanceSight, remembered: Option<InstanceEntry> },
}

impl Found {
    fn as_host(&self) -> Host<'_> {
        match self {
            Self::None => Host::None,
            Self::NotNamed => Host::NotNamed,
            Self::ElsewhereRegion => Host::ElsewhereRegion,
            Self::Looked { sight, remembered } => {
                Host::Looked { sight, remembered: remembered.as_ref() }
            }
        }
    }
}
