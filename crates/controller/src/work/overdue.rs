//! Since when what is due was due at the last look at the ledger.
//!
//! It is noted where the ledger is read for work anyway. Between two looks it gets older: whatever keeps a replica
//! from looking keeps it from working, too.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use reprise_engine::due::overdue;
use reprise_store::DueKind;

use crate::context::Controller;
use crate::ports::Ports;

/// What was due longest, by kind.
#[derive(Debug, Default)]
pub(crate) struct Overdue(Mutex<BTreeMap<DueKind, Timestamp>>);

impl Overdue {
    pub(super) fn note(&self, since: BTreeMap<DueKind, Timestamp>) {
        *self.lock() = since;
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<DueKind, Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P: Ports> Controller<P> {
    /// How late work is, as `/metrics` shows it.
    pub(crate) fn show_overdue(&self) {
        let (since, now) = (self.overdue.lock(), self.now());
        for kind in DueKind::EACH {
            let late = since.get(&kind).map(|since| overdue(*since, now));
            let late = late.unwrap_or(SignedDuration::ZERO);
            self.metrics.overdue(kind.as_str(), late);
        }
    }
}
