//! The breakers of spot pools: what happens to pools is told to the engine as it is seen, and what it
//! opens and closes is stored by a loop of its own, so that no launch waits for that.
//!
//! Everything else here is done in memory, but that a replica which launches takes in what the others
//! have stored, once a minute; whatever happens in between only costs a request more. Where nothing is
//! launched, nothing is read.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use reprise_engine::backoff::after;
use reprise_engine::breaker::{BreakerRules, Pools, Turn, Turned};
use reprise_model::breaker::Breakers;
use reprise_model::evidence::Evidence;
use reprise_model::instance::InstanceView;
use reprise_model::launch::FleetOutcome;
use reprise_model::ledger::LaunchSpec;
use reprise_store::{Change, Store, StoreError};
use tokio::sync::Notify;
use tracing::{debug, info, warn};

use crate::clock::Clock;
use crate::context::Controller;
use crate::logging::chain;
use crate::ports::Ports;
use crate::records::{TRIES, expected};

/// What was read serves for so long.
const SERVES_FOR: SignedDuration = SignedDuration::from_secs(60);

/// The pause between two looks at what has become half-open by itself, and between two tries to store.
const LOOKS_EVERY: SignedDuration = SignedDuration::from_secs(60);

/// What a replica knows of the spot pools.
#[derive(Debug, Default)]
pub(crate) struct PoolWatch {
    pools: Mutex<Pools>,
    /// When the store was read last.
    read_at: tokio::sync::Mutex<Option<Timestamp>>,
    /// Whether something is to be stored.
    is_news: AtomicBool,
    /// Something is to be stored.
    turned: Notify,
}

impl PoolWatch {
    /// What is known, for as long as nobody waits.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Pools> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Stores what opens and closes until the controller drains, and shows how breakers stand.
pub(crate) async fn run_breakers<P: Ports>(controller: Arc<Controller<P>>) {
    if controller.breaker_rules().is_none() {
        // A loop that ends is a fault to the health answers.
        return controller.draining.begun().await;
    }
    while !controller.draining.has_begun() {
        controller.store_pools().await;
        controller.show_pools();
        tokio::select! {
            biased;
            () = controller.draining.begun() => {}
            () = controller.pools.turned.notified() => {}
            () = controller.clock.sleep(LOOKS_EVERY) => {}
        }
    }
    controller.store_pools().await;
}

impl<P: Ports> Controller<P> {
    /// Reads what is stored, unless that was done lately: nothing is asked that another replica, or
    /// this one before a restart, has opened.
    ///
    /// # Errors
    /// When the store fails and was never read.
    pub(crate) async fn know_pools(&self) -> Result<(), StoreError> {
        if self.breaker_rules().is_none() {
            return Ok(());
        }
        let mut read_at = self.pools.read_at.lock().await;
        let is_fresh = |at: Timestamp| self.now().duration_since(at) < SERVES_FOR;
        if read_at.is_some_and(is_fresh) {
            return Ok(());
        }
        // In a box, as it is deep and hardly ever done.
        match Box::pin(self.sync_pools()).await {
            Ok(()) => {
                *read_at = Some(self.now());
                self.show_pools();
            }
            Err(error) if read_at.is_none() => return Err(error),
            Err(error) => warn!(
                error = %chain(&error),
                "failed to read the breakers of spot pools again; what was read last serves"
            ),
        }
        Ok(())
    }

    /// A launch is about to ask these pools.
    pub(crate) fn asks_pools(&self, spec: &LaunchSpec) {
        self.pools.lock().asked(spec, self.now());
    }

    /// EC2 has answered a request.
    pub(crate) fn pools_answered(&self, spec: &LaunchSpec, outcome: &FleetOutcome) {
        let (Some(rules), Ok(answer)) = (self.breaker_rules(), outcome) else {
            return;
        };
        let now = self.now();
        let turns = self.pools.lock().answered(spec, answer, &rules, now);
        turns.iter().for_each(|turn| self.turned(turn));
    }

    /// EC2 takes, or took, an instance back.
    pub(crate) fn pool_interrupted(&self, view: &InstanceView, evidence: &[Evidence]) {
        let Some(rules) = self.breaker_rules() else {
            return;
        };
        let now = self.now();
        let turn = self.pools.lock().interrupted(view, evidence, &rules, now);
        turn.iter().for_each(|turn| self.turned(turn));
    }

    fn turned(&self, turn: &Turn) {
        told(turn);
        match turn.turned {
            Turned::Opened { why, .. } => self.metrics.breaker_opened(why.as_str()),
            Turned::Closed => {}
            // Nothing of it is to be stored.
            Turned::Held { .. } => return,
        }
        self.show_pools();
        self.pools.is_news.store(true, Ordering::Relaxed);
        self.pools.turned.notify_one();
    }

    fn breaker_rules(&self) -> Option<BreakerRules> {
        self.settings.fleet.as_ref()?.breaker
    }

    /// Stores what is news. What could not be stored stays so.
    async fn store_pools(&self) {
        if !self.pools.is_news.swap(false, Ordering::Relaxed) {
            return;
        }
        if let Err(error) = self.sync_pools().await {
            self.pools.is_news.store(true, Ordering::Relaxed);
            warn!(error = %chain(&error), "failed to share the breakers of spot pools; tried again");
        }
    }

    /// Reads what is stored, and writes it where this replica has something to add.
    async fn sync_pools(&self) -> Result<(), StoreError> {
        for _ in 0..TRIES {
            let stored = self.store.breakers().await?;
            let expect = expected(&stored);
            let stored = stored.map(|found| found.record).unwrap_or_default();
            let news = self.pools.lock().synced(&stored, self.now());
            let Some(breakers) = news else {
                return Ok(());
            };
            let put = Change::PutBreakers {
                breakers,
                expect,
                expires_at: after(self.now(), Breakers::REMEMBERED_FOR),
            };
            match self.store.commit(vec![put]).await {
                Ok(()) => return Ok(()),
                // Somebody else has added something: what both know is stored then.
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Conflict {
            key: "breakers".to_owned(),
        })
    }

    fn show_pools(&self) {
        let pools = self.pools.lock();
        for (pool, standing) in pools.all(self.now()) {
            self.metrics.breaker_stands(pool, standing.number());
        }
    }
}

fn told(turn: &Turn) {
    let Turn { pool, turned } = turn;
    let (decision, zone, family) = (turned.as_str(), &pool.zone, &pool.family);
    match turned {
        Turned::Opened { why, until } => warn!(
            target: "reprise::decision",
            decision,
            reason = why.as_str(),
            pool.region = %pool.region,
            pool.zone = zone,
            pool.family = family,
            breaker.until = %until,
            "spot of a family in a zone is left alone for a while"
        ),
        Turned::Held { why } => debug!(
            target: "reprise::decision",
            decision,
            reason = why.as_str(),
            pool.region = %pool.region,
            pool.zone = zone,
            pool.family = family,
            "spot of a family in a zone fails, and is asked all the same: enough others are left alone"
        ),
        Turned::Closed => info!(
            target: "reprise::decision",
            decision,
            reason = "tried",
            pool.region = %pool.region,
            pool.zone = zone,
            pool.family = family,
            "spot of a family in a zone is asked again"
        ),
    }
}
