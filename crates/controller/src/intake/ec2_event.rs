//! A message of the queue that only EventBridge may write to.

use jiff::Timestamp;
use reprise_config::Place;
use reprise_engine::job;
use reprise_model::ec2_event::{Ec2Event, Ec2EventKind};
use reprise_model::evidence::{Evidence, EvidenceSource};
use reprise_model::ids::InstanceId;
use reprise_model::instance::Instance;
use reprise_model::reason::IgnoreReason;
use tracing::info;

use crate::context::{Controller, WorkError};
use crate::intake::Outcome;
use crate::ports::Ports;

impl<P: Ports> Controller<P> {
    /// Deals with an event of EC2's.
    pub(crate) async fn ec2_event(&self, event: Ec2Event) -> Result<Outcome, WorkError> {
        let place = Place {
            region: event.region.clone(),
            account: event.account.clone(),
        };
        if !self.settings.places.contains(&place) {
            return Ok(Outcome::Ignored(IgnoreReason::ForeignInstance));
        }
        match &event.kind {
            Ec2EventKind::InterruptionWarning { instance, .. } => {
                self.interruption_warning(&event, instance).await
            }
            // A recommendation is no notice, and a state change bears no reason: the job's
            // completion has the instance looked at.
            Ec2EventKind::RebalanceRecommendation { .. }
            | Ec2EventKind::StateChange { .. }
            | Ec2EventKind::Other { .. } => Ok(Outcome::Ignored(IgnoreReason::NothingToDecide)),
        }
    }

    async fn interruption_warning(
        &self,
        event: &Ec2Event,
        id: &InstanceId,
    ) -> Result<Outcome, WorkError> {
        let instance = Instance {
            account: event.account.clone(),
            region: event.region.clone(),
            id: id.clone(),
        };
        self.interruption_tagged(&instance.region);
        let evidence = warning(event.time);
        let late = self.store_evidence(&instance, &[evidence]).await?;
        info!(
            target: "reprise::decision",
            decision = "evidence",
            instance.id = %instance.id,
            instance.region = %instance.region,
            reason = EvidenceSource::InterruptionWarning.as_str(),
            "EC2 warned that it takes an instance; stored"
        );
        if let Some(late) = late {
            self.judge_late(&late).await?;
        } else if job::may_be_late(event.time, self.now(), &self.settings.rules) {
            self.reopen(&instance).await?;
        }
        Ok(Outcome::EvidenceStored)
    }
}

fn warning(time: Timestamp) -> Evidence {
    Evidence {
        source: EvidenceSource::InterruptionWarning,
        first_seen_at: time,
    }
}
