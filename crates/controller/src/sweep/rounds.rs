//! What goes with a sweep, each at its own pace.
//!
//! All of it is kept in memory: GitHub knows what arrived and which jobs wait, so whoever sweeps next
//! asks again. No record is written here, and a lost turn costs calls alone.

use jiff::{SignedDuration, Timestamp};
use reprise_engine::backoff::after;
use reprise_engine::redeliver::Deliveries;
use reprise_engine::unannounced::Round;
use tracing::warn;

use super::strays::StraysByPlace;
use crate::context::{Controller, WorkError};
use crate::logging::chain;
use crate::panics::{Panicked, caught};
use crate::ports::Ports;

/// The pause after a failure.
const AFTER_FAILURE: SignedDuration = SignedDuration::from_mins(1);

/// Where each of them is, and when it goes on.
#[derive(Debug)]
pub(super) struct Rounds {
    deliveries: Deliveries,
    deliveries_at: Timestamp,
    queued: Round,
    queued_at: Timestamp,
    strays: StraysByPlace,
    strays_at: Timestamp,
}

impl Rounds {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            deliveries: Deliveries::default(),
            deliveries_at: now,
            queued: Round::default(),
            queued_at: now,
            strays: StraysByPlace::default(),
            strays_at: now,
        }
    }
}

impl<P: Ports> Controller<P> {
    /// Does of it what it is time for. All futures of a turn in one would overflow a thread's stack in
    /// builds without optimization, so each has a place of its own.
    pub(super) async fn go_round(&self, rounds: &mut Rounds) {
        if let Some(rules) = &self.settings.redeliver
            && rounds.deliveries_at <= self.now()
        {
            let work = Box::pin(self.redeliver(rules, &mut rounds.deliveries));
            let done = caught(work).await;
            rounds.deliveries_at = self.goes_on_at(done, "have webhooks delivered again");
        }
        let fleet = self.settings.fleet.as_ref();
        if let Some(every) = fleet.and_then(|fleet| fleet.find_queued_every)
            && rounds.queued_at <= self.now()
        {
            let work = Box::pin(self.find_queued(every, &mut rounds.queued));
            let done = caught(work).await;
            rounds.queued_at = self.goes_on_at(done, "find queued jobs that no event announced");
        }
        if let (Some(fleet), Some(runners)) = (fleet, &self.runners)
            && rounds.strays_at <= self.now()
        {
            let work = Box::pin(self.take_strays_out(fleet, runners, &mut rounds.strays));
            let done = caught(work).await;
            rounds.strays_at = self.goes_on_at(done, "take runners without machines out of GitHub");
        }
    }

    fn goes_on_at(
        &self,
        done: Result<Result<Timestamp, WorkError>, Panicked>,
        what: &'static str,
    ) -> Timestamp {
        let done = done.unwrap_or_else(|Panicked(words)| Err(WorkError::Panicked(words)));
        done.unwrap_or_else(|error| {
            warn!(error = %chain(&error), "failed to {what}; tried again");
            let pause = error.retry_after().unwrap_or(AFTER_FAILURE);
            after(self.now(), pause.max(AFTER_FAILURE))
        })
    }
}
