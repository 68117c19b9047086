//! The ledger in one SQLite file: the default, and all that one machine needs.
//!
//! Commits are durable when they return (WAL with `synchronous=FULL`), and optimistic: a write
//! names the version it replaces and the database compares.

mod lease;
mod read;
mod schema;
#[cfg(test)]
mod tests;
mod write;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use reprise_model::breaker::Breakers;
use reprise_model::budget::Budget;
use reprise_model::check::CheckEntry;
use reprise_model::ids::Repository;
use reprise_model::instance::Instance;
use reprise_model::ledger::{ClaimKey, InstanceEntry, LaunchClaim, RunEntry, RunKey};
use rusqlite::Connection;

pub use self::schema::OpenError;
use crate::contract::{Change, DueList, RunKeys, RunsWanted, Store, StoreError, Versioned};
use crate::lease::{Fence, HolderId, LeaseName};
use crate::record::{Record, RecordKey, Write};
use crate::time::Millis;

/// The ledger in a SQLite database.
///
/// **Calls run inline.** The connection stands behind a mutex and every call finishes at its first
/// poll. A read takes microseconds; a commit takes what the disk needs for one sync (well under a
/// millisecond on a quiet local disk, some milliseconds on a busy one) and the thread waits for it.
/// In return it works under a paused, single-threaded runtime, and a call that is dropped has either
/// not begun or is complete. Beyond that only another process that holds the write lock can make a
/// call wait, at most five seconds.
#[derive(Debug)]
pub struct SqliteStore {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    connection: Connection,
    /// The latest `now` that a caller named: what had expired by then is absent.
    time: Millis,
}

impl SqliteStore {
    /// Opens the database at `path`, made or brought to this version's schema where necessary.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let opened = schema::open_file(path).map_err(|error| StoreError::Backend {
            operation: "open its database",
            source: error.into(),
        })?;
        Ok(Self::over(opened))
    }

    /// Opens the database at `path` for a look beside whoever works with it. Commits fail.
    pub fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        let opened = schema::open_to_read(path).map_err(|error| StoreError::Backend {
            operation: "open its database",
            source: error.into(),
        })?;
        Ok(Self::over(opened))
    }

    /// A database that is gone with this value, for tests and demonstrations.
    pub fn in_memory() -> Result<Self, StoreError> {
        let opened = schema::open_in_memory().map_err(|error| StoreError::Backend {
            operation: "open its database in memory",
            source: error.into(),
        })?;
        Ok(Self::over(opened))
    }

    fn over(connection: Connection) -> Self {
        Self {
            inner: Mutex::new(Inner {
                connection,
                time: Millis(i64::MIN),
            }),
        }
    }

    /// A panic while the lock was held has rolled its transaction back, so what it left is whole.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<R: Record>(&self, key: &RecordKey) -> Result<Option<Versioned<R>>, StoreError> {
        let inner = self.lock();
        let stored =
            read::record(&inner.connection, key, inner.time).map_err(failed_to("read a record"))?;
        drop(inner);
        stored.map(|stored| stored.decode(key)).transpose()
    }
}

impl Store for SqliteStore {
    async fn instance(
        &self,
        key: &Instance,
    ) -> Result<Option<Versioned<InstanceEntry>>, StoreError> {
        self.read(&RecordKey::from(key))
    }

    async fn run(&self, key: &RunKey) -> Result<Option<Versioned<RunEntry>>, StoreError> {
        self.read(&RecordKey::from(key))
    }

    async fn claim(&self, key: &ClaimKey) -> Result<Option<Versioned<LaunchClaim>>, StoreError> {
        self.read(&RecordKey::from(key))
    }

    async fn check(&self, key: &RunKey) -> Result<Option<Versioned<CheckEntry>>, StoreError> {
        self.read(&RecordKey::check(key))
    }

    async fn breakers(&self) -> Result<Option<Versioned<Breakers>>, StoreError> {
        self.read(&RecordKey::breakers())
    }

    async fn budget(
        &self,
        repository: &Repository,
    ) -> Result<Option<Versioned<Budget>>, StoreError> {
        self.read(&RecordKey::budget(repository))
    }

    async fn commit(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        let writes = changes
            .iter()
            .map(Write::try_from)
            .collect::<Result<Vec<_>, _>>()?;
        let mut inner = self.lock();
        let time = inner.time;
        write::all_or_nothing(&mut inner.connection, &writes, time)
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<DueList, StoreError> {
        let now = Millis::passed(now);
        let mut inner = self.lock();
        inner.time = inner.time.max(now);
        read::due(&inner.connection, now, inner.time, limit).map_err(failed_to("read what is due"))
    }

    async fn runs(&self, wanted: &RunsWanted, limit: usize) -> Result<RunKeys, StoreError> {
        let inner = self.lock();
        read::runs(&inner.connection, wanted, inner.time, limit).map_err(failed_to("list runs"))
    }

    async fn take_lease(
        &self,
        name: LeaseName,
        holder: &HolderId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Fence>, StoreError> {
        let (now, until) = (Millis::passed(now), Millis::reached(until));
        lease::take(&self.lock().connection, name, holder, now, until)
            .map_err(failed_to("take a lease"))
    }

    async fn release_lease(
        &self,
        name: LeaseName,
        holder: &HolderId,
        fence: Fence,
    ) -> Result<(), StoreError> {
        lease::release(&self.lock().connection, name, holder, fence)
            .map_err(failed_to("release a lease"))
    }

    async fn expire(&self, now: Timestamp) -> Result<usize, StoreError> {
        let now = Millis::passed(now);
        let mut inner = self.lock();
        inner.time = inner.time.max(now);
        write::expire(&mut inner.connection, now).map_err(failed_to("delete expired records"))
    }
}

fn failed_to(operation: &'static str) -> impl FnOnce(rusqlite::Error) -> StoreError {
    move |error| StoreError::Backend {
        operation,
        source: error.into(),
    }
}
