//! What is SQLite's own: the file, its handles, and what an operator or a crash may do to it.

use std::error::Error;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use reprise_model::ledger::LaunchClaim;
use reprise_store::{Expect, SqliteStore, Store, StoreError, Version};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::samples::{self, Sample, at, claim, interrupted, run};

conformance_of!(file, {
    let folder = TempDir::new().expect("a folder");
    (open(&database(&folder)), folder)
});
conformance_of!(in_memory, (SqliteStore::in_memory().expect("opens"), ()));

#[tokio::test]
async fn everything_is_there_after_the_file_was_closed_and_opened_again() {
    let folder = TempDir::new().expect("a folder");
    let samples = samples::every_state();
    let changes = samples.iter().map(|(_, sample)| sample.put(Expect::Absent));
    let store = open(&database(&folder));
    store.commit(changes.collect()).await.expect("commits");
    let due = store.due(at(10_000), 100).await.expect("reads");
    drop(store);

    let store = open(&database(&folder));
    assert_eq!(store.due(at(10_000), 100).await.expect("reads"), due);
    assert!(!due.keys.is_empty());
    for (name, sample) in samples {
        match &sample {
            Sample::Instance(entry) => {
                let found = store.instance(&entry.instance).await.expect("reads");
                assert_eq!(found.map(|f| f.record).as_ref(), Some(entry), "{name}");
            }
            Sample::Run(entry) => {
                let found = store.run(&entry.key).await.expect("reads");
                assert_eq!(found.map(|f| f.record).as_ref(), Some(entry), "{name}");
            }
            Sample::Claim(entry) => {
                let found = store.claim(&entry.key).await.expect("reads");
                assert_eq!(found.map(|f| f.record).as_ref(), Some(entry), "{name}");
            }
            Sample::Check(entry) => {
                let found = store.check(&entry.key).await.expect("reads");
                assert_eq!(found.map(|f| f.record).as_ref(), Some(entry), "{name}");
            }
        }
    }
}

#[tokio::test]
async fn of_two_handles_that_read_the_same_version_one_conflicts() {
    let folder = TempDir::new().expect("a folder");
    let (one, other) = (open(&database(&folder)), open(&database(&folder)));
    commit(&one, &[&claim(1)]).await;
    let change = |seconds| {
        let sample = claim(1).due_at(Some(at(seconds)));
        vec![sample.put(Expect::At(Version(1)))]
    };
    one.commit(change(10)).await.expect("is first");
    let error = other.commit(change(20)).await.expect_err("is second");
    assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
    let due = other.due(at(15), 10).await.expect("reads").keys;
    assert_eq!(due, [claim(1).key()], "the first write stays");
}

#[tokio::test]
async fn expiry_deletes_and_counts_what_has_passed() {
    let store = SqliteStore::in_memory().expect("opens");
    for (id, seconds) in [(1, 99), (2, 100), (3, 101)] {
        let change = claim(id).put_until(Expect::Absent, at(seconds));
        store.commit(vec![change]).await.expect("commits");
    }
    assert_eq!(store.expire(at(100)).await.expect("deletes"), 2);
    assert_eq!(store.expire(at(100)).await.expect("deletes"), 0);
}

#[test]
fn handles_that_write_at_the_same_time_lose_no_write() {
    const WRITES: u32 = 50;
    let folder = TempDir::new().expect("a folder");
    let store = open(&database(&folder));
    at_once(commit(&store, &[&claim(1)]));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let handle = open(&database(&folder));
                (0..WRITES).for_each(|_| at_once(count_up(&handle)));
            });
        }
    });
    assert_eq!(at_once(stored_claim(&store)).0.generation, 2 * WRITES);
}

#[test]
fn a_new_file_opened_by_many_at_once_is_prepared_once_and_works_for_all() {
    for _ in 0..20 {
        let folder = TempDir::new().expect("a folder");
        let start = std::sync::Barrier::new(4);
        let store = || {
            start.wait();
            open(&database(&folder))
        };
        std::thread::scope(|scope| {
            for id in 0..4 {
                scope.spawn(move || at_once(commit(&store(), &[&claim(id)])));
            }
        });
        let due = at_once(open(&database(&folder)).claim(&claim_of(3).key));
        assert!(due.expect("reads").is_some());
    }
}

#[test]
fn every_call_finishes_at_its_first_poll() {
    let store = SqliteStore::in_memory().expect("opens");
    at_once(store.commit(vec![claim(1).put(Expect::Absent)])).expect("commits");
    at_once(store.claim(&claim_of(1).key)).expect("reads");
    at_once(store.due(at(0), 1)).expect("reads");
    at_once(store.expire(at(0))).expect("deletes");
}

