//! What every backend promises, in the words of its callers.
//!
//! The promises are checked by one conformance suite (`tests/store/conformance`) that every
//! backend passes.

use std::collections::BTreeMap;
use std::future::Future;

use jiff::Timestamp;
use reprise_model::breaker::Breakers;
use reprise_model::budget::Budget;
use reprise_model::check::CheckEntry;
use reprise_model::ids::Repository;
use reprise_model::instance::Instance;
use reprise_model::ledger::{ClaimKey, InstanceEntry, LaunchClaim, RunEntry, RunKey};

use crate::lease::{Fence, HolderId, LeaseName};

/// A record and the version that a change of it must name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned<R> {
    /// The record.
    pub record: R,
    /// Its version.
    pub version: Version,
}

/// The version of a record, counted from 1 with each commit: whoever commits knows it unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u64);

impl Version {
    /// That of a record which was just written for the first time.
    pub const FIRST: Self = Self(1);

    /// That of the record after the next commit.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// What a change expects to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Nothing: the record is new.
    Absent,
    /// This version.
    At(Version),
}

/// One record to write, on condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Write what is known of an instance; forgotten at `expires_at`.
    PutInstance {
        /// The record.
        entry: InstanceEntry,
        /// What it replaces.
        expect: Expect,
        /// When it may be deleted.
        expires_at: Timestamp,
    },
    /// Write a run's record.
    PutRun {
        /// The record.
        entry: RunEntry,
        /// What it replaces.
        expect: Expect,
        /// When it may be deleted.
        expires_at: Timestamp,
    },
    /// Write a launch claim.
    PutClaim {
        /// The record.
        claim: LaunchClaim,
        /// What it replaces.
        expect: Expect,
        /// When it may be deleted.
        expires_at: Timestamp,
    },
    /// Write what GitHub shows of a run.
    PutCheck {
        /// The record.
        entry: CheckEntry,
        /// What it replaces.
        expect: Expect,
        /// When it may be deleted.
        expires_at: Timestamp,
    },
    /// Write the breakers of the stack's pools. There is one such record.
    PutBreakers {
        /// The record.
        breakers: Breakers,
        /// What it replaces.
        expect: Expect,
        /// When it may be deleted.
        expires_at: Timestamp,
    },
    /// Write what a repository's re-runs cost lately.
    PutBudget {
        /// The record.
        budget: Budget,
        /// What it replaces.
        expect: Expect,
        /// When it may be deleted.
        expires_at: Timestamp,
    },
}

/// A record that is due.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum DueKey {
    /// Late evidence is to be looked for.
    Instance(Instance),
    /// A run is to be read.
    Run(RunKey),
    /// An instance is to be launched.
    Claim(ClaimKey),
    /// What GitHub shows of a run may have to say something else.
    Check(RunKey),
}

/// What kind of record is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DueKind {
    /// See [`DueKey::Instance`].
    Instance,
    /// See [`DueKey::Run`].
    Run,
    /// See [`DueKey::Claim`].
    Claim,
    /// See [`DueKey::Check`].
    Check,
}

impl DueKind {
    /// All there are.
    pub const EACH: [Self; 4] = [Self::Instance, Self::Run, Self::Claim, Self::Check];

    /// The word for metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::Run => "run",
            Self::Claim => "claim",
            Self::Check => "check",
        }
    }
}

impl DueKey {
    /// What kind of record it leads to.
    pub fn kind(&self) -> DueKind {
        match self {
            Self::Instance(_) => DueKind::Instance,
            Self::Run(_) => DueKind::Run,
            Self::Claim(_) => DueKind::Claim,
            Self::Check(_) => DueKind::Check,
        }
    }
}

/// What is due, and what comes next.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DueList {
    /// Records that are due, longest due first.
    pub keys: Vec<DueKey>,
    /// Since when the one of each kind is due that comes first in `keys`.
    pub since: BTreeMap<DueKind, Timestamp>,
    /// When the first record that is not due yet will be. `None` where there is none, and where more
    /// is due than `keys` has room for: whoever asked for so few has enough to do, and asks again.
    pub next: Option<Timestamp>,
}

impl DueList {
    /// Takes in the next one, which is not due for longer than those before it.
    pub(crate) fn push(&mut self, key: DueKey, since: Timestamp) {
        self.since.entry(key.kind()).or_insert(since);
        self.keys.push(key);
    }
}

/// Which runs are to be listed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunsWanted {
    /// Only those in which something may still be done.
    pub open_only: bool,
    /// Only those of this repository.
    pub repository: Option<Repository>,
    /// Of those in which nothing is to be done any more, the ones that came to that end since then.
    pub since: Option<Timestamp>,
}

/// Runs of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunKeys {
    /// First those in which something may still be done, longest due first; then the others, those that
    /// came to their end last first.
    pub keys: Vec<RunKey>,
    /// Whether there are more than were asked for.
    pub more: bool,
}

