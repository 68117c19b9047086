//! Who wrote how often into a shared SQLite ledger.
//!
//! A record's version counts its commits, so the file tells afterwards what each job cost.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use reprise_model::ids::JobId;
use reprise_world::world::World;
use rusqlite::{Connection, OpenFlags};

/// A record and the number of its commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// `claim`, `instance` or `run`.
    pub kind: String,
    /// The record's key.
    pub key: String,
    /// The job, of a claim.
    pub job: Option<u64>,
    /// The instance, of an instance.
    pub instance: Option<String>,
    /// How often it was committed.
    pub times: u64,
}

/// All records of a ledger.
pub fn written(ledger: &Path) -> Result<Vec<Written>> {
    let connection = Connection::open_with_flags(ledger, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .with_context(|| format!("failed to open {}", ledger.display()))?;
    let mut query =
        connection.prepare("SELECT kind, key, job_id, instance_id, version FROM records")?;
    let rows = query.query_map([], |row| {
        Ok(Written {
            kind: row.get(0)?,
            key: row.get(1)?,
            job: row.get::<_, Option<i64>>(2)?.map(i64::cast_unsigned),
            instance: row.get(3)?,
            times: row.get::<_, i64>(4)?.cast_unsigned(),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How often each job was written, by its name, where every name is one job: its claim, and what is
/// kept of the instance that ran it.
pub fn writes_a_job(records: &[Written], world: &World) -> BTreeMap<String, u64> {
    let mut writes: BTreeMap<String, u64> = BTreeMap::new();
    for record in records {
        let of_claim = record.job.filter(|_| record.kind == "claim").map(JobId);
        let of_instance = record.instance.as_ref().and_then(|id| {
            let machine = world.machine(&id.parse().ok()?)?;
            machine.job.filter(|_| record.kind == "instance")
        });
        let job = of_claim.or(of_instance);
        let job = job.and_then(|id| Some(world.github().job(id)?.2.name.clone()));
        *writes.entry(job.unwrap_or_default()).or_default() += record.times;
    }
    writes
}
