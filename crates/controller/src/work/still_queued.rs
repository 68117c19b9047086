//! A launched job that may still wait: is it, and why?
//!
//! Whether it is launched for again, the engine says ([`reprise_engine::still_queued`]); here its
//! questions are answered, and whoever has reason to ask makes the claim due.

use jiff::Timestamp;
use reprise_engine::console::Occasion;
use reprise_engine::fleet::{self, Holder};
use reprise_engine::launch;
use reprise_engine::pace::Errand;
use reprise_engine::still_queued::{self, JobsWords, QueueFacts, QueueStep, Why};
use reprise_model::ids::InstanceId;
use reprise_model::instance::InstanceSight;
use reprise_model::job::Job;
use reprise_model::ledger::{ClaimKey, ClaimState, LaunchClaim};
use reprise_store::{Expect, Store, StoreError, Versioned};
use tracing::{debug, info};

use super::looks::Jobs;
use crate::claims::Claimed;
use crate::context::{Controller, WorkError};
use crate::ports::{Cloud, Ports};

/// So many of the jobs beside one are looked at for one that waits in vain; what is overlooked, the search
/// for queued jobs finds.
const MOST_LOOKED_AT: usize = 50;

impl<P: Ports> Controller<P> {
    /// Asks whether the job of a launched claim still waits, and commits what follows.
    pub(super) async fn ask_whether_it_waits(
        &self,
        mut claimed: Claimed<LaunchClaim>,
    ) -> Result<(), WorkError> {
        let claim = claimed.record.clone();
        if self.settings.fleet.is_none() {
            let withdrawn = launch::withdrawn(claim);
            return Ok(self.conclude_claim(&claimed, withdrawn).await?);
        }
        let asking = Box::pin(self.asked_whether_it_waits(&claim));
        let (after, why) = self.while_claimed(&mut claimed, asking).await??;
        self.conclude_claim(&claimed, after.clone()).await?;
        if let (ClaimState::Launched { instance, .. }, Why::InstanceGone) = (&claim.state, why) {
            self.instance_gone(instance);
        }
        self.want_console_of_lost(&claim, &after, why);
        self.told_queue(&after, why);
        Ok(())
    }

    /// An instance that was given up just now has something to tell.
    fn want_console_of_lost(&self, before: &LaunchClaim, after: &LaunchClaim, why: Why) {
        let lost = after.lost_instances.last();
        if let Some(lost) = lost.filter(|_| after.lost > before.lost) {
            self.want_console(lost, Occasion::StillQueued(why));
        }
    }

    async fn asked_whether_it_waits(
        &self,
        claim: &LaunchClaim,
    ) -> Result<(LaunchClaim, Why), WorkError> {
        let mut sight: Option<InstanceSight> = None;
        let mut jobs: Option<Jobs> = None;
        loop {
            let facts = QueueFacts {
                claim,
                sight: sight.as_ref(),
                jobs: match &jobs {
                    None => JobsWords::Unread,
                    Some(None) => JobsWords::Refused,
                    Some(Some(jobs)) => JobsWords::Seen(jobs),
                },
                runner_name: &self.settings.runner_name,
            };
            match still_queued::decide(&facts, &self.settings.rules, self.now()) {
                QueueStep::Look(id) => {
                    sight = Some(self.cloud.look(&claim.spec.region, &id).await?);
                }
                QueueStep::ReadJobs => {
                    jobs = Some(self.jobs_of(claim, Errand::Launch).await?);
                }
                QueueStep::Commit(after, why) => return Ok((after, why)),
            }
        }
    }

    /// Has it asked now whether the job still waits for which an instance was launched: that of the claim
    /// that the instance's tags name, or of one that shared its request.
    pub(crate) async fn ask_of_holder(
        &self,
        launch: &ClaimKey,
        instance: &InstanceId,
    ) -> Result<(), WorkError> {
        let Some(found) = self.store.claim(launch).await? else {
            return Ok(());
        };
        let crew = self.crew_of(&found.record).await?;
        match fleet::holder(&found.record, &crew, instance) {
            Holder::Claim(holder) => self.ask_at(&holder.key, Some(instance), self.now()).await,
            Holder::Unknown | Holder::Nobody => Ok(()),
        }
    }

    /// The job of a claim has ended without a machine of its own, on that of a job beside it, which may wait
    /// still: it is asked about. One at a time, as one machine is missing.
    pub(super) async fn ask_of_robbed_beside(
        &self,
        claim: &LaunchClaim,
        jobs: &[Job],
    ) -> Result<(), WorkError> {
        let names = &self.settings.runner_name;
        for key in still_queued::waiting_beside(claim, jobs).take(MOST_LOOKED_AT) {
            let found = self.store.claim(&key).await?;
            let is_robbed = |found: Versioned<LaunchClaim>| {
                still_queued::is_robbed(&found.record, jobs, names, self.now())
            };
            if found.is_some_and(is_robbed) {
                return self.ask_at(&key, None, self.now()).await;
            }
        }
        Ok(())
    }

    /// Has it asked at `at` whether the job of a claim still waits, where an instance (this one, where one
    /// is named) was launched for it. Whoever changed the claim meanwhile knows better.
    pub(crate) async fn ask_at(
        &self,
        key: &ClaimKey,
        of: Option<&InstanceId>,
        at: Timestamp,
    ) -> Result<(), WorkError> {
        let Some(found) = self.store.claim(key).await? else {
            return Ok(());
        };
        let Some(asked) = still_queued::asked_at(&found.record, of, at) else {
            return Ok(());
        };
        let put = self.put_claim(asked, Expect::At(found.version));
        match self.store.commit(vec![put]).await {
            Ok(()) => {
                self.due.notify_one();
                Ok(())
            }
            Err(StoreError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn told_queue(&self, claim: &LaunchClaim, why: Why) {
        self.metrics.asked_again(why.as_str());
        if why.launches() || why == Why::LaunchedEnough {
            self.due.notify_one();
            info!(
                target: "reprise::decision",
                decision = "launch-again",
                reason = why.as_str(),
                repository = %claim.key.repository,
                run.id = %claim.run_id,
                run.attempt = %claim.attempt,
                job.id = %claim.key.job_id,
                job.name = claim.job_name,
                launches.lost = claim.lost,
                "a job that was launched for still waits"
            );
        } else {
            debug!(
                target: "reprise::decision",
                decision = "still-queued",
                reason = why.as_str(),
                run.id = %claim.run_id,
                job.id = %claim.key.job_id,
                "a job that was launched for was asked about"
            );
        }
    }
}
