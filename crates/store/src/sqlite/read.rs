//! The reading statements.

use reprise_model::ids::{JobId, RunId};
use reprise_model::ledger::{ClaimKey, RunKey};
use rusqlite::{Connection, OptionalExtension, Row, named_params};
use tracing::error;

use crate::contract::{DueKey, DueList, RunKeys, RunsWanted, StoreError, Version, Versioned};
use crate::format;
use crate::record::{self, Kind, Record, RecordKey};
use crate::time::Millis;

pub(super) const RECORD: &str = "SELECT version, format, body FROM records
     WHERE kind = :kind AND key = :key AND expires_at > :time";

pub(super) const DUE: &str = "SELECT kind, key, repository, run_id, job_id, due_at FROM records
     WHERE due_at <= :now AND expires_at > :time
     ORDER BY due_at, kind, key LIMIT :limit";

pub(super) const NEXT_DUE: &str =
    "SELECT due_at FROM records WHERE due_at > :after AND expires_at > :time
     ORDER BY due_at LIMIT 1";

/// Runs of before `ended_at` was written are listed, whenever they ended.
const RUNS: &str = "SELECT repository, run_id FROM records
     WHERE kind = 'run' AND expires_at > :time
     AND (:repository IS NULL OR repository = :repository)
     AND (due_at IS NOT NULL
          OR (NOT :open_only AND (:since IS NULL OR ended_at IS NULL OR ended_at >= :since)))
     ORDER BY due_at IS NULL, due_at, ended_at DESC, key LIMIT :limit";

/// A record as it lies in the table.
pub(super) struct Stored {
    version: i64,
    format: u32,
    body: Vec<u8>,
}

impl Stored {
    pub(super) fn decode<R: Record>(&self, key: &RecordKey) -> Result<Versioned<R>, StoreError> {
        Ok(Versioned {
            record: format::decode(key, self.format, &self.body)?,
            version: Version(self.version.cast_unsigned()),
        })
    }
}

/// The body is taken as bytes, so that one that is no text is found by whoever reads the JSON and
/// knows the key.
pub(super) fn record(
    connection: &Connection,
    key: &RecordKey,
    time: Millis,
) -> rusqlite::Result<Option<Stored>> {
    connection
        .prepare_cached(RECORD)?
        .query_row(
            named_params! { ":kind": key.kind().as_str(), ":key": key.text(), ":time": time.0 },
            |row| {
                Ok(Stored {
                    version: row.get(0)?,
                    format: row.get(1)?,
                    body: row.get_ref(2)?.as_bytes()?.to_vec(),
                })
            },
        )
        .optional()
}

/// Keys come from the columns alone. A row whose columns were damaged by hand is reported and
/// passed over: it must not hold up everything else that is due.
pub(super) fn due(
    connection: &Connection,
    now: Millis,
    time: Millis,
    limit: usize,
) -> rusqlite::Result<DueList> {
    // One more tells whether there are more.
    let most = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(DUE)?;
    let mut rows =
        statement.query(named_params! { ":now": now.0, ":time": time.0, ":limit": most })?;
    let mut list = DueList::default();
    let mut left = limit;
    while let Some(row) = rows.next()? {
        let Some(fewer) = left.checked_sub(1) else {
            return Ok(list);
        };
        left = fewer;
        let (kind, key): (String, String) = (row.get(0)?, row.get(1)?);
        match due_key(row, &kind, &key)? {
            Some(due) => list.push(due, Millis(row.get(5)?).timestamp()),
            None => error!(
                record.kind = kind,
                record.key = key,
                "a due record has columns that cannot be read and is passed over"
            ),
        }
    }
    list.next = next_due(connection, now, time)?.map(Millis::timestamp);
    Ok(list)
}

/// Keys come from the columns alone, as with [`due`].
pub(super) fn runs(
    connection: &Connection,
    wanted: &RunsWanted,
    time: Millis,
    limit: usize,
) -> rusqlite::Result<RunKeys> {
    let repository = wanted.repository.as_ref().map(ToString::to_string);
    let since = wanted.since.map(|since| Millis::passed(since).0);
    let most = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(RUNS)?;
    let mut rows = statement.query(named_params! {
        ":time": time.0, ":repository": repository, ":open_only": wanted.open_only,
        ":since": since, ":limit": most
    })?;
    let mut found = RunKeys::default();
    while let Some(row) = rows.next()? {
        if found.keys.len() >= limit {
            found.more = true;
            break;
        }
        let repository: Option<String> = row.get(0)?;
        let run_id = row.get::<_, Option<i64>>(1)?.map(id).map(RunId);
        match repository.and_then(|text| text.parse().ok()).zip(run_id) {
            Some((repository, run_id)) => found.keys.push(RunKey { repository, run_id }),
            None => error!("a run has columns that cannot be read and is passed over"),
        }
    }
    Ok(found)
}

fn next_due(
    connection: &Connection,
    after: Millis,
    time: Millis,
) -> rusqlite::Result<Option<Millis>> {
    connection
        .prepare_cached(NEXT_DUE)?
        .query_row(
            named_params! { ":after": after.0, ":time": time.0 },
            |row| row.get(0).map(Millis),
        )
        .optional()
}

fn due_key(row: &Row<'_>, kind: &str, key: &str) -> rusqlite::Result<Option<DueKey>> {
    let repository = row
        .get::<_, Option<String>>(2)?
        .and_then(|text| text.parse().ok());
    let run_id = row.get::<_, Option<i64>>(3)?.map(id);
    let job_id = row.get::<_, Option<i64>>(4)?.map(id);
    Ok(match Kind::parse(kind) {
        Some(Kind::Instance) => record::instance(key).map(DueKey::Instance),
        Some(Kind::Run) => repository.zip(run_id).map(|(repository, run_id)| {
            let run_id = RunId(run_id);
            DueKey::Run(RunKey { repository, run_id })
        }),
        Some(Kind::Check) => repository.zip(run_id).map(|(repository, run_id)| {
            let run_id = RunId(run_id);
            DueKey::Check(RunKey { repository, run_id })
        }),
        Some(Kind::Claim) => repository.zip(job_id).map(|(repository, job_id)| {
            let job_id = JobId(job_id);
            DueKey::Claim(ClaimKey { repository, job_id })
        }),
        // They hold no work.
        Some(Kind::Breakers | Kind::Budget) | None => None,
    })
}

/// The way back from `write::bits`.
fn id(bits: i64) -> u64 {
    bits.cast_unsigned()
}
