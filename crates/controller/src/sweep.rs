//! The periodic reconcile: what every event said, found again without it.
//!
//! Events only make things quick. Each sweep lists the instances of the stack, keeps the evidence
//! that they bear, finds the jobs that ran on interrupted ones, and judges them by the same code
//! that an event goes through.

use std::sync::Arc;

use jiff::SignedDuration;
use reprise_model::evidence::{self, Evidence};
use reprise_model::ids::{JobId, Repository};
use reprise_model::instance::InstanceView;
use reprise_model::job::{Job, JobStatus};
use reprise_model::ledger::ClaimKey;
use reprise_store::Store;
use tracing::{debug, error, info};

use crate::clock::Clock;
use crate::context::{Controller, FleetSettings, Place, WorkError};
use crate::ports::{Cloud, GitHub, Ports};

/// Sweeps until the controller drains.
pub async fn run_sweeps<P: Ports>(controller: Arc<Controller<P>>, every: SignedDuration) {
    while !controller.draining.has_begun() {
        match controller.sweep().await {
            Ok(found) => {
                controller.metrics.swept("done");
                debug!(found, "swept");
            }
            Err(WorkError::Draining) => {}
            Err(error @ (WorkError::Port(_) | WorkError::Store(_))) => {
                controller.metrics.swept("failed");
                error!(error = &error as &dyn std::error::Error, "failed to sweep; tried again");
            }
        }
        tokio::select! {
            () = controller.clock.sleep(every) => {}
            () = controller.draining.begun() => {}
        }
    }
}

impl<P: Ports> Controller<P> {
    /// One sweep: the number of interrupted instances that no event had told of.
    ///
    /// # Errors
    /// When something outside failed; the next sweep begins anew.
    pub async fn sweep(&self) -> Result<usize, WorkError> {
        self.store.expire(self.now()).await?;
        let Some(fleet) = &self.settings.fleet else { return Ok(0) };
        let mut found = 0;
        for place in &self.settings.places {
            found += self.sweep_place(fleet, place).await?;
        }
        self.due.notify_one();
        Ok(found)
    }

    async fn sweep_place(
        &self,
        fleet: &FleetSettings,
        place: &Place,
    ) -> Result<usize, WorkError> {
        let key = self.settings.rules.tags.stack();
        let views = self.cloud.list_stack(&place.region, &key, fleet.stack.as_str()).await?;
        let mut found = 0;
        for view in views {
            let borne = evidence::borne_by(&view, &self.settings.rules.tags, self.now());
            let unknown = !borne.is_empty() && self.store.instance(&view.instance).await?.is_none();
            if unknown && self.reconcile(&view, &borne).await? {
                found += 1;
            }
        }
        Ok(found)
    }

    /// Judges the job of an interrupted instance of which nothing is stored. Whether there was
    /// one; a job that GitHub has not ended yet is left for a later sweep.
    async fn reconcile(
        &self,
        view: &InstanceView,
        borne: &[Evidence],
    ) -> Result<bool, WorkError> {
        let Some((repository, job)) = self.job_of(view).await? else { return Ok(false) };
        if job.status != JobStatus::Completed {
            return Ok(false);
        }
        info!(
            repository = %repository,
            job.id = %job.id,
            instance.id = %view.instance.id,
            "a sweep found an interrupted instance that no event had told of"
        );
        let outcome = self.completed(&repository, &job).await?;
        debug!(outcome = outcome.as_str(), "a sweep judged a job");
        self.store_evidence(&view.instance, borne).await?;
        Ok(true)
    }

    /// The job that ran on an instance, by the launch that its tags name: that job's run is read,
    /// since a runner may have taken another job of the run.
    async fn job_of(&self, view: &InstanceView) -> Result<Option<(Repository, Job)>, WorkError> {
        let Some(key) = self.claim_key(view) else { return Ok(None) };
        let Some(claim) = self.store.claim(&key).await?.map(|found| found.record) else {
            return Ok(None);
        };
        let jobs = self.github.jobs(&key.repository, claim.run_id, claim.attempt).await?;
        let ran_here = |job: &Job| {
            let named = job.runner_name.as_ref().and_then(|name| self.settings.runner_name.read(name));
            named.is_some_and(|named| named.id == view.instance.id)
        };
        Ok(jobs.into_iter().find(ran_here).map(|job| (key.repository, job)))
    }

    fn claim_key(&self, view: &InstanceView) -> Option<ClaimKey> {
        let tags = &self.settings.rules.tags;
        let repository = view.tags.get(&tags.repository())?.parse().ok()?;
        let job_id: JobId = view.tags.get(&tags.launch())?.parse().ok()?;
        Some(ClaimKey { repository, job_id })
    }
}
