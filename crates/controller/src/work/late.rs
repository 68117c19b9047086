//! An instance is looked at once more, long after its job ended: the job was settled as not
//! interrupted, or awaits a re-run by the instance's own word alone.

use reprise_engine::due;
use reprise_engine::job::{self, JobVerdict};
use reprise_model::instance::Instance;
use reprise_model::ledger::{InstanceEntry, UnexplainedJob};
use reprise_model::reason::EndReason;
use reprise_store::{Store, StoreError};

use crate::claims::{Claimed, DueRecord};
use crate::clock::Clock;
use crate::context::{Controller, WorkError};
use crate::ports::{Cloud, Ports};

impl<P: Ports> Controller<P> {
    /// The last look at an instance. Its claim is not renewed: whoever takes a slow one over does
    /// the same once more, and it is harmless. A job that failed by itself, as most do, is looked at
    /// without one: it costs two writes in all.
    pub(super) async fn look_late(&self, instance: &Instance) -> Result<(), WorkError> {
        let found = self.store.instance(instance).await?;
        let claimed = match found {
            Some(found) if found.record.unexplained.is_some() => {
                Claimed::unclaimed(found, self.now())
            }
            found => self.claim_due(found).await?,
        };
        let Some(claimed) = claimed else {
            return Ok(());
        };
        let entry = &claimed.record;
        let looked = match &entry.unexplained {
            Some(unexplained) => self.judge_late(unexplained).await.map(drop),
            None => self.end_outlived(entry).await,
        };
        let after = match &looked {
            Ok(()) => job::looked_late(entry.clone()),
            Err(failure) => self.put_off(entry, failure),
        };
        // What the look itself wrote, or an event, stands: it named when to look again, if at all.
        match self.let_go(&claimed, after).await {
            Ok(()) | Err(StoreError::Conflict { .. }) => looked,
            Err(error) => Err(error.into()),
        }
    }

    async fn let_go(
        &self,
        claimed: &Claimed<InstanceEntry>,
        after: Option<InstanceEntry>,
    ) -> Result<(), StoreError> {
        match after {
            Some(after) => self.conclude_claim(claimed, after).await,
            None => Ok(()),
        }
    }

    /// The record after a look that failed. `None` where its due time had better be the deadline.
    fn put_off(&self, entry: &InstanceEntry, failure: &WorkError) -> Option<InstanceEntry> {
        match failure {
            WorkError::Port(_) => {
                let at_least = failure.retry_after().unwrap_or_default();
                let later = due::put_off(entry.due?, at_least, self.now(), self.jitter());
                Some(entry.clone().due_at(later))
            }
            WorkError::Store(_) | WorkError::Draining | WorkError::Panicked(_) => None,
        }
    }

    /// Judges a job again that was settled as not interrupted. Whether the verdict is a new one: the
    /// old one was told and counted when the job was settled.
    pub(crate) async fn judge_late(&self, unexplained: &UnexplainedJob) -> Result<bool, WorkError> {
        let UnexplainedJob { repository, job } = unexplained;
        let verdict = self.judge_again(repository, job).await?;
        match &verdict {
            JobVerdict::Settle { evidence, end, .. } if evidence.is_empty() => {
                self.end_if_any(end.as_ref(), EndReason::JobEnded).await?;
                Ok(false)
            }
            JobVerdict::Settle { .. } | JobVerdict::Await { .. } | JobVerdict::Retry { .. } => {
                self.carry_out(repository, job, verdict).await.map(|_| true)
            }
            JobVerdict::Ignore(_)
            | JobVerdict::LookAgain { .. }
            | JobVerdict::ReadEarlier
            | JobVerdict::ReadFailure
            | JobVerdict::Ask(_) => Ok(false),
        }
    }

    /// Ends an instance that EC2 was said to take and did not.
    async fn end_outlived(&self, entry: &InstanceEntry) -> Result<(), WorkError> {
        let Instance { region, id, .. } = &entry.instance;
        let sight = self.cloud.look(region, id).await?;
        let (fleet, rules) = (self.fleet_rule(), &self.settings.rules);
        let outlived = job::outlived(entry, &sight, fleet, rules, self.clock.now());
        self.end_if_any(outlived.as_ref(), EndReason::NotTaken)
            .await
    }

    async fn end_if_any(
        &self,
        instance: Option<&Instance>,
        why: EndReason,
    ) -> Result<(), WorkError> {
        match instance {
            Some(instance) => self.end(instance, why).await,
            None => Ok(()),
        }
    }
}
