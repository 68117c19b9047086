//! Which jobs of a run had a runner in an attempt that is over.
//!
//! The dependents of a job that was re-run are queued together, by the dozen, and each wants to know whether
//! it ran before. An attempt that another followed does not change any more: one reads its list, for all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

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
use crate::ports::{GitHub, PortError, Ports};

/// The most attempts that are remembered, of 2,000 names each at most.
const MOST: usize = 16;

/// The jobs that had a runner, once they were read.
type Ran = Arc<tokio::sync::Mutex<Option<Arc<BTreeSet<String>>>>>;

/// The attempts of which it was asked, by the order in which that was first done.
#[derive(Debug, Default)]
pub(crate) struct Pasts(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    asked: u64,
    attempts: BTreeMap<(RunKey, RunAttempt), (u64, Ran)>,
}

impl Pasts {
    fn of(&self, run: &RunKey, attempt: RunAttempt) -> Ran {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (run.clone(), attempt);
        if let Some((_, ran)) = known.attempts.get(&key) {
            return Arc::clone(ran);
        }
        if known.attempts.len() >= MOST {
            let oldest = known.attempts.iter().min_by_key(|(_, (asked, _))| *asked);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                known.attempts.remove(&oldest);
            }
        }
        known.asked += 1;
        let (asked, ran) = (known.asked, Ran::default());
        known.attempts.insert(key, (asked, Arc::clone(&ran)));
        ran
    }
}

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
            });
        }
        let entry = self.store.run(&key).await?;
        Ok(Past {
            asked_by_us: entry.is_some_and(|entry| run::asked_for(&entry.record, job.run_attempt)),
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
        let ran = self.pasts.of(run, attempt);
        let mut ran = ran.lock().await;
        if let Some(names) = &*ran {
            return Ok(Arc::clone(names));
        }
        let github = self.github_for(Errand::Launch);
        let jobs = github.jobs(&run.repository, run.run_id, attempt).await?;
        let names = Arc::new(capacity::names_that_ran(&jobs));
        *ran = Some(Arc::clone(&names));
        Ok(names)
    }
}
