//! Which jobs of a run had a runner in an attempt that is over.
//!
//! The dependents of a job that was re-run are queued together, by the dozen, and each wants to know whether
//! it ran before. An attempt that another followed does not change any more: one reads its list, for all.

use std::collections::BTreeSet;
use std::sync::Arc;

use reprise_engine::capacity::{self, Past};
use reprise_engine::pace::Errand;
use reprise_engine::run;
use reprise_model::ids::{Repository, RunAttempt};
use reprise_model::job::Job;
use reprise_model::ledger::RunKey;
use reprise_store::{Store, StoreError};
use tracing::debug;

use crate::context::Controller;
use crate::logging::chain;
use crate::once::Once;
use crate::ports::{GitHub, PortError, Ports};

/// The names of the jobs that had a runner, of each attempt that is over.
pub(crate) type Pasts = Once<(RunKey, RunAttempt), Arc<BTreeSet<String>>>;

/// The most attempts that are remembered, of 2,000 names each at most.
pub(crate) const MOST_PASTS: usize = 16;

impl<P: Ports> Controller<P> {
    /// What was before a queued job's attempt, as far as that matters.
    pub(crate) async fn past_of(
        &self,
        repository: &Repository,
        job: &Job,
    ) -> Result<Past, StoreError> {
        let key = RunKey {
            repository: repository.clone(),
            run_id: job.run_id,
        };
        if job.run_attempt.is_first() {
            return Ok(Past {
                asked_by_us: false,
                ran_before: false,
                advised: None,
            });
        }
        let entry = self.store.run(&key).await?;
        Ok(Past {
            asked_by_us: entry
                .as_ref()
                .is_some_and(|entry| run::asked_for(&entry.record, job.run_attempt)),
            advised: entry
                .as_ref()
                .and_then(|entry| run::advised_capacity(&entry.record, job)),
            ran_before: self.ran_before(&key, job).await,
        })
    }

    /// Whether it ran in an earlier attempt. Where GitHub does not tell now, it may have: a machine need not
    /// wait for that.
    async fn ran_before(&self, run: &RunKey, job: &Job) -> bool {
        let mode = self.settings.rules.on_demand_retries;
        let is_served = self.allows(&run.repository) && self.settings.fleet.is_some();
        if !is_served || !capacity::asks_whether_it_ran(job.run_attempt, mode) {
            return true;
        }
        // Boxed: few jobs need it, and all would pay for its size.
        match Box::pin(self.find_among_those_that_ran(run, job)).await {
            Ok(ran) => ran,
            Err(error) => {
                debug!(
                    error = %chain(&error),
                    repository = %run.repository,
                    run.id = %run.run_id,
                    job.id = %job.id,
                    "failed to read whether a job ran in an earlier attempt; it is taken to have"
                );
                true
            }
        }
    }

    async fn find_among_those_that_ran(&self, run: &RunKey, job: &Job) -> Result<bool, PortError> {
        let earlier = (1..job.run_attempt.get()).rev();
        for attempt in earlier.filter_map(RunAttempt::new) {
            if self.ran_in(run, attempt).await?.contains(&job.name) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn ran_in(
        &self,
        run: &RunKey,
        attempt: RunAttempt,
    ) -> Result<Arc<BTreeSet<String>>, PortError> {
        let reading = async {
            let github = self.github_for(Errand::Launch);
            let jobs = github.jobs(&run.repository, run.run_id, attempt).await?;
            Ok(Arc::new(capacity::names_that_ran(&jobs)))
        };
        self.pasts
            .read(&(run.clone(), attempt), |_| true, reading)
            .await
    }
}
