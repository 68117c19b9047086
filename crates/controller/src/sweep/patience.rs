//! When an instance is next worth a question.
//!
//! Kept in memory only. Whoever takes the sweep over asks about everything once more, which is what
//! the first sweep after any start does.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use reprise_engine::backoff::Jitter;
use reprise_engine::due;
use reprise_model::ids::Region;
use reprise_model::instance::Instance;
use reprise_model::ledger::Due;

#[derive(Debug, Default)]
pub(crate) struct Patience(Mutex<BTreeMap<Instance, Due>>);

impl Patience {
    /// When the instance may be asked about again, if it was before.
    pub(super) fn until(&self, instance: &Instance) -> Option<Timestamp> {
        self.lock().get(instance).map(|due| due.at)
    }

    /// It was asked about in vain: longer each time.
    pub(super) fn grow(&self, instance: &Instance, now: Timestamp, jitter: Jitter) {
        let mut waiting = self.lock();
        let last = waiting.get(instance).copied().unwrap_or(Due::now(now));
        let next = due::put_off(last, SignedDuration::ZERO, now, jitter);
        waiting.insert(instance.clone(), next);
    }

    /// It is not asked about before this.
    pub(super) fn wait_until(&self, instance: &Instance, at: Timestamp) {
        self.lock().insert(instance.clone(), Due::now(at));
    }

    /// Forgets what is in the region and is not listed there.
    pub(super) fn keep_only(&self, region: &Region, is_listed: impl Fn(&Instance) -> bool) {
        self.lock()
            .retain(|instance, _| instance.region != *region || is_listed(instance));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Instance, Due>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
