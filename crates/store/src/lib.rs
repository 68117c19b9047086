//! The ledger: what neither the queue, EC2 nor GitHub remembers.
//!
//! One contract ([`Store`]) for every backend. A record is read with its version and committed on
//! condition that nobody else has written it since; several changes of one commit happen together
//! or not at all. Due work stands in the records, found by an index on its time. A lease says which
//! process alone may do a thing, and fences off one that is late.
//!
//! Beside the ledger, and in DynamoDB always, is the table through which new instances get their runner's
//! configuration ([`RunnerTable`]).
//!
//! No decision is made here and no clock is read: the store learns the time from its callers.

mod any;
mod contract;
mod dynamo;
mod format;
mod lease;
mod record;
mod runner_table;
mod sqlite;
mod time;

pub use any::AnyStore;
pub use contract::{
    Change, DueKey, DueKind, DueList, Expect, RunKeys, RunsWanted, Store, StoreError, Version,
    Versioned,
};
pub use dynamo::{DynamoError, DynamoStore};
pub use format::FORMAT;
pub use lease::{Fence, HolderId, LeaseName};
pub use runner_table::{RowWritten, RunnerRow, RunnerRows, RunnerTable};
pub use sqlite::{OpenError, SqliteStore};
