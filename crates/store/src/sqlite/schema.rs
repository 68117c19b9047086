//! Opening the database: its settings, its schema, and whether this version may touch it.
//!
//! `PRAGMA user_version` counts the migrations that ran. Each runs once, in a transaction of its
//! own, also when two processes open the file at the same time.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use tracing::info;

/// How long a call waits for another process that holds the write lock. A commit holds it for one
/// sync of the disk; only a long statement in somebody's shell comes near this.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How often the switch to the write-ahead log is asked for: each "busy" means that another
/// connection is opening the same new file.
const SWITCH_TRIES: u32 = 100;

/// The schema of version `n + 1`, `n` being the place in the list. Files that have been released
/// are never edited.
const MIGRATIONS: [&str; 6] = [
    include_str!("../../migrations/0001_records.sql"),
    include_str!("../../migrations/0002_leases.sql"),
    include_str!("../../migrations/0003_breakers.sql"),
    include_str!("../../migrations/0004_checks.sql"),
    include_str!("../../migrations/0005_ended_runs.sql"),
    include_str!("../../migrations/0006_budgets.sql"),
];

/// The schema that this version works with.
const SCHEMA: u32 = MIGRATIONS.len() as u32;

/// Why a database was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be opened or made.
    #[error(
        "the file {path} cannot be opened or made; check that its folder exists and that this \
         user may write there"
    )]
    File {
        /// Which file.
        path: PathBuf,
        /// SQLite's words.
        #[source]
        source: rusqlite::Error,
    },
    /// The file may only be read.
    #[error("the file {path} may only be read; let this user write to it and to its folder")]
    ReadOnly {
        /// Which file.
        path: PathBuf,
    },
    /// There is no such file, and a look makes none.
    #[error(
        "there is no ledger {path}; name the file that the controller's store.path names, on the \
         machine where the controller runs"
    )]
    Missing {
        /// Which file.
        path: PathBuf,
    },
    /// It cannot be looked into.
    #[error(
        "the file {path} cannot be read as a ledger; check that this user may read it and write to its \
         folder, as SQLite needs beside a controller that runs"
    )]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// SQLite's words.
        #[source]
        source: rusqlite::Error,
    },
    /// No controller of this version has opened it yet.
    #[error(
        "the database {path} has schema {found}, and this version works with schema {wanted}; the \
         controller of this version changes it when it starts"
    )]
    OlderSchema {
        /// Which file.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The one that is needed.
        wanted: u32,
    },
    /// A later version of Reprise has changed the schema.
    #[error(
        "the database {path} has schema {found}, and this version knows schemas up to {known}; run \
         the version that wrote it, or a later one, or put back a copy from before the upgrade"
    )]
    NewerSchema {
        /// Which file.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The newest known.
        known: u32,
    },
    /// The settings or the schema could not be applied.
    #[error("the file {path} could not be used as a database of this program")]
    Prepare {
        /// Which file.
        path: PathBuf,
        /// SQLite's words.
        #[source]
        source: rusqlite::Error,
    },
}

pub(super) fn open_file(path: &Path) -> Result<Connection, OpenError> {
    let connection = Connection::open(path).map_err(|source| OpenError::File {
        path: path.to_owned(),
        source,
    })?;
    prepare(connection, path)
}

/// Opens a database for a look: nothing is made, changed or brought to another schema.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, OpenError> {
    if !path.exists() {
        return Err(OpenError::Missing {
            path: path.to_owned(),
        });
    }
    let failed = |source| OpenError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(failed)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    let schema = schema_of(&connection).map_err(failed)?;
    refuse_newer(schema, path)?;
    if schema < SCHEMA {
        return Err(OpenError::OlderSchema {
            path: path.to_owned(),
            found: schema,
            wanted: SCHEMA,
        });
    }
    Ok(connection)
}

pub(super) fn open_in_memory() -> Result<Connection, OpenError> {
    let path = Path::new(":memory:");
    let connection = Connection::open_in_memory().map_err(|source| OpenError::File {
        path: path.to_owned(),
        source,
    })?;
    prepare(connection, path)
}

/// Makes an open connection ready. SQLite opens a file that may only be read without a word, and
/// the first commit would fail; so that is asked here.
pub(super) fn prepare(mut connection: Connection, path: &Path) -> Result<Connection, OpenError> {
    let failed = |source| OpenError::Prepare {
        path: path.to_owned(),
        source,
    };
    if connection.is_readonly(rusqlite::MAIN_DB).map_err(failed)? {
        return Err(OpenError::ReadOnly {
            path: path.to_owned(),
        });
    }
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    // Before the first setting that writes, so that a newer database is left exactly as it is.
    refuse_newer(schema_of(&connection).map_err(failed)?, path)?;
    configure(&connection).map_err(failed)?;
    let schema = migrate(&mut connection).map_err(failed)?;
    refuse_newer(schema, path)?;
    info!(store.path = %path.display(), store.schema = schema, "opened the ledger");
    Ok(connection)
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    switch_to_wal(connection)?;
    // Without it SQLite prepares a statement anew whenever a value bound to it might let the planner
    // choose a partial index; that took longer than all the statements themselves.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)
}

/// The switch needs the file for itself for a moment, and SQLite answers "busy" at once, without
/// waiting, when two connections switch at the same time. The other one's switch holds for us too,
/// so asking again ends as soon as it is done; each waits for the lock that the other one holds.
fn switch_to_wal(connection: &Connection) -> rusqlite::Result<()> {
    let switch = || {
        // A database in memory answers "memory" here, which is as it should be.
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))
    };
    for _ in 1..SWITCH_TRIES {
        match switch() {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                // Waits, within the busy timeout, until whoever writes has done so.
                connection.execute_batch("BEGIN IMMEDIATE; COMMIT")?;
            }
            switched => return switched,
        }
    }
    switch()
}

/// Runs the migrations that are missing. Answers the schema, which another process may have taken
/// further in the meantime.
fn migrate(connection: &mut Connection) -> rusqlite::Result<u32> {
    let behavior = TransactionBehavior::Immediate;
    for (done, migration) in (0_u32..).zip(MIGRATIONS) {
        let transaction = connection.transaction_with_behavior(behavior)?;
        if schema_of(&transaction)? == done {
            transaction.execute_batch(migration)?;
            transaction.pragma_update(None, "user_version", done + 1)?;
            transaction.commit()?;
        }
    }
    schema_of(connection)
}

fn schema_of(connection: &Connection) -> rusqlite::Result<u32> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn refuse_newer(found: u32, path: &Path) -> Result<(), OpenError> {
    if found > SCHEMA {
        return Err(OpenError::NewerSchema {
            path: path.to_owned(),
            found,
            known: SCHEMA,
        });
    }
    Ok(())
}
