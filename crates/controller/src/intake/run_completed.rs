//! GitHub says that a run has completed.

use reprise_engine::pace::Errand;
use reprise_engine::run;
use reprise_model::ids::Repository;
use reprise_model::job::{Conclusion, Job};
use reprise_model::ledger::RunKey;
use reprise_model::reason::IgnoreReason;
use reprise_model::run::Run;

use crate::context::{Controller, WorkError};
use crate::intake::Outcome;
use crate::ports::{GitHub, Ports};

impl<P: Ports> Controller<P> {
    /// Makes the run due at once. The event is only a hint (one early `completed` is on record):
    /// the run is read before anything is done.
    pub(crate) async fn run_completed(
        &self,
        repository: &Repository,
        told: &Run,
    ) -> Result<Outcome, WorkError> {
        if !self.allows(repository) {
            return Ok(Outcome::Ignored(IgnoreReason::RepositoryNotAllowed));
        }
        let key = RunKey {
            repository: repository.clone(),
            run_id: told.id,
        };
        let now = self.now();
        let woken = self
            .change_run(&key, |entry| run::woken(entry?.clone(), now))
            .await?;
        // Boxed: few events need it, and all would pay for its size.
        if woken.is_some() || Box::pin(self.finds_failures(&key, told)).await? {
            self.due.notify_one();
            Ok(Outcome::RunDue)
        } else {
            Ok(Outcome::Ignored(IgnoreReason::NothingAwaited))
        }
    }

    /// The events of failed jobs may be lost, and no sweep finds them: a run that ended as failed is
    /// looked into where policies re-run failures. Whether it has such jobs.
    async fn finds_failures(&self, key: &RunKey, told: &Run) -> Result<bool, WorkError> {
        let workflow = told.workflow_name.as_deref();
        let policies = &self.settings.policies;
        let has_failed = told.conclusion == Some(Conclusion::Failure);
        if !has_failed || !policies.may_retry_failures(&key.repository, workflow) {
            return Ok(false);
        }
        let github = self.github_for(Errand::Rerun);
        let jobs = match github
            .jobs(&key.repository, key.run_id, told.run_attempt)
            .await
        {
            Ok(jobs) => jobs,
            // Whoever may not read the run may not re-run it either.
            Err(error) if error.refusal().is_some() => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let by_policy = |job: &Job| {
            let policy = self.policy_of(&key.repository, job).retry;
            let retries = policy.failure().is_some() || policy.endpoint().is_some();
            job.is_unsuccessful() && retries
        };
        if !jobs.iter().any(by_policy) {
            return Ok(false);
        }
        let now = self.now();
        let opened = self
            .change_run(key, |entry| run::failed(entry.cloned(), key.clone(), now))
            .await?;
        Ok(opened.is_some())
    }
}
