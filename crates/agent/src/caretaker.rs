//! Watches the runner of the instance, and leaves when both have served their turn.
//!
//! When that is, [`crate::tenure`] decides. Here the runner's processes are looked at, an idle runner is asked to
//! end before its instance goes, and the metadata service is asked a last time: an instance that EC2 is about to
//! take is left to EC2, since its end is the evidence of the interruption.
//!
//! Invariant: nothing here signals a runner at work, and nothing ends it but the power-off of a machine without
//! one.

use std::convert::Infallible;
use std::future::Future;

use jiff::{SignedDuration, Timestamp};

use crate::clock::Clock;
use crate::complaint::Complaint;
use crate::lookup::{Lookup, Polled};
use crate::metadata::Metadata;
use crate::notice::Reading;
use crate::noticed;
use crate::remaining::{NOTICE_SPAN, remaining};
use crate::tenure::{Due, Limits, Manner, Sight, Tenure, Why};

/// After something failed here it is tried again.
const AGAIN: SignedDuration = SignedDuration::from_secs(5);

/// A machine that is there so long after its power-off was on its way is to be powered off again.
const GOING: SignedDuration = SignedDuration::from_mins(5);

/// What there is of the runner on this machine, and how the machine goes.
pub trait Premises: Send + Sync {
    /// Looks at the runner's processes.
    fn look(&mut self) -> Result<Sight, String>;

    /// Completes when the runner that the last look showed has ended; never if there was none.
    fn ended(&self) -> impl Future<Output = ()> + Send;

    /// Has the runner that the last look showed end.
    fn end(&self, manner: Manner) -> Result<(), String>;

    /// Powers the machine off; completes when that is on its way.
    fn leave(&self) -> impl Future<Output = Result<(), String>> + Send;
}

/// Everything outside of it.
#[derive(Debug)]
pub struct Care<'a, M, C, P> {
    /// The metadata service.
    pub metadata: &'a M,
    /// Time.
    pub clock: &'a C,
    /// The runner and its machine.
    pub premises: P,
}

impl<M: Metadata, C: Clock, P: Premises> Care<'_, M, C, P> {
    /// Watches a runner that was told to start, or, without one, leaves at once.
    pub async fn watch(self, started: bool, limits: Limits) -> Infallible {
        let now = self.clock.now();
        let tenure = match started {
            true => Tenure::started(limits, now),
            false => Tenure::never_started(limits, now),
        };
        let mut caretaker = Caretaker {
            care: self,
            tenure,
            lookup: Lookup::default(),
            trouble: Complaint::default(),
            left_to_ec2: false,
        };
        loop {
            caretaker.turn().await;
        }
    }
}

struct Caretaker<'a, M, C, P> {
    care: Care<'a, M, C, P>,
    tenure: Tenure,
    lookup: Lookup,
    trouble: Complaint,
    left_to_ec2: bool,
}

impl<M: Metadata, C: Clock, P: Premises> Caretaker<'_, M, C, P> {
    async fn turn(&mut self) {
        let now = self.care.clock.now();
        match self.tenure.due(now) {
            Due::Look => self.look().await,
            Due::Wait(until) => self.wait(until.duration_since(now)).await,
            Due::WaitForEnd => {
                self.care.premises.ended().await;
                self.look().await;
            }
            Due::End(manner) => self.end(manner, now),
            Due::Leave(why) => self.leave(why).await,
        }
    }

    async fn wait(&mut self, pause: SignedDuration) {
        let ended = tokio::select! {
            () = self.care.clock.sleep(pause) => false,
            () = self.care.premises.ended() => true,
        };
        if ended {
            self.look().await;
        }
    }

    async fn look(&mut self) {
        let now = self.care.clock.now();
        match self.care.premises.look() {
            Ok(sight) => self.see(sight, now),
            Err(error) => {
                self.failed("the runner's processes cannot be seen", &error)
                    .await
            }
        }
    }

    fn see(&mut self, sight: Sight, now: Timestamp) {
        let before = self.tenure;
        self.tenure.see(sight, now);
        if before.due(now) != Due::WaitForEnd && self.tenure.due(now) == Due::WaitForEnd {
            tracing::info!("the runner has a job; its end is waited for");
        }
        if self.tenure.is_kept_by_another() && !before.is_kept_by_another() {
            tracing::warn!(
                "a runner runs here whose programs do not lie in `folder` under [runner]: while it does, the \
                 instance is not powered off; correct `folder` if it is the instance's own"
            );
        }
    }

    fn end(&mut self, manner: Manner, now: Timestamp) {
        match manner {
            Manner::Ask => {
                tracing::warn!("the runner was given no job in time; it is asked to end");
            }
            Manner::Kill => {
                tracing::error!("the runner has no job and hears no signal to end; it is killed");
            }
        }
        if let Err(error) = self.care.premises.end(manner) {
            tracing::warn!(error.message = error, "the runner cannot be made to end");
        }
        self.tenure.asked(now);
    }

    async fn leave(&mut self, why: Why) {
        let polled = self.lookup.poll(self.care.metadata, self.care.clock).await;
        match polled {
            Ok(Polled::Clear) => self.power_off(why).await,
            Ok(Polled::Body(Reading::Clean(notice) | Reading::NoTime(notice, _), date)) => {
                let now = self.care.clock.now();
                let standing = remaining(notice.time, date, now).standing;
                if noticed::ends_soon(&notice.action, standing) {
                    self.leave_to_ec2(why).await;
                } else {
                    self.power_off(why).await;
                }
            }
            Ok(Polled::Body(Reading::NotANotice(odd), _)) => {
                let what = "the instance would be left, but what stands in the notice's place is none; asking on";
                self.failed(what, &format!("it is {}", odd.0)).await;
            }
            Err(error) => {
                let error = error.to_string();
                let what = "the instance would be left, but is there a notice? asking on";
                self.failed(what, &error).await;
            }
        }
    }

    /// A notice that the instance outlives is asked about again, when it is stale.
    async fn leave_to_ec2(&mut self, why: Why) {
        if !std::mem::replace(&mut self.left_to_ec2, true) {
            let reason = why.text();
            tracing::warn!(
                leave.reason = reason,
                "EC2 gives notice; the instance is left to it"
            );
        }
        self.care.clock.sleep(NOTICE_SPAN).await;
        self.look().await;
    }

    async fn power_off(&mut self, why: Why) {
        // The last look may be long ago: the metadata service has answered only now.
        let now = self.care.clock.now();
        match self.care.premises.look() {
            Ok(sight) => self.see(sight, now),
            Err(error) => {
                let what = "the instance would be left, but the runner's processes cannot be seen";
                return self.failed(what, &error).await;
            }
        }
        match self.tenure.due(now) {
            Due::Leave(_) => (),
            Due::Look | Due::Wait(_) | Due::WaitForEnd | Due::End(_) => return,
        }
        tracing::warn!(
            leave.reason = why.text(),
            "leaving: the instance is powered off"
        );
        match self.care.premises.leave().await {
            // Unless somebody cancels that, this is the end.
            Ok(()) => self.care.clock.sleep(GOING).await,
            Err(error) => {
                self.failed("the instance cannot be powered off; trying on", &error)
                    .await;
            }
        }
    }

    async fn failed(&mut self, what: &'static str, error: &str) {
        if let Some(failures) = self.trouble.failed(self.care.clock.now()) {
            tracing::warn!(error.message = error, error.count = failures, "{what}");
        }
        self.care.clock.sleep(AGAIN).await;
    }
}

#[cfg(test)]
mod tests;
