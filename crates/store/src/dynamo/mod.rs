//! The ledger in one DynamoDB table: for any number of controllers, on any number of machines.
//!
//! # The table
//!
//! Partition key `pk` (string), no sort key, time to live on `ttl`, and one global secondary index
//! `due` with partition key `q` (string), sort key `due` (number) and `ttl` projected. On-demand
//! billing. [`DynamoStore::create_table`] makes exactly this, and [`DynamoStore::connect`] refuses
//! anything else.
//!
//! | attribute | type | what it is |
//! | --- | --- | --- |
//! | `pk` | S | kind and key: `claim/owner/name/job`, `run/owner/name/run`, `check/owner/name/run`, `instance/account/region/id`, `breakers/spot`, `budget/owner/name` |
//! | `v` | N | version, counts the commits |
//! | `fmt` | N | how the body is to be read |
//! | `body` | S | the record as JSON; the one thing that is believed |
//! | `ttl` | N | when it may be deleted, in seconds since 1970, rounded up |
//! | `q` | S | `due` while something is to be done; else `ended` for a run, and absent for others: so the index holds work, and the runs that had some |
//! | `due` | N | when, or since when, in milliseconds since 1970, rounded up; absent with `q` |
//! | `by` | S | which write this was: a process's random number and a count |
//! | `state`, `repo`, `run`, `job`, `instance` | | copies for people who look in; absent where there is none |
//!
//! A lease has `pk` = `lease/NAME` and `holder` (S, absent after a release), `fence` (N), `until` (N,
//! milliseconds). It has no `ttl`, so nothing deletes it.
//!
//! # What a call costs
//!
//! Items stay below 1 KB for all but the largest runs. A commit of one record is one `UpdateItem`:
//! one write unit for the item and, when the record is or was due, one for its entry in the index,
//! two if the due time changed. A commit of several is one `TransactWriteItems` at
//! twice the units of each. A refused condition costs one unit, a read of a record one read unit,
//! a look at what is due and what comes next half of one for each 4 KB, and so is a list of runs. A lease is renewed by one write.
//!
//! # What to know
//!
//! - Records are read with strong consistency. The index follows within milliseconds, in bad hours
//!   later: a record may be listed that is done already, or not yet that has just become due. Callers
//!   read the record before they work on it, and come again.
//! - The table deletes expired records within days, not at once; until then they are passed over.
//! - The SDK repeats a write whose answer was lost. The repeated condition then finds the write done;
//!   `by` tells that it was this one, and it counts as done. Only if somebody else has written in
//!   between is a write that happened reported as a conflict; whoever reads again sees it. A
//!   transaction carries a token by which DynamoDB itself knows the repetition.
//! - All work is one partition of the index: 1,000 writes a second, some hundred jobs a second.

mod commit;
mod connect;
mod due;
mod error;
mod item;
mod lease;
mod runs;
mod table;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use aws_sdk_dynamodb::Client;
use jiff::Timestamp;
use reprise_model::breaker::Breakers;
use reprise_model::budget::Budget;
use reprise_model::check::CheckEntry;
use reprise_model::ids::{Region, Repository};
use reprise_model::instance::Instance;
use reprise_model::ledger::{ClaimKey, InstanceEntry, LaunchClaim, RunEntry, RunKey};

pub(crate) use self::connect::{ATTEMPTS, FIRST_BACKOFF, LONGEST_BACKOFF, client, client_as};
pub(crate) use self::error::Caller;
pub use self::error::DynamoError;
pub(crate) use self::table::check_expiry;
use crate::contract::{Change, DueList, RunKeys, RunsWanted, Store, StoreError, Versioned};
use crate::lease::{Fence, HolderId, LeaseName};
use crate::record::{Record, RecordKey, Write};
use crate::time::{Millis, Seconds};

/// Where the ledger is configured.
const SECTION: &str = "store";

/// The ledger in a DynamoDB table.
///
/// A call that is dropped may or may not have happened.
#[derive(Debug)]
pub struct DynamoStore {
    client: Client,
    table: Caller,
    /// The latest `now` that a caller named, in milliseconds: what had expired by then is absent.
    time: AtomicI64,
    /// Tells this process's writes from all others.
    writer: u64,
    writes: AtomicU64,
}

