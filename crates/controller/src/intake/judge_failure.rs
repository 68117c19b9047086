//! Why a job failed, read of GitHub and judged.
//!
//! A job's own event and the reading of its run often want to know at the same moment: one reads for both,
//! and tells of it.

use reprise_engine::failure::{FailureSaid, said};
use reprise_engine::pace::Errand;
use reprise_model::failure::Judgement;
use reprise_model::ids::{JobId, Repository};
use reprise_model::job::Job;
use tracing::info;

use crate::context::{Controller, WorkError};
use crate::once::Once;
use crate::ports::{GitHub, Ports};

/// What failures were judged to be, by the job.
pub(crate) type Judged = Once<(Repository, JobId), FailureSaid>;

/// The most judgements that are remembered, of a few hundred bytes each: those of a large matrix.
pub(crate) const MOST_JUDGED: usize = 256;

impl<P: Ports> Controller<P> {
    /// Reads why a job failed, and says what that is, unless that was done before.
    pub(super) async fn judge_failure(
        &self,
        repository: &Repository,
        job: &Job,
    ) -> Result<FailureSaid, WorkError> {
        let is_final = |said: &FailureSaid| matches!(said, FailureSaid::Judged(_));
        let key = (repository.clone(), job.id);
        let reading = self.read_failure(repository, job);
        self.judged.read(&key, is_final, reading).await
    }

    async fn read_failure(
        &self,
        repository: &Repository,
        job: &Job,
    ) -> Result<FailureSaid, WorkError> {
        let github = self.github_for(Errand::Rerun);
        let facts = match github.failure_facts(repository, job).await {
            Ok(facts) => Some(facts),
            // What GitHub refuses for good to show tells nothing.
            Err(error) if error.refusal().is_some() => None,
            Err(error) => return Err(error.into()),
        };
        let tables = self.settings.failures.tables();
        let window = self.settings.rules.look_window;
        let said = said(facts.as_ref(), tables, job.completed_at, window, self.now());
        if let FailureSaid::Judged(judgement) = &said {
            self.tell_judged(repository, job, judgement);
        }
        Ok(said)
    }

    fn tell_judged(&self, repository: &Repository, job: &Job, judgement: &Judgement) {
        self.metrics.judged(judgement.class.as_str());
        info!(
            target: "reprise::decision",
            decision = "judged",
            reason = judgement.class.as_str(),
            detail = %judgement,
            repository = %repository,
            run.id = %job.run_id,
            run.attempt = %job.run_attempt,
            job.id = %job.id,
            job.name,
            "a failure is judged by what the job left behind"
        );
    }
}
