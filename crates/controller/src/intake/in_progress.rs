//! A runner took a job: its instance is told, and a job of a later attempt that landed on spot is counted.
//!
//! Best effort, all of it: what cannot be done now is left, and the message is over either way. A runner's
//! name is anybody's words: an instance is tagged only once EC2 has shown it with the stack's tag.

use reprise_config::FleetSettings;
use reprise_engine::bind::{self, Landed};
use reprise_engine::pace::Ec2Action;
use reprise_model::ids::{Region, Repository};
use reprise_model::instance::{Capacity, InstanceSight};
use reprise_model::job::Job;
use reprise_model::labels;
use reprise_model::ledger::ClaimKey;
use reprise_model::reason::IgnoreReason;
use reprise_model::runner_name::NamedInstance;
use reprise_store::Store;
use tracing::{debug, warn};

use crate::context::{Controller, WorkError};
use crate::intake::Outcome;
use crate::logging::chain;
use crate::ports::{Cloud, PortError, Ports};

impl<P: Ports> Controller<P> {
    /// Deals with a job that a runner took.
    pub(crate) async fn in_progress(&self, repository: &Repository, job: &Job) -> Outcome {
        let Some(fleet) = &self.settings.fleet else {
            return Outcome::Ignored(IgnoreReason::NothingToDecide);
        };
        if !self.allows(repository) {
            return Outcome::Ignored(IgnoreReason::RepositoryNotAllowed);
        }
        let labels = match labels::parse(&job.labels) {
            Ok(Some(labels)) if fleet.offer.environment.serves(labels.env.as_ref()) => labels,
            Ok(_) | Err(_) => return Outcome::Ignored(IgnoreReason::NotForUs),
        };
        let Some(named) = self.named_instance(job) else {
            return Outcome::Ignored(IgnoreReason::RunnerNameWithoutInstance);
        };
        let region = bind::region_of(&named, &labels, &fleet.offer);
        if !job.run_attempt.is_first()
            && let Err(error) = self.see_where(repository, job, &named, region).await
        {
            debug!(error = %chain(&error), job.id = %job.id, "nobody knows on what a job landed");
        }
        if fleet.tag_jobs {
            self.tag_with_job(fleet, job, &named, region).await;
        }
        Outcome::Bound
    }

    /// The tags are the first to be left out where EC2 has no room: the next call that changes anything
    /// there may be an agent's that tells of an interruption.
    async fn tag_with_job(
        &self,
        fleet: &FleetSettings,
        job: &Job,
        named: &NamedInstance,
        region: &Region,
    ) {
        // In a box, as it may ask EC2.
        match Box::pin(self.is_of_stack(fleet, named, region)).await {
            Ok(true) => {}
            Ok(false) => return self.metrics.job_tagged("not-ours"),
            Err(error) => {
                debug!(error = %chain(&error), instance.id = %named.id, "whose an instance is is not known");
                return self.metrics.job_tagged("failed");
            }
        }
        if !self.try_take(region, Ec2Action::BindTags) {
            return self.metrics.job_tagged("left-out");
        }
        let tags = bind::tags(job, &self.settings.rules.tags);
        let tagged = self.cloud.tag(region, &named.id, &tags).await;
        self.metrics
            .job_tagged(if tagged.is_ok() { "done" } else { "failed" });
        if let Err(error) = tagged {
            if error.is_throttled() {
                self.ec2_throttled(region, Ec2Action::BindTags);
            }
            debug!(
                error = %chain(&error),
                instance.id = %named.id,
                job.id = %job.id,
                "an instance does not tell its job; nothing depends on it"
            );
        }
    }

    /// Whether EC2 shows the instance as one of the stack: in its last list, or by itself.
    async fn is_of_stack(
        &self,
        fleet: &FleetSettings,
        named: &NamedInstance,
        region: &Region,
    ) -> Result<bool, PortError> {
        let view = match self.recall(region, &named.id).await {
            Some(view) => Some(view),
            None => match self.cloud.look(region, &named.id).await? {
                InstanceSight::Seen(view) => Some(view),
                InstanceSight::Absent => None,
            },
        };
        let keys = &self.settings.rules.tags;
        Ok(view.is_some_and(|view| bind::is_of_stack(&view, keys, &fleet.stack)))
    }

    async fn see_where(
        &self,
        repository: &Repository,
        job: &Job,
        named: &NamedInstance,
        region: &Region,
    ) -> Result<(), WorkError> {
        let key = ClaimKey {
            repository: repository.clone(),
            job_id: job.id,
        };
        let found = self.store.claim(&key).await?;
        let claim = found.as_ref().map(|found| &found.record);
        let mut landed = bind::landed(&named.id, claim, None);
        if landed == Landed::Look {
            let sight = self.cloud.look(region, &named.id).await?;
            landed = bind::landed(&named.id, claim, capacity(&sight));
        }
        match landed {
            Landed::OnSpot => self.on_spot_after_all(repository, job, named),
            Landed::Right | Landed::Look => {}
        }
        Ok(())
    }

    fn on_spot_after_all(&self, repository: &Repository, job: &Job, named: &NamedInstance) {
        self.metrics.later_attempt_on_spot();
        warn!(
            target: "reprise::decision",
            decision = "landed",
            reason = "on-spot-after-all",
            repository = %repository,
            run.id = %job.run_id,
            run.attempt = %job.run_attempt,
            job.id = %job.id,
            job.name,
            instance.id = %named.id,
            "GitHub gave a job of a later attempt to a spot instance that was launched for another; give \
             its runs-on label the run's id, so that no other job has it"
        );
    }
}

fn capacity(sight: &InstanceSight) -> Option<Capacity> {
    match sight {
        InstanceSight::Seen(view) => Some(view.capacity),
        InstanceSight::Absent => None,
    }
}
