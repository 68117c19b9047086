//! Whichever backend the configuration names.

use jiff::Timestamp;
use reprise_model::breaker::Breakers;
use reprise_model::budget::Budget;
use reprise_model::check::CheckEntry;
use reprise_model::ids::Repository;
use reprise_model::instance::Instance;
use reprise_model::ledger::{ClaimKey, InstanceEntry, LaunchClaim, RunEntry, RunKey};

use crate::contract::{Change, DueList, RunKeys, RunsWanted, Store, StoreError, Versioned};
use crate::dynamo::DynamoStore;
use crate::lease::{Fence, HolderId, LeaseName};
use crate::sqlite::SqliteStore;

/// A store whose kind is known only when the program runs.
#[derive(Debug)]
pub enum AnyStore {
    /// One file, for one machine.
    Sqlite(SqliteStore),
    /// One table, for any number of machines.
    Dynamo(DynamoStore),
}

/// The same call of whichever it is. Those of DynamoDB are in boxes: they are some seven kilobytes each, for
/// which everything that may ever commit would keep room while it waits for something else.
macro_rules! of_either {
    ($self:ident, $store:ident => $call:expr) => {
        match $self {
            Self::Sqlite($store) => $call.await,
            Self::Dynamo($store) => Box::pin($call).await,
        }
    };
}

impl Store for AnyStore {
    async fn instance(
        &self,
        key: &Instance,
    ) -> Result<Option<Versioned<InstanceEntry>>, StoreError> {
        of_either!(self, store => store.instance(key))
    }

    async fn run(&self, key: &RunKey) -> Result<Option<Versioned<RunEntry>>, StoreError> {
        of_either!(self, store => store.run(key))
    }

    async fn claim(&self, key: &ClaimKey) -> Result<Option<Versioned<LaunchClaim>>, StoreError> {
        of_either!(self, store => store.claim(key))
    }

    async fn check(&self, key: &RunKey) -> Result<Option<Versioned<CheckEntry>>, StoreError> {
        of_either!(self, store => store.check(key))
    }

    async fn breakers(&self) -> Result<Option<Versioned<Breakers>>, StoreError> {
        of_either!(self, store => store.breakers())
    }

    async fn budget(
        &self,
        repository: &Repository,
    ) -> Result<Option<Versioned<Budget>>, StoreError> {
        of_either!(self, store => store.budget(repository))
    }

    async fn commit(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        of_either!(self, store => store.commit(changes))
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<DueList, StoreError> {
        of_either!(self, store => store.due(now, limit))
    }

    async fn runs(&self, wanted: &RunsWanted, limit: usize) -> Result<RunKeys, StoreError> {
        of_either!(self, store => store.runs(wanted, limit))
    }

    async fn take_lease(
        &self,
        name: LeaseName,
        holder: &HolderId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Fence>, StoreError> {
        of_either!(self, store => store.take_lease(name, holder, now, until))
    }

    async fn release_lease(
        &self,
        name: LeaseName,
        holder: &HolderId,
        fence: Fence,
    ) -> Result<(), StoreError> {
        of_either!(self, store => store.release_lease(name, holder, fence))
    }

    async fn expire(&self, now: Timestamp) -> Result<usize, StoreError> {
        of_either!(self, store => store.expire(now))
    }
}
