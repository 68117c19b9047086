//! The instance types of each region, as EC2 last told them.
//!
//! Kept in memory: they change a few times a year, and reading them takes some ten calls. They are
//! read when first asked for and again after a day; while that fails, what is known goes on to
//! serve. One caller at a time reads a region; the others wait only where nothing is known yet.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use reprise_engine::backoff::after;
use reprise_model::ids::Region;
use reprise_model::machine::MachineType;

use crate::context::Controller;
use crate::ports::{Cloud, PortError, PortErrorKind, Ports};

/// A new type may wait for a day.
const READ_AGAIN_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// Nobody misses much meanwhile.
const STALE_AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(5);

/// Jobs wait for it.
const UNREAD_AGAIN_AFTER: SignedDuration = SignedDuration::from_secs(10);

impl<P: Ports> Controller<P> {
    /// The instance types of a region.
    ///
    /// # Errors
    /// When EC2 does not tell them and never did.
    pub async fn machine_types(&self, region: &Region) -> Result<Arc<[MachineType]>, PortError> {
        let read = self.cloud.machine_types(region);
        self.catalogue.types(region, self.now(), read).await
    }
}

/// What is known of every region's instance types.
#[derive(Debug, Default)]
pub(crate) struct Catalogue(Mutex<BTreeMap<Region, Arc<Shelf>>>);

/// One region's.
#[derive(Debug, Default)]
struct Shelf {
    kept: Mutex<Kept>,
    /// Held by whoever reads.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Debug, Clone, Default)]
struct Kept {
    types: Option<Arc<[MachineType]>>,
    /// When to read them next; at once if never tried.
    read_at: Option<Timestamp>,
}

impl Catalogue {
    /// The region's types; `read` asks EC2 and is begun only where that is due.
    async fn types(
        &self,
        region: &Region,
        now: Timestamp,
        read: impl Future<Output = Result<Vec<MachineType>, PortError>>,
    ) -> Result<Arc<[MachineType]>, PortError> {
        let shelf = self.shelf(region);
        let kept = shelf.kept();
        let Some(stale) = kept.types.clone() else {
            return shelf.first(now, read).await;
        };
        if kept.wants_reading(now) {
            // Somebody else reads: what is known will do.
            let Ok(_reading) = shelf.reading.try_lock() else {
                return Ok(stale);
            };
            return shelf.again(now, stale, read).await;
        }
        Ok(stale)
    }

    fn shelf(&self, region: &Region) -> Arc<Shelf> {
        let mut shelves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(shelves.entry(region.clone()).or_default())
    }
}

impl Shelf {
    /// Nothing is known, so that everybody waits for the one who reads.
    async fn first(
        &self,
        now: Timestamp,
        read: impl Future<Output = Result<Vec<MachineType>, PortError>>,
    ) -> Result<Arc<[MachineType]>, PortError> {
        let _reading = self.reading.lock().await;
        let kept = self.kept();
        if let Some(types) = kept.types {
            return Ok(types);
        }
        if !kept.wants_reading(now) {
            return Err(failed_before());
        }
        match read.await {
            Ok(types) => Ok(self.keep(types, now)),
            Err(error) => {
                self.lock().read_at = Some(after(now, UNREAD_AGAIN_AFTER));
                Err(error)
            }
        }
    }

    async fn again(
        &self,
        now: Timestamp,
        stale: Arc<[MachineType]>,
        read: impl Future<Output = Result<Vec<MachineType>, PortError>>,
    ) -> Result<Arc<[MachineType]>, PortError> {
        match read.await {
            Ok(types) => Ok(self.keep(types, now)),
            Err(error) => {
                tracing::warn!(
                    error = %crate::logging::chain(&error),
                    "the instance types could not be read again; those of the last time serve"
                );
                self.lock().read_at = Some(after(now, STALE_AGAIN_AFTER));
                Ok(stale)
            }
        }
    }

    fn keep(&self, types: Vec<MachineType>, now: Timestamp) -> Arc<[MachineType]> {
        let types: Arc<[MachineType]> = types.into();
        *self.lock() = Kept {
            types: Some(Arc::clone(&types)),
            read_at: Some(after(now, READ_AGAIN_AFTER)),
        };
        types
    }

    fn kept(&self) -> Kept {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn wants_reading(&self, now: Timestamp) -> bool {
        self.read_at.is_none_or(|at| at <= now)
    }
}

/// Whoever waited for a reader that failed does not ask at once, too.
fn failed_before() -> PortError {
    PortError {
        operation: "describe instance types",
        kind: PortErrorKind::Passing,
        retry_after: None,
        source: "EC2 did not tell them a moment ago; it is asked again soon".into(),
    }
}

#[cfg(test)]
mod tests;
