//! An instance is looked at once more, long after its job ended: the job was settled as not
//! interrupted, or awaits a re-run by the instance's own word alone.

use reprise_engine::job::{self, JobVerdict};
use reprise_model::instance::Instance;
use reprise_model::ledger::{InstanceEntry, UnexplainedJob};
use reprise_model::reason::EndReason;
use reprise_store::Store;

use super::is_due;
use crate::clock::Clock;
use crate::context::{Controller, WorkError};
use crate::ports::{Cloud, Ports};

impl<P: Ports> Controller<P> {
    /// The last look at an instance.
    pub(super) async fn look_late(&self, instance: &Instance) -> Result<(), WorkError> {
        let Some(found) = self.store.instance(instance).await? else {
            return Ok(());
        };
        if !is_due(found.record.due, self.now()) {
            return Ok(());
        }
        match &found.record.unexplained {
            Some(unexplained) => {
                self.judge_late(unexplained).await?;
            }
            None => self.end_outlived(&found.record).await?,
        }
        self.change_instance(instance, |entry| entry.cloned().and_then(job::looked_late))
            .await?;
        Ok(())
    }

    /// Judges a job again that was settled as not interrupted. Whether the verdict is a new one: the
    /// old one was told and counted when the job was settled.
    pub(crate) async fn judge_late(&self, unexplained: &UnexplainedJob) -> Result<bool, WorkError> {
        let UnexplainedJob { repository, job } = unexplained;
        let verdict = self.judge(repository, job).await?;
        match &verdict {
            JobVerdict::Settle { evidence, end, .. } if evidence.is_empty() => {
                self.end_if_any(end.as_ref(), EndReason::JobEnded).await?;
                Ok(false)
            }
            JobVerdict::Settle { .. } | JobVerdict::Await { .. } => {
                self.carry_out(repository, job, verdict).await.map(|_| true)
            }
            JobVerdict::Ignore(_) | JobVerdict::LookAgain { .. } | JobVerdict::ReadEarlier => {
                Ok(false)
            }
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
