//! Whether a replica is ready: `/readyz` answers it, and `/metrics` shows it for the alerts.

use jiff::SignedDuration;
use reprise_store::{Store, StoreError};

use crate::clock::Clock;
use crate::context::Controller;
use crate::ports::Ports;

/// So long the ledger may take. Prometheus waits for ten seconds for all of `/metrics`, and a replica whose ledger
/// is silent is to show that, and not nothing.
const LEDGER_ANSWERS_WITHIN: SignedDuration = SignedDuration::from_secs(5);

/// Why a replica is not ready.
#[derive(Debug, thiserror::Error)]
pub enum Unready {
    /// The end has begun.
    #[error("draining")]
    Draining,
    /// A loop that must never end has ended.
    #[error("a loop has ended; see the log")]
    LoopEnded,
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] StoreError),
    /// The ledger says nothing.
    #[error("the ledger does not answer")]
    LedgerSilent,
    /// These queues did not answer when they were last asked.
    #[error("no answer from: {}", .0.join(", "))]
    Queues(Vec<&'static str>),
}

impl<P: Ports> Controller<P> {
    /// Ready: no end has begun, every loop runs, the ledger answers, and so did each queue when it was last asked.
    ///
    /// # Errors
    /// What is amiss.
    pub async fn readiness(&self) -> Result<(), Unready> {
        if self.draining.has_begun() {
            return Err(Unready::Draining);
        }
        if !self.health.is_alive() {
            return Err(Unready::LoopEnded);
        }
        tokio::select! {
            biased;
            read = self.store.due(self.now(), 0) => drop(read?),
            () = self.clock.sleep(LEDGER_ANSWERS_WITHIN) => return Err(Unready::LedgerSilent),
        }
        match self.health.waits_for() {
            silent if silent.is_empty() => Ok(()),
            silent => Err(Unready::Queues(silent)),
        }
    }
}
