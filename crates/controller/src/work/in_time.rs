//! EC2 names the instance of a claim: does it still wait for its runner?
//!
//! In most cases nothing is asked for that. What it gets, the engine says
//! ([`reprise_engine::launch::in_time`]).

use reprise_engine::backoff::after;
use reprise_engine::launch::{InTime, InTimeFacts, in_time};
use reprise_engine::strays::ListedRunner;
use reprise_model::ids::InstanceId;
use reprise_model::instance::{Instance, InstanceSight};
use reprise_model::ledger::{LaunchAnswer, LaunchClaim};
use reprise_model::reason::EndReason;
use tracing::warn;

use super::equip::{BUSY, Equipped};
use crate::context::Controller;
use crate::logging::chain;
use crate::pace::PutOff;
use crate::ports::{Cloud, PortError, Ports};

/// What was read so far.
#[derive(Default)]
struct Read {
    sight: Option<InstanceSight>,
    runners: Option<Vec<ListedRunner>>,
}

impl<P: Ports> Controller<P> {
    /// EC2's answer, once its instance has what its runner starts with, or has no use for it any more.
    ///
    /// # Errors
    /// When GitHub is not to be asked now, or it must first be seen what became of the instance: that is no
    /// try in vain.
    pub(super) async fn equipped_in_time(
        &self,
        claim: &LaunchClaim,
        answer: LaunchAnswer,
    ) -> Result<Equipped, PutOff> {
        let (Some(runners), LaunchAnswer::Launched { instance, .. }) = (&self.runners, &answer)
        else {
            return Ok(Equipped::without_runner(answer));
        };
        let mut read = Read::default();
        loop {
            let facts = InTimeFacts {
                claim,
                instance,
                sight: read.sight.as_ref(),
                runners: read.runners.as_deref(),
            };
            match in_time(&facts, self.now()) {
                InTime::Equip => return self.equipped(claim, answer).await,
                InTime::HasRunner => return Ok(Equipped::without_runner(answer)),
                InTime::Wait(until) => return Err(PutOff { until }),
                InTime::TooLate(end) => {
                    let late = self.too_late(claim, instance, end).await;
                    return Ok(Equipped::without_runner(late));
                }
                // In boxes, as they are deep and hardly ever done.
                InTime::Look => match Box::pin(self.cloud.look(&claim.spec.region, instance)).await
                {
                    Ok(sight) => read.sight = Some(sight),
                    Err(error) => return self.not_known(instance, &error),
                },
                InTime::List => {
                    let listing = self.list_runners(runners, &claim.key.repository);
                    match Box::pin(listing).await {
                        Ok(listed) => read.runners = Some(listed),
                        Err(error) => return self.not_known(instance, &error),
                    }
                }
            }
        }
    }

    /// Ends the instance. Where that fails, the sweep finds it when its job has another one.
    async fn too_late(
        &self,
        claim: &LaunchClaim,
        instance: &InstanceId,
        end: Option<Instance>,
    ) -> LaunchAnswer {
        warn!(
            target: "reprise::decision",
            decision = "launch-too-late",
            reason = "waited-for-its-runner",
            repository = %claim.key.repository,
            run.id = %claim.run_id,
            job.id = %claim.key.job_id,
            instance.id = %instance,
            "an instance does not wait for its runner any more; another one is launched"
        );
        if let Some(end) = end
            && let Err(error) = Box::pin(self.end(&end, EndReason::NeverRan)).await
        {
            warn!(error = %chain(&error), instance.id = %instance, "an instance is not ended yet");
        }
        LaunchAnswer::TooLate {
            instance: instance.clone(),
        }
    }

    fn not_known(&self, instance: &InstanceId, error: &PortError) -> Result<Equipped, PutOff> {
        if error.is_throttled() {
            return Err(PutOff {
                until: after(self.now(), error.retry_after.unwrap_or(BUSY)),
            });
        }
        Ok(Equipped::without_runner(LaunchAnswer::Unclear {
            message: format!(
                "whether {instance} waits for its runner is not known: {}",
                chain(error)
            ),
        }))
    }
}