/// The contract of every backend.
///
/// **Time.** A store reads no clock. The latest `now` that [`due`](Store::due) or
/// [`expire`](Store::expire) named is its time, and a record that had expired by then is absent:
/// for every read, and for [`Expect`]. Due times are indexed in whole milliseconds and expiry times
/// in milliseconds or seconds, rounded up, so that nothing is handed out or forgotten too early.
///
/// **What is due** may be listed a moment late, or a moment longer than it is true: whoever works on
/// it reads the record first and looks at its own due time.
///
/// **Keys.** Repositories are the same in upper and lower case.
///
/// **Leases.** A lease is held by one holder until a time, which the callers' clocks judge: they must
/// agree better than the lease is long. No commit depends on one: what its holder commits is protected by
/// the versions of the records, as everybody's is (docs/adr/0009).
///
/// **Formats.** A record that an earlier version wrote is upgraded as it is read. One that a later
/// version wrote is refused with [`StoreError::NewerRecord`].
pub trait Store: Send + Sync + 'static {
    /// What is known of an instance.
    fn instance(
        &self,
        key: &Instance,
    ) -> impl Future<Output = Result<Option<Versioned<InstanceEntry>>, StoreError>> + Send;

    /// A run's record.
    fn run(
        &self,
        key: &RunKey,
    ) -> impl Future<Output = Result<Option<Versioned<RunEntry>>, StoreError>> + Send;

    /// A launch claim.
    fn claim(
        &self,
        key: &ClaimKey,
    ) -> impl Future<Output = Result<Option<Versioned<LaunchClaim>>, StoreError>> + Send;

    /// What GitHub shows of a run.
    fn check(
        &self,
        key: &RunKey,
    ) -> impl Future<Output = Result<Option<Versioned<CheckEntry>>, StoreError>> + Send;

    /// The breakers of the stack's pools.
    fn breakers(
        &self,
    ) -> impl Future<Output = Result<Option<Versioned<Breakers>>, StoreError>> + Send;

    /// What a repository's re-runs cost lately.
    fn budget(
        &self,
        repository: &Repository,
    ) -> impl Future<Output = Result<Option<Versioned<Budget>>, StoreError>> + Send;

    /// Writes all changes in one transaction, or none: [`StoreError::Conflict`] when one of them
    /// did not find what it expected. It is durable when this returns. A commit names each record
    /// and each lease at most once.
    fn commit(&self, changes: Vec<Change>) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The keys of records due at `now`, at most `limit`, and when the first record after `now` is
    /// due: what is due already is no next one, so that waiting for it cannot spin while it is being
    /// worked on. The records are not read for it: one that cannot be read does not hold up the
    /// others.
    fn due(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> impl Future<Output = Result<DueList, StoreError>> + Send;

    /// The keys of runs, at most `limit`. As with [`due`](Store::due) the records are not read for it, and
    /// a run may be listed a moment late, or a moment longer than it is true.
    fn runs(
        &self,
        wanted: &RunsWanted,
        limit: usize,
    ) -> impl Future<Output = Result<RunKeys, StoreError>> + Send;

    /// Takes the lease until `until` if it is free, released or has run out by `now`, or renews it if
    /// `holder` holds it. `None`: another one holds it. The fence grows whenever the lease comes to
    /// another holder, or to the same one after a release; a renewal keeps it, also a late one that
    /// nobody was faster than.
    fn take_lease(
        &self,
        name: LeaseName,
        holder: &HolderId,
        now: Timestamp,
        until: Timestamp,
    ) -> impl Future<Output = Result<Option<Fence>, StoreError>> + Send;

    /// Gives the lease up, so that others need not wait for its end. Nothing happens unless `holder`
    /// still holds it with this fence.
    fn release_lease(
        &self,
        name: LeaseName,
        holder: &HolderId,
        fence: Fence,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Forgets records that have expired by `now`. The number of those deleted now: a backend that
    /// deletes by itself counts none.
    fn expire(&self, now: Timestamp) -> impl Future<Output = Result<usize, StoreError>> + Send;
}

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else wrote the record first: read it again and decide again. What is read may be
    /// one's own write, if its answer was lost and another write followed.
    #[error("the record {key} was changed by somebody else; read it again")]
    Conflict {
        /// Which record.
        key: String,
    },
    /// The record was written by a later version of Reprise.
    #[error(
        "the record {key} has format {found}, and this version knows formats up to {known}; \
         run the version that wrote it, or a later one"
    )]
    NewerRecord {
        /// Which record.
        key: String,
        /// Its format.
        found: u32,
        /// The newest known.
        known: u32,
    },
    /// The record cannot be read.
    #[error("the record {key} cannot be read")]
    Damaged {
        /// Which record.
        key: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The backend failed.
    #[error("the store failed to {operation}")]
    Backend {
        /// What was being done.
        operation: &'static str,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
