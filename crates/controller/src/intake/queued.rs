//! A job waits for a machine.

use reprise_engine::launch::{self, QueuedFacts, QueuedVerdict};
use reprise_engine::run;
use reprise_engine::select::Ec2Facts;
use reprise_model::ids::Repository;
use reprise_model::job::Job;
use reprise_model::labels;
use reprise_model::ledger::{ClaimKey, LaunchClaim, RunKey};
use reprise_model::reason::{IgnoreReason, LaunchRefusal};
use reprise_store::{Expect, Store, StoreError};
use tracing::{info, warn};

use crate::claims::Claimed;
use crate::context::{Controller, WorkError};
use crate::intake::Outcome;
use crate::ports::Ports;

impl<P: Ports> Controller<P> {
    pub(crate) async fn queued(
        &self,
        repository: &Repository,
        job: &Job,
    ) -> Result<Outcome, WorkError> {
        let key = ClaimKey {
            repository: repository.clone(),
            job_id: job.id,
        };
        let claim = match &self.settings.fleet {
            Some(_) => self.store.claim(&key).await?,
            None => None,
        };
        let labels = labels::parse(&job.labels);
        let mut ec2 = Ec2Facts::default();
        let facts = QueuedFacts {
            repository,
            job,
            repository_allowed: self.allows(repository),
            labels: &labels,
            policy: self.policy_of(repository, job),
            asked_by_us: self.asked_by_us(repository, job).await?,
            claim: claim.as_ref().map(|claim| &claim.record),
            fleet: self.settings.fleet.as_ref().map(|fleet| &fleet.offer),
            ec2: &Ec2Facts::default(),
        };
        // Each turn reads something that was not known before, and there is little to know.
        loop {
            let facts = QueuedFacts { ec2: &ec2, ..facts };
            match launch::queued(&facts, &self.settings.rules, self.now()) {
                QueuedVerdict::Ignore(reason) => return Ok(Outcome::Ignored(reason)),
                QueuedVerdict::Refuse(refusal) => return Ok(refused(repository, job, &refusal)),
                QueuedVerdict::Launch(claim) => return self.claim(claim).await,
                QueuedVerdict::Read(need) => self.read_of_ec2(need, &mut ec2).await?,
            }
        }
    }

    /// Whether the job's attempt is one that the ledger says we asked for.
    async fn asked_by_us(&self, repository: &Repository, job: &Job) -> Result<bool, WorkError> {
        if job.run_attempt.is_first() {
            return Ok(false);
        }
        let key = RunKey {
            repository: repository.clone(),
            run_id: job.run_id,
        };
        let entry = self.store.run(&key).await?;
        Ok(entry.is_some_and(|entry| run::asked_for(&entry.record, job.run_attempt)))
    }

    /// The claim is ours, and durable: whatever becomes of this process, its deadline stands in it.
    async fn launch_here(&self, claim: LaunchClaim) {
        let Some(claimed) = Claimed::born(claim) else {
            return;
        };
        match self.own.push(claimed) {
            None => self.due.notify_one(),
            // The end has come between the message and its commit.
            Some(claimed) => self.hand_back(&claimed).await,
        }
    }

    async fn claim(&self, claim: LaunchClaim) -> Result<Outcome, WorkError> {
        match self
            .store
            .commit(vec![self.put_claim(claim.clone(), Expect::Absent)])
            .await
        {
            Ok(()) => {
                wanted(&claim);
                self.launch_here(claim).await;
                Ok(Outcome::LaunchDue)
            }
            // The same event reached us twice at once, and the other one was faster.
            Err(StoreError::Conflict { .. }) => Ok(Outcome::Ignored(IgnoreReason::AlreadyClaimed)),
            Err(error) => Err(error.into()),
        }
    }
}

fn wanted(claim: &LaunchClaim) {
    info!(
        target: "reprise::decision",
        decision = "launch",
        repository = %claim.key.repository,
        run.id = %claim.run_id,
        run.attempt = %claim.attempt,
        job.id = %claim.key.job_id,
        job.name = claim.job_name,
        runner.labels = claim.runner_labels.join(" "),
        capacity = %claim.spec.capacity,
        reason = claim.why.as_str(),
        "a machine is wanted for a queued job"
    );
}

fn refused(repository: &Repository, job: &Job, refusal: &LaunchRefusal) -> Outcome {
    warn!(
        target: "reprise::decision",
        decision = "launch-refused",
        repository = %repository,
        run.id = %job.run_id,
        run.attempt = %job.run_attempt,
        job.id = %job.id,
        job.name,
        reason = refusal.as_str(),
        detail = %refusal,
        "no machine will be launched for a queued job; its runs-on label must be changed"
    );
    Outcome::LaunchRefused(refusal.as_str())
}
