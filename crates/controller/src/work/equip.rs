//! A new instance gets what its runner starts with.
//!
//! It is a part of the launch: as long as the configuration is not handed over, EC2's answer is not
//! committed, and counts as one that was lost. The launch is then asked for again by the same client
//! token, which leads to the same instance, and a runner of a new name is made for it. So a crash
//! anywhere in between is repeated harmlessly, and nothing of it is in the ledger; a runner of which
//! nobody heard again never connects, and GitHub removes it.

use jiff::SignedDuration;
use reprise_engine::backoff::after;
use reprise_model::ids::{InstanceId, RunnerName};
use reprise_model::ledger::{LaunchAnswer, LaunchClaim};
use reprise_model::runner_row::{LIVES_FOR, runner_name};
use tracing::debug;

use crate::context::Controller;
use crate::logging::chain;
use crate::pace::PutOff;
use crate::ports::{MadeRunner, PortError, Ports, RunnerOrder, RunnerTrouble, Runners};

/// How many names are tried in a row. The first is lost with an answer, hardly ever the second too.
const NAMES: u32 = 3;

/// When to come again where GitHub is busy and names no time.
const BUSY: SignedDuration = SignedDuration::from_secs(60);

/// EC2's answer, and the runner whose configuration waits for the instance.
pub(super) struct Equipped {
    pub(super) answer: LaunchAnswer,
    /// `None` where there is no instance, or it brings its runner along.
    pub(super) runner: Option<RunnerName>,
}

impl<P: Ports> Controller<P> {
    /// EC2's answer, once the instance has what its runner starts with.
    ///
    /// # Errors
    /// When GitHub is not to be asked now: that is no try in vain.
    pub(super) async fn equipped(
        &self,
        claim: &LaunchClaim,
        answer: LaunchAnswer,
    ) -> Result<Equipped, PutOff> {
        let without = |answer| Equipped {
            answer,
            runner: None,
        };
        let (Some(runners), LaunchAnswer::Launched { instance, .. }) = (&self.runners, &answer)
        else {
            return Ok(without(answer));
        };
        match self.equip(runners, claim, instance).await {
            Ok(runner) => Ok(Equipped {
                answer,
                runner: Some(runner),
            }),
            Err(error) if error.is_throttled() => Err(PutOff {
                until: after(self.now(), error.retry_after.unwrap_or(BUSY)),
            }),
            Err(error) => Ok(without(LaunchAnswer::Unclear {
                message: format!("{instance} has no runner: {}", chain(&error)),
            })),
        }
    }

    async fn equip(
        &self,
        runners: &P::Runners,
        claim: &LaunchClaim,
        instance: &InstanceId,
    ) -> Result<RunnerName, PortError> {
        let mut names = 1;
        loop {
            let order = RunnerOrder {
                repository: claim.key.repository.clone(),
                region: claim.spec.region.clone(),
                instance: instance.clone(),
                name: runner_name(instance, self.random()),
                labels: claim.runner_labels.clone(),
            };
            match self.make_runner(runners, &order).await {
                Ok(made) => {
                    self.hand_over(runners, &order, &made).await?;
                    return Ok(order.name);
                }
                Err(RunnerTrouble::NameLost(error)) if names < NAMES => {
                    debug!(runner.name = %order.name, error = %chain(&error), "a runner's name is lost");
                    names += 1;
                }
                Err(RunnerTrouble::NameLost(error) | RunnerTrouble::NotMade(error)) => {
                    return Err(error);
                }
            }
        }
    }

    async fn hand_over(
        &self,
        runners: &P::Runners,
        order: &RunnerOrder,
        made: &MadeRunner,
    ) -> Result<(), PortError> {
        let expires_at = self.now() + LIVES_FOR;
        let handed_over = runners.hand_over(order, made, expires_at).await;
        if handed_over.is_err()
            && let Err(error) = self.remove_runner(runners, order, made).await
        {
            debug!(runner.name = %order.name, error = %chain(&error), "an unused runner stays");
        }
        handed_over
    }
}
