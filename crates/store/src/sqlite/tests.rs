use std::error::Error;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use reprise_model::ids::{AccountId, Region};
use rusqlite::OpenFlags;
use tempfile::TempDir;

use super::*;
use crate::contract::Expect;

#[test]
fn a_panic_while_the_lock_is_held_leaves_the_store_usable() {
    let store = SqliteStore::in_memory().expect("opens");
    at_once(store.commit(vec![put(1, 10)])).expect("commits");
    std::thread::scope(|scope| {
        let panics = scope.spawn(|| {
            let mut inner = store.lock();
            let transaction = inner.connection.transaction().expect("begins");
            transaction
                .execute("DELETE FROM records", [])
                .expect("deletes");
            panic!("in the middle of a transaction");
        });
        assert!(panics.join().is_err());
    });
    assert!(store.inner.is_poisoned());
    assert!(is_stored(&store, 1), "the transaction was rolled back");
    at_once(store.commit(vec![put(2, 10)])).expect("commits");
    assert!(is_stored(&store, 2));
}

#[test]
fn a_full_disk_is_a_clear_error_and_half_a_commit_is_not_kept() {
    let folder = TempDir::new().expect("a folder");
    let store = SqliteStore::open(&folder.path().join("reprise.db")).expect("opens");
    at_once(store.commit(vec![put(1, 10)])).expect("commits");
    let pages: i64 = pragma(&store, "page_count");
    set_pragma(&store, "max_page_count", pages + 2);

    let error = at_once(store.commit(vec![put(2, 10), put(3, 100_000)])).expect_err("full");
    assert_eq!(error.to_string(), "the store failed to commit a change");
    assert_eq!(cause(&error), "database or disk is full");
    assert!(is_stored(&store, 1));
    assert!(!is_stored(&store, 2) && !is_stored(&store, 3));

    set_pragma(&store, "max_page_count", 1_000_000);
    at_once(store.commit(vec![put(2, 10), put(3, 100_000)])).expect("there is room again");
    assert!(is_stored(&store, 2) && is_stored(&store, 3));
}

#[test]
fn a_database_that_can_no_longer_be_written_is_a_clear_error() {
    let store = SqliteStore::in_memory().expect("opens");
    set_pragma(&store, "query_only", 1);
    let error = at_once(store.commit(vec![put(1, 10)])).expect_err("read-only");
    assert_eq!(error.to_string(), "the store failed to commit a change");
    assert_eq!(cause(&error), "attempt to write a readonly database");
    assert!(!is_stored(&store, 1));
}

#[test]
fn a_look_reads_beside_whoever_works_and_neither_makes_nor_changes_anything() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("reprise.db");
    let told = SqliteStore::open_to_read(&path).expect_err("nothing is there");
    let told = cause(&told);
    assert!(
        told.contains("there is no ledger") && told.contains("store.path"),
        "{told}"
    );
    assert!(!path.exists(), "a look made it");

    let store = SqliteStore::open(&path).expect("opens");
    let look = SqliteStore::open_to_read(&path).expect("opens");
    at_once(store.commit(vec![put(1, 10)])).expect("commits");
    assert!(is_stored(&look, 1));
    let error = at_once(look.commit(vec![put(2, 10)])).expect_err("a look");
    assert_eq!(cause(&error), "attempt to write a readonly database");

    set_pragma(&store, "user_version", 1);
    let told = cause(&SqliteStore::open_to_read(&path).expect_err("too old"));
    assert!(told.contains("has schema 1"), "{told}");
    set_pragma(&store, "user_version", 99);
    let told = cause(&SqliteStore::open_to_read(&path).expect_err("too new"));
    assert!(told.contains("has schema 99"), "{told}");
}

#[test]
fn a_file_that_is_no_database_is_told_with_what_to_do() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("controller.toml");
    std::fs::write(&path, "no database at all, whatever its length may be").expect("writes");
    let told = cause(&SqliteStore::open_to_read(&path).expect_err("no database"));
    assert!(told.contains("cannot be read as a ledger"), "{told}");
}

#[test]
fn a_file_that_may_only_be_read_is_refused_when_it_is_opened() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("reprise.db");
    drop(SqliteStore::open(&path).expect("opens"));
    let connection =
        Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("opens");
    let error = schema::prepare(connection, &path).expect_err("read-only");
    assert_eq!(
        error.to_string(),
        format!(
            "the file {} may only be read; let this user write to it and to its folder",
            path.display()
        )
    );
}

#[test]
fn commits_are_durable_and_readers_are_not_kept_waiting() {
    let folder = TempDir::new().expect("a folder");
    let store = SqliteStore::open(&folder.path().join("reprise.db")).expect("opens");
    assert_eq!(pragma::<String>(&store, "journal_mode"), "wal");
    assert_eq!(pragma::<i64>(&store, "synchronous"), 2, "full");
    assert_eq!(pragma::<i64>(&store, "foreign_keys"), 1);
    assert_eq!(pragma::<i64>(&store, "busy_timeout"), 5_000);
}

#[test]
fn the_statements_asked_most_use_an_index() {
    let store = SqliteStore::in_memory().expect("opens");
    for (statement, index) in [
        (read::RECORD, "sqlite_autoindex_records_1"),
        (read::DUE, "records_due"),
        (read::NEXT_DUE, "records_due"),
        (write::UPDATE, "sqlite_autoindex_records_1"),
        (write::DELETE, "records_expiry"),
    ] {
        let plan = plan(&store, statement);
        assert!(plan.contains(&format!("INDEX {index}")), "{plan}");
    }
}

/// An instance without evidence whose record is about `size` bytes long.
fn put(number: u8, size: usize) -> Change {
    let mut entry = InstanceEntry {
        instance: instance(number),
        evidence: Vec::new(),
        unexplained: None,
        judged: None,
        console: None,
        due: None,
    };
    let evidence = reprise_model::evidence::Evidence {
        source: reprise_model::evidence::EvidenceSource::Tag,
        first_seen_at: Timestamp::UNIX_EPOCH,
    };
    entry.evidence.resize(size / 50, evidence);
    Change::PutInstance {
        entry,
        expect: Expect::Absent,
        expires_at: Timestamp::MAX,
    }
}

fn instance(number: u8) -> Instance {
    Instance {
        account: AccountId::new("111122223333"),
        region: Region::new("eu-west-1"),
        id: format!("i-0123456789abcde{number:02x}")
            .parse()
            .expect("an instance id"),
    }
}

fn is_stored(store: &SqliteStore, number: u8) -> bool {
    at_once(store.instance(&instance(number)))
        .expect("reads")
        .is_some()
}

fn pragma<T: rusqlite::types::FromSql>(store: &SqliteStore, name: &str) -> T {
    store
        .lock()
        .connection
        .pragma_query_value(None, name, |row| row.get(0))
        .expect(name)
}

fn set_pragma(store: &SqliteStore, name: &str, value: i64) {
    store
        .lock()
        .connection
        .pragma_update(None, name, value)
        .expect(name);
}

fn plan(store: &SqliteStore, statement: &str) -> String {
    let inner = store.lock();
    let mut explained = inner
        .connection
        .prepare(&format!("EXPLAIN QUERY PLAN {statement}"))
        .expect(statement);
    let steps = explained.raw_query().mapped(|row| row.get::<_, String>(3));
    steps.map(|step| step.expect("text") + "\n").collect()
}

fn cause(error: &StoreError) -> String {
    error.source().expect("a source").to_string()
}

fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits for something"),
    }
}
