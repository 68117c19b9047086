//! Turns at EC2.

use jiff::{SignedDuration, Timestamp};
use reprise_engine::backoff::after;
use reprise_engine::pace::{Ec2Action, Ec2Pace};
use reprise_model::ids::Region;
use reprise_model::instance::Instance;
use reprise_model::launch::{FleetAnswer, FleetFailure, FleetOutcome, LaunchFault};
use tracing::info;

use super::not_asked;
use crate::clock::Clock;
use crate::context::{Controller, WorkError};
use crate::ports::{Cloud, LaunchOrder, PortErrorKind, Ports};

/// A launch waits in place for so long: more would hold its claim, and a place that others need.
const LAUNCH_WAITS: SignedDuration = SignedDuration::from_secs(2);

/// An end waits in place for so long. Nothing but a message, or the next sweep, leads back to it.
const END_WAITS: SignedDuration = SignedDuration::from_secs(10);

/// A launch that cannot be had now: EC2 was not asked, or answered "not so fast" and did nothing. The
/// same request may be made again at this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PutOff {
    /// When.
    pub until: Timestamp,
}

impl<P: Ports> Controller<P> {
    /// Asks EC2 for instances, in turn.
    ///
    /// # Errors
    /// When it is not to be asked now, or says so itself. That is no try in vain.
    pub(crate) async fn launch_in_turn(&self, order: &LaunchOrder) -> Result<FleetOutcome, PutOff> {
        let (region, action) = (&order.region, Ec2Action::Launch(order.count));
        if let Err(ready) = self.ec2_turn(region, action, LAUNCH_WAITS).await {
            return Err(self.launch_put_off(region, ready));
        }
        match self.cloud.launch(order).await {
            Err(FleetFailure {
                fault: LaunchFault::Throttled,
                ..
            }) => {
                self.ec2_throttled(region, action);
                Err(self.launch_put_off(region, self.now()))
            }
            outcome => {
                // EC2's own calls for a pool of the fleet count like ours.
                if outcome.as_ref().is_ok_and(is_throttled) {
                    self.ec2_throttled(region, action);
                }
                Ok(outcome)
            }
        }
    }

    /// Ends an instance, in turn.
    ///
    /// # Errors
    /// When EC2 failed, or is not to be asked soon.
    pub(crate) async fn terminate_in_turn(&self, instance: &Instance) -> Result<(), WorkError> {
        let (region, action) = (&instance.region, Ec2Action::End);
        if let Err(ready) = self.ec2_turn(region, action, END_WAITS).await {
            let now = self.now();
            return Err(
                not_asked("terminate an instance", ready, "ec2's bucket is empty", now).into(),
            );
        }
        let ended = self.cloud.terminate(instance).await;
        if let Err(error) = &ended
            && error.kind == PortErrorKind::Throttled
        {
            self.ec2_throttled(region, action);
        }
        Ok(ended?)
    }

    /// Takes a turn that is not worth a wait: whoever does not get it leaves the call out.
    pub fn try_take(&self, region: &Region, action: Ec2Action) -> bool {
        let now = self.now();
        let taken = self.with_ec2(region, now, |pace| pace.take(action, now));
        if taken.is_err() {
            self.metrics.turn_put_off("ec2", action.as_str(), "bucket");
        }
        taken.is_ok()
    }

    /// EC2 said "not so fast" to a call for which a turn was taken.
    pub fn ec2_throttled(&self, region: &Region, action: Ec2Action) {
        let now = self.now();
        let rate = self.with_ec2(region, now, |pace| {
            pace.throttled(action, now);
            pace.calls_in_1000_s(action, now)
        });
        self.metrics.throttled("ec2", action.as_str());
        if self.pace.tells(action.as_str(), region, now) {
            info!(
                target: "reprise::decision",
                decision = "slower",
                reason = "throttled",
                aws.region = %region,
                aws.action = action.as_str(),
                calls.in_1000_s = rate,
                "EC2 throttles; it is asked less often for a while"
            );
        }
    }

    /// An agent tags its instance, which takes from the account's bucket too.
    pub(crate) fn interruption_tagged(&self, region: &Region) {
        let now = self.now();
        self.with_ec2(region, now, |pace| pace.interruption_tagged(now));
    }

    /// The pace as `/metrics` shows it.
    pub(crate) fn show_ec2_pace(&self) {
        let now = self.now();
        for (region, pace) in self.pace.ec2().iter_mut() {
            for action in Ec2Action::EACH {
                let rate = pace.calls_in_1000_s(action, now);
                self.metrics
                    .ec2_pace(region.as_str(), action.as_str(), rate);
            }
        }
    }

    /// Waits for a turn, unless it takes longer than `patience`; then it is when there may be one.
    async fn ec2_turn(
        &self,
        region: &Region,
        action: Ec2Action,
        patience: SignedDuration,
    ) -> Result<(), Timestamp> {
        let latest = after(self.now(), patience);
        loop {
            let now = self.now();
            let Err(ready) = self.with_ec2(region, now, |pace| pace.take(action, now)) else {
                return Ok(());
            };
            if ready > latest {
                self.metrics.turn_put_off("ec2", action.as_str(), "bucket");
                return Err(ready);
            }
            self.metrics.turn_waited("ec2", action.as_str());
            self.clock.sleep_until(ready).await;
        }
    }

    fn launch_put_off(&self, region: &Region, ready: Timestamp) -> PutOff {
        let now = self.now();
        let until = self.with_ec2(region, now, |pace| pace.put_off(ready, now));
        PutOff { until }
    }

    fn with_ec2<T>(
        &self,
        region: &Region,
        now: Timestamp,
        ask: impl FnOnce(&mut Ec2Pace) -> T,
    ) -> T {
        let mut regions = self.pace.ec2();
        let full = || Ec2Pace::new(self.settings.rules.ec2_rate_percent, now);
        ask(regions.entry(region.clone()).or_insert_with(full))
    }
}

fn is_throttled(answer: &FleetAnswer) -> bool {
    let mut pools = answer.shortfall.iter();
    pools.any(|pool| pool.fault == LaunchFault::Throttled)
}