#[tokio::test]
async fn a_damaged_body_names_its_record_and_leaves_the_others_alone() {
    let folder = TempDir::new().expect("a folder");
    let store = open(&database(&folder));
    let sample = |id| claim(id).due_at(Some(at(1)));
    commit(&store, &[&sample(1), &sample(2)]).await;
    for body in ["'{\"key\":'", "'[]'", "''", "CAST(x'ff00' AS TEXT)"] {
        let by_hand = format!("UPDATE records SET body = {body} WHERE job_id = 1");
        shell(&folder).execute(&by_hand, []).expect("writes");
        let error = store.claim(&claim_of(1).key).await.expect_err("damaged");
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
        assert_eq!(
            error.to_string(),
            "the record claim acme/shop/1 cannot be read"
        );
        assert!(error.source().is_some());
    }
    let due = store.due(at(5), 10).await.expect("reads").keys;
    assert_eq!(due, [claim(1).key(), claim(2).key()]);
    let whole = store.claim(&claim_of(2).key).await.expect("reads");
    assert!(whole.is_some());
}

#[tokio::test]
async fn a_row_whose_columns_were_damaged_does_not_hold_up_what_else_is_due() {
    let folder = TempDir::new().expect("a folder");
    let store = open(&database(&folder));
    let samples = [interrupted(1), run(1), claim(1), claim(2)];
    let due = samples.map(|sample| sample.due_at(Some(at(1))));
    commit(&store, &due.each_ref()).await;
    shell(&folder)
        .execute_batch(
            "UPDATE records SET repository = 'no repository' WHERE kind = 'run';
             UPDATE records SET job_id = NULL WHERE key = 'acme/shop/1';
             UPDATE records SET key = 'i-1' WHERE kind = 'instance';",
        )
        .expect("writes");
    let keys = store.due(at(5), 10).await.expect("reads").keys;
    assert_eq!(keys, [claim(2).key()]);
}

#[tokio::test]
async fn a_record_of_a_newer_format_is_refused_and_not_overwritten() {
    let folder = TempDir::new().expect("a folder");
    let store = open(&database(&folder));
    commit(&store, &[&claim(1)]).await;
    shell(&folder)
        .execute(
            "UPDATE records SET format = 99, body = '{}', version = 2",
            [],
        )
        .expect("writes");
    let error = store.claim(&claim_of(1).key).await.expect_err("newer");
    let known = reprise_store::FORMAT;
    assert!(
        matches!(&error, StoreError::NewerRecord { key, found: 99, known: k }
            if key == "claim acme/shop/1" && *k == known),
        "{error}"
    );
    let change = claim(1).put(Expect::Absent);
    store.commit(vec![change]).await.expect_err("conflicts");
}

#[test]
fn a_database_of_a_newer_schema_is_refused_and_left_as_it_is() {
    let folder = TempDir::new().expect("a folder");
    shell(&folder)
        .pragma_update(None, "user_version", 7)
        .expect("writes");
    let before = std::fs::read(database(&folder)).expect("reads");
    let error = SqliteStore::open(&database(&folder)).expect_err("newer");
    assert_eq!(
        chain(&error, &folder),
        "the store failed to open its database: the database FOLDER/reprise.db has schema 7, and \
         this version knows schemas up to 6; run the version that wrote it, or a later one, or put \
         back a copy from before the upgrade"
    );
    let after = std::fs::read(database(&folder)).expect("reads");
    assert_eq!(before, after);
}

