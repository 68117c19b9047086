//! The writing statements, each on condition.

use rusqlite::{CachedStatement, Connection, Transaction, TransactionBehavior, named_params};
use tracing::warn;

use super::failed_to;
use crate::contract::{Expect, StoreError, Version};
use crate::format::FORMAT;
use crate::record::Write;
use crate::time::Millis;

/// A record that has expired counts as absent, so a new one may take its place. It takes the next
/// version, so that nobody who has read the old one can overwrite it.
const INSERT: &str = "INSERT INTO records (kind, key, state, repository, run_id, job_id, \
     instance_id, due_at, expires_at, version, format, body) \
     VALUES (:kind, :key, :state, :repository, :run_id, :job_id, :instance_id, :due_at, \
     :expires_at, 1, :format, :body) \
     ON CONFLICT (kind, key) DO UPDATE SET state = excluded.state, \
     repository = excluded.repository, run_id = excluded.run_id, job_id = excluded.job_id, \
     instance_id = excluded.instance_id, due_at = excluded.due_at, \
     expires_at = excluded.expires_at, version = version + 1, format = excluded.format, \
     body = excluded.body WHERE records.expires_at <= :time";

pub(super) const UPDATE: &str = "UPDATE records SET state = :state, repository = :repository, \
     run_id = :run_id, job_id = :job_id, instance_id = :instance_id, due_at = :due_at, \
     expires_at = :expires_at, version = version + 1, format = :format, body = :body \
     WHERE kind = :kind AND key = :key AND version = :version AND expires_at > :time";

pub(super) const DELETE: &str = "DELETE FROM records WHERE expires_at <= :now";

/// Dropped without its commit, the transaction undoes what was written before a conflict.
pub(super) fn all_or_nothing(
    connection: &mut Connection,
    writes: &[Write],
    time: Millis,
) -> Result<(), StoreError> {
    let failed = || failed_to("commit a change");
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(failed())?;
    for write in writes {
        if put(&transaction, write, time).map_err(failed())? == 0 {
            let key = write.key.to_string();
            return Err(StoreError::Conflict { key });
        }
    }
    transaction.commit().map_err(failed())
}

/// Work that is forgotten undone is a mistake of whoever set the expiry, so it is said aloud.
pub(super) fn expire(connection: &mut Connection, now: Millis) -> rusqlite::Result<usize> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let undone: u32 = transaction
        .prepare_cached(
            "SELECT count(*) FROM records WHERE expires_at <= :now AND due_at IS NOT NULL",
        )?
        .query_row(named_params! { ":now": now.0 }, |row| row.get(0))?;
    let deleted = transaction
        .prepare_cached(DELETE)?
        .execute(named_params! { ":now": now.0 })?;
    transaction.commit()?;
    if undone > 0 {
        warn!(
            store.expired = deleted,
            store.expired_undone = undone,
            "records expired with work still due"
        );
    }
    Ok(deleted)
}

/// How many records it has written: none where it did not find what it expected.
fn put(transaction: &Transaction<'_>, write: &Write, time: Millis) -> rusqlite::Result<usize> {
    match write.expect {
        Expect::Absent => {
            let mut statement = transaction.prepare_cached(INSERT)?;
            bind(&mut statement, write, time)?;
            statement.raw_execute()
        }
        Expect::At(Version(version)) => {
            let mut statement = transaction.prepare_cached(UPDATE)?;
            bind(&mut statement, write, time)?;
            set(&mut statement, ":version", bits(version))?;
            statement.raw_execute()
        }
    }
}

fn bind(statement: &mut CachedStatement<'_>, write: &Write, time: Millis) -> rusqlite::Result<()> {
    let columns = &write.columns;
    let repository = columns.repository.as_ref().map(ToString::to_string);
    let instance_id = columns.instance_id.as_ref().map(|id| id.as_str());
    let due_at = columns.due.map(|due| Millis::reached(due.at).0);
    set(statement, ":kind", write.key.kind().as_str())?;
    set(statement, ":key", write.key.text())?;
    set(statement, ":state", columns.state)?;
    set(statement, ":repository", repository)?;
    set(statement, ":run_id", columns.run_id.map(|id| bits(id.0)))?;
    set(statement, ":job_id", columns.job_id.map(|id| bits(id.0)))?;
    set(statement, ":instance_id", instance_id)?;
    set(statement, ":due_at", due_at)?;
    set(
        statement,
        ":expires_at",
        Millis::reached(write.expires_at).0,
    )?;
    set(statement, ":format", FORMAT)?;
    set(statement, ":body", write.body.as_str())?;
    set(statement, ":time", time.0)
}

fn set(
    statement: &mut CachedStatement<'_>,
    name: &str,
    value: impl rusqlite::ToSql,
) -> rusqlite::Result<()> {
    match statement.parameter_index(name)? {
        Some(index) => statement.raw_bind_parameter(index, value),
        None => Err(rusqlite::Error::InvalidParameterName(name.to_owned())),
    }
}

/// SQLite's integers have a sign and ids have none. GitHub's are far below 2^63; one that is not
/// shows as a negative number and comes back as it was.
fn bits(id: u64) -> i64 {
    id.cast_signed()
}
