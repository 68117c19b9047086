//! The ledger, shared by the controllers of one test, with faults where a test wants them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use reprise_model::breaker::Breakers;
use reprise_model::budget::Budget;
use reprise_model::check::CheckEntry;
use reprise_model::ids::{Repository, RunId};
use reprise_model::instance::Instance;
use reprise_model::ledger::{ClaimKey, InstanceEntry, LaunchClaim, RunEntry, RunKey};
use reprise_store::{
    Change, DueList, Fence, HolderId, LeaseName, RunKeys, RunsWanted, SqliteStore, Store,
    StoreError, Versioned,
};

#[derive(Debug, Clone)]
pub(crate) struct SharedStore {
    store: Arc<SqliteStore>,
    broken: Arc<Mutex<BTreeSet<RunId>>>,
    first: Arc<Mutex<Option<(usize, Change)>>>,
    writes: Arc<AtomicUsize>,
    hangs: Arc<AtomicBool>,
    hangs_after: Arc<Mutex<Option<usize>>>,
    fails: Arc<AtomicBool>,
    silent: Arc<AtomicBool>,
}

impl SharedStore {
    pub(crate) fn new() -> Self {
        Self {
            store: Arc::new(SqliteStore::in_memory().expect("a store")),
            broken: Arc::default(),
            first: Arc::default(),
            writes: Arc::default(),
            hangs: Arc::default(),
            hangs_after: Arc::default(),
            fails: Arc::default(),
            silent: Arc::default(),
        }
    }

    /// The record of this run can be listed and not read.
    pub(crate) fn break_run(&self, run: RunId) {
        self.broken.lock().expect("no poison").insert(run);
    }

    /// How many records were written.
    pub(crate) fn writes(&self) -> usize {
        self.writes.load(Ordering::Relaxed)
    }

    /// Nobody learns what is due any more.
    pub(crate) fn fall_silent(&self) {
        self.silent.store(true, Ordering::Relaxed);
    }

    /// Commits are never answered.
    pub(crate) fn hang(&self) {
        self.hangs.store(true, Ordering::Relaxed);
    }

    /// So many more commits are made, and the others are never answered; `None` for all.
    pub(crate) fn hang_after(&self, commits: Option<usize>) {
        *self.hangs_after.lock().expect("no poison") = commits;
    }

    fn hangs_now(&self) -> bool {
        let mut left = self.hangs_after.lock().expect("no poison");
        let hangs = *left == Some(0);
        *left = left.map(|left| left.saturating_sub(1));
        hangs || self.hangs.load(Ordering::Relaxed)
    }

    /// Commits fail, or are made again.
    pub(crate) fn fail_commits(&self, fails: bool) {
        self.fails.store(fails, Ordering::Relaxed);
    }

    /// Another replica writes this right before the next commit.
    pub(crate) fn write_before_next_commit(&self, change: Change) {
        self.write_before_commit(0, change);
    }

    /// The same before the commit that comes after so many others.
    pub(crate) fn write_before_commit(&self, others: usize, change: Change) {
        *self.first.lock().expect("no poison") = Some((others, change));
    }

    fn comes_first(&self) -> Option<Change> {
        let mut first = self.first.lock().expect("no poison");
        match first.take()? {
            (0, change) => Some(change),
            (others, change) => {
                *first = Some((others - 1, change));
                None
            }
        }
    }
}

impl Store for SharedStore {
    async fn instance(
        &self,
        key: &Instance,
    ) -> Result<Option<Versioned<InstanceEntry>>, StoreError> {
        self.store.instance(key).await
    }

    async fn run(&self, key: &RunKey) -> Result<Option<Versioned<RunEntry>>, StoreError> {
        if self.broken.lock().expect("no poison").contains(&key.run_id) {
            return Err(StoreError::NewerRecord {
                key: key.to_string(),
                found: 9,
                known: 1,
            });
        }
        self.store.run(key).await
    }

    async fn claim(&self, key: &ClaimKey) -> Result<Option<Versioned<LaunchClaim>>, StoreError> {
        self.store.claim(key).await
    }

    async fn check(&self, key: &RunKey) -> Result<Option<Versioned<CheckEntry>>, StoreError> {
        self.store.check(key).await
    }

    async fn breakers(&self) -> Result<Option<Versioned<Breakers>>, StoreError> {
        self.store.breakers().await
    }

    async fn budget(
        &self,
        repository: &Repository,
    ) -> Result<Option<Versioned<Budget>>, StoreError> {
        self.store.budget(repository).await
    }

    async fn commit(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        if let Some(first) = self.comes_first() {
            self.store.commit(vec![first]).await?;
        }
        if self.hangs_now() {
            std::future::pending::<()>().await;
        }
        if self.fails.load(Ordering::Relaxed) {
            return Err(StoreError::Backend {
                operation: "commit",
                source: "the store fails in this test".into(),
            });
        }
        let records = changes.len();
        self.store.commit(changes).await?;
        self.writes.fetch_add(records, Ordering::Relaxed);
        Ok(())
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<DueList, StoreError> {
        if self.silent.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        self.store.due(now, limit).await
    }

    async fn runs(&self, wanted: &RunsWanted, limit: usize) -> Result<RunKeys, StoreError> {
        self.store.runs(wanted, limit).await
    }

    async fn take_lease(
        &self,
        name: LeaseName,
        holder: &HolderId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Fence>, StoreError> {
        self.store.take_lease(name, holder, now, until).await
    }

    async fn release_lease(
        &self,
        name: LeaseName,
        holder: &HolderId,
        fence: Fence,
    ) -> Result<(), StoreError> {
        self.store.release_lease(name, holder, fence).await
    }

    async fn expire(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.store.expire(now).await
    }
}