#[tokio::test]
async fn what_is_in_a_database_of_an_older_schema_is_still_there_after_the_upgrade() {
    let folder = TempDir::new().expect("a folder");
    let old = shell(&folder);
    for migration in ["0001_records.sql", "0002_leases.sql"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let text = std::fs::read_to_string(path.join(migration)).expect("reads");
        old.execute_batch(&text).expect(migration);
    }
    old.pragma_update(None, "user_version", 2).expect("writes");
    let body = serde_json::to_string(&claim_of(1)).expect("JSON");
    old.execute(
        "INSERT INTO records (kind, key, state, expires_at, due_at, version, format, body) \
         VALUES ('claim', 'acme/shop/1', 'wanted', 9000000000000, 1, 4, 1, ?1)",
        [body],
    )
    .expect("writes");
    drop(old);

    let store = open(&database(&folder));
    let found = store.claim(&claim_of(1).key).await.expect("reads");
    let found = found.expect("is there");
    assert_eq!((found.record, found.version), (claim_of(1), Version(4)));
    let change = samples::put_breakers(samples::breakers(), Expect::Absent);
    store.commit(vec![change]).await.expect("commits");
    let open_until: String = shell(&folder)
        .query_row(
            "SELECT open_until FROM breakers WHERE pool = 'eu-west-1/eu-west-1a/c7a'",
            [],
            |row| row.get(0),
        )
        .expect("is shown");
    assert_eq!(open_until, "2026-11-02T12:10:00Z");
    let change = samples::put_budget(samples::budget(), Expect::Absent);
    store.commit(vec![change]).await.expect("commits");
    let granted: (String, String, i64) = shell(&folder)
        .query_row("SELECT repository, granted, jobs FROM budgets", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .expect("is shown");
    let told = ("acme/shop".to_owned(), "2026-11-02T13:00:00Z".to_owned(), 3);
    assert_eq!(granted, told);
}

#[test]
fn a_path_that_cannot_be_a_database_says_what_to_check() {
    let folder = TempDir::new().expect("a folder");
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "not a database, ".repeat(100)).expect("writes");
    for (path, says) in [
        (
            folder.path().join("missing/reprise.db"),
            "the file FOLDER/missing/reprise.db cannot be opened or made; check that its folder \
             exists and that this user may write there",
        ),
        (
            folder.path().to_owned(),
            "the file FOLDER cannot be opened or made; check that its folder exists",
        ),
        (
            text,
            "the file FOLDER/notes.txt could not be used as a database of this program: file is \
             not a database",
        ),
    ] {
        let error = SqliteStore::open(&path).expect_err("cannot be opened");
        let words = chain(&error, &folder);
        assert!(words.contains(says), "{words}");
    }
}

#[tokio::test]
async fn the_views_show_an_operator_states_and_readable_times() {
    let folder = TempDir::new().expect("a folder");
    let store = open(&database(&folder));
    let samples = samples::every_state();
    let all: Vec<&Sample> = samples.iter().map(|(_, sample)| sample).collect();
    commit(&store, &all).await;
    for (query, shown) in [
        (
            "SELECT state || ' ' || due || ' ' || expires FROM runs WHERE run_id = 101",
            "awaiting 2026-11-02T12:10:50Z 2026-12-07T12:00:00Z",
        ),
        ("SELECT state FROM runs WHERE run_id = 203", "asked"),
        ("SELECT state FROM runs WHERE run_id = 302", "settled"),
        (
            "SELECT state || ' ' || instance_id FROM claims
             WHERE repository = 'ACME/shop' AND job_id = 402",
            "launched i-0123456789abcde04",
        ),
        ("SELECT state FROM claims WHERE job_id = 405", "given-up"),
        (
            "SELECT group_concat(state, ' ') FROM
             (SELECT state FROM instances ORDER BY instance)",
            "interrupted unexplained known known",
        ),
    ] {
        let found: String = shell(&folder)
            .query_one(query, [], |row| row.get(0))
            .expect(query);
        assert_eq!(found, shown, "{query}");
    }
}

fn database(folder: &TempDir) -> PathBuf {
    folder.path().join("reprise.db")
}

fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path).expect("opens")
}

/// What an operator's shell sees, or damages.
fn shell(folder: &TempDir) -> Connection {
    Connection::open(database(folder)).expect("opens")
}

async fn commit(store: &SqliteStore, samples: &[&Sample]) {
    let changes = samples.iter().map(|sample| sample.put(Expect::Absent));
    store.commit(changes.collect()).await.expect("commits");
}

async fn count_up(store: &SqliteStore) {
    loop {
        let (mut claim, version) = stored_claim(store).await;
        claim.generation += 1;
        let change = Sample::Claim(claim).put(Expect::At(version));
        match store.commit(vec![change]).await {
            Ok(()) => return,
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

async fn stored_claim(store: &SqliteStore) -> (LaunchClaim, Version) {
    let found = store.claim(&claim_of(1).key).await.expect("reads");
    let found = found.expect("is there");
    (found.record, found.version)
}

fn claim_of(id: u64) -> LaunchClaim {
    match claim(id) {
        Sample::Claim(claim) => claim,
        Sample::Instance(_) | Sample::Run(_) | Sample::Check(_) => {
            unreachable!("asked for a claim")
        }
    }
}

/// No runtime is needed: a call that waited would fail here.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits for something"),
    }
}

/// An error and its sources, as a log line shows them.
fn chain(error: &StoreError, folder: &TempDir) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        words = format!("{words}: {error}");
        source = error.source();
    }
    words.replace(&folder.path().display().to_string(), "FOLDER")
}