impl DynamoStore {
    /// Connects to the table, and checks that it has the shape that this version works with.
    ///
    /// Endpoint and credentials come from where every AWS program takes them.
    pub async fn connect(table: &str, region: &Region) -> Result<Self, StoreError> {
        let client = connect::client(region).await;
        let table = Caller::new(table, region, SECTION);
        table::check(&client, &table).await?;
        Ok(Self {
            client,
            table,
            time: AtomicI64::new(i64::MIN),
            writer: fastrand::u64(..),
            writes: AtomicU64::new(0),
        })
    }

    /// Makes the table unless it is there, and waits until it can be used. For tests and trials: in production it is
    /// made together with its backups and alarms.
    pub async fn create_table(table: &str, region: &Region) -> Result<(), StoreError> {
        let client = connect::client(region).await;
        table::create(&client, &Caller::new(table, region, SECTION)).await
    }

    async fn read<R: Record>(&self, key: &RecordKey) -> Result<Option<Versioned<R>>, StoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table.name)
            .key(item::KEY, item::key(key))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| self.table.failed("read a record", &error))?;
        match answer.item {
            Some(found) => item::decode(key, &found, self.now()),
            None => Ok(None),
        }
    }

    /// The store's time.
    fn now(&self) -> Seconds {
        Seconds::passed(Millis(self.time.load(Ordering::Relaxed)))
    }

    fn advance(&self, now: Timestamp) {
        self.time
            .fetch_max(Millis::passed(now).0, Ordering::Relaxed);
    }

    /// A mark that no other write has.
    fn mark(&self) -> String {
        let count = self.writes.fetch_add(1, Ordering::Relaxed);
        format!("{:x}.{count:x}", self.writer)
    }
}

impl Store for DynamoStore {
    async fn instance(
        &self,
        key: &Instance,
    ) -> Result<Option<Versioned<InstanceEntry>>, StoreError> {
        self.read(&RecordKey::from(key)).await
    }

    async fn run(&self, key: &RunKey) -> Result<Option<Versioned<RunEntry>>, StoreError> {
        self.read(&RecordKey::from(key)).await
    }

    async fn claim(&self, key: &ClaimKey) -> Result<Option<Versioned<LaunchClaim>>, StoreError> {
        self.read(&RecordKey::from(key)).await
    }

    async fn check(&self, key: &RunKey) -> Result<Option<Versioned<CheckEntry>>, StoreError> {
        self.read(&RecordKey::check(key)).await
    }

    async fn breakers(&self) -> Result<Option<Versioned<Breakers>>, StoreError> {
        self.read(&RecordKey::breakers()).await
    }

    async fn budget(
        &self,
        repository: &Repository,
    ) -> Result<Option<Versioned<Budget>>, StoreError> {
        self.read(&RecordKey::budget(repository)).await
    }

    async fn commit(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        let writes = changes
            .iter()
            .map(Write::try_from)
            .collect::<Result<Vec<_>, _>>()?;
        match writes.as_slice() {
            [] => Ok(()),
            [write] => self.commit_one(write).await,
            several => self.commit_together(several).await,
        }
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<DueList, StoreError> {
        self.advance(now);
        self.list_due(Millis::passed(now), limit).await
    }

    async fn runs(&self, wanted: &RunsWanted, limit: usize) -> Result<RunKeys, StoreError> {
        self.list_runs(wanted, limit).await
    }

    async fn take_lease(
        &self,
        name: LeaseName,
        holder: &HolderId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Fence>, StoreError> {
        self.take(name, holder, Millis::passed(now), Millis::reached(until))
            .await
    }

    async fn release_lease(
        &self,
        name: LeaseName,
        holder: &HolderId,
        fence: Fence,
    ) -> Result<(), StoreError> {
        self.release(name, holder, fence).await
    }

    /// The table deletes by itself.
    async fn expire(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.advance(now);
        Ok(0)
    }
}
