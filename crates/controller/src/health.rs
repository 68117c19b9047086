//! What the health answers go by.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whether each part of the controller has shown that it works.
#[derive(Debug, Default)]
pub struct Health {
    ended: AtomicBool,
    silent: Mutex<BTreeSet<&'static str>>,
}

impl Health {
    /// A loop that must never end has ended.
    pub fn loop_ended(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// Whether every loop runs.
    pub fn is_alive(&self) -> bool {
        !self.ended.load(Ordering::Relaxed)
    }

    /// A queue must answer before the controller is ready; also said when its last answer was a
    /// failure.
    pub fn silent(&self, queue: &'static str) {
        self.lock().insert(queue);
    }

    /// A queue has answered.
    pub fn answered(&self, queue: &'static str) {
        self.lock().remove(queue);
    }

    /// The queues that are waited for.
    pub fn waits_for(&self) -> Vec<&'static str> {
        self.lock().iter().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<&'static str>> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
