//! Records of every format that was ever written are read as what they meant.
//!
//! `tests/data/format-N/` holds them as they were stored. Files of old formats are never changed.
//! Those of the newest are also what is written today: a change of a stored type that alters its
//! JSON fails here until it brings a new format, with an upgrade and with files of its own.

use std::path::{Path, PathBuf};

use reprise_store::{Change, Expect, FORMAT, SqliteStore, Store};
use rusqlite::{Connection, named_params};
use serde_json::Value;
use tempfile::TempDir;

use crate::samples::{self, Sample, breakers, budget, put_breakers, put_budget};

/// The file of the breakers.
const BREAKERS: &str = "breakers-opened-and-closed";

/// The file of a budget.
const BUDGET: &str = "budget-spent";

#[tokio::test]
async fn records_of_every_format_are_read_as_what_they_meant() {
    for format in 1..=FORMAT {
        for (name, sample) in samples::every_state() {
            let body = std::fs::read_to_string(file(format, name)).expect(name);
            assert_eq!(read_back(&sample, format, &body).await, sample, "{name}");
        }
    }
}

#[test]
fn the_newest_format_is_what_is_written_today() {
    for (name, sample) in samples::every_state() {
        let path = file(FORMAT, name);
        let stored = std::fs::read_to_string(&path).unwrap_or_else(|error| {
            panic!(
                "{}: {error}; write it with `cargo test -p reprise-store -- --ignored`",
                path.display()
            )
        });
        let stored: Value = serde_json::from_str(&stored).expect("JSON");
        assert_eq!(
            stored,
            json(&sample),
            "{name} is written in another way than format {FORMAT}: it wants a new format"
        );
    }
}

#[tokio::test]
async fn breakers_of_every_format_are_read_as_what_they_meant() {
    for format in 1..=FORMAT {
        let body = std::fs::read_to_string(file(format, BREAKERS)).expect(BREAKERS);
        let change = put_breakers(breakers(), Expect::Absent);
        let (_folder, store) = rewritten(change, format, &body).await;
        let found = store.breakers().await.expect("reads");
        assert_eq!(found.expect("is there").record, breakers());
    }
}

#[test]
fn the_newest_format_of_breakers_is_what_is_written_today() {
    let stored = std::fs::read_to_string(file(FORMAT, BREAKERS)).expect(BREAKERS);
    let stored: Value = serde_json::from_str(&stored).expect("JSON");
    let today = serde_json::to_value(breakers()).expect("JSON");
    assert_eq!(stored, today, "it wants a new format");
}

#[tokio::test]
async fn budgets_of_every_format_are_read_as_what_they_meant() {
    for format in 1..=FORMAT {
        let body = std::fs::read_to_string(file(format, BUDGET)).expect(BUDGET);
        let change = put_budget(budget(), Expect::Absent);
        let (_folder, store) = rewritten(change, format, &body).await;
        let found = store.budget(&budget().repository).await.expect("reads");
        assert_eq!(found.expect("is there").record, budget());
    }
}

#[test]
fn the_newest_format_of_a_budget_is_what_is_written_today() {
    let stored = std::fs::read_to_string(file(FORMAT, BUDGET)).expect(BUDGET);
    let stored: Value = serde_json::from_str(&stored).expect("JSON");
    let today = serde_json::to_value(budget()).expect("JSON");
    assert_eq!(stored, today, "it wants a new format");
}

#[test]
#[ignore = "writes the test data of a new format"]
fn write_the_records_of_the_newest_format() {
    for (name, sample) in samples::every_state() {
        write(name, &json(&sample));
    }
    write(BREAKERS, &serde_json::to_value(breakers()).expect("JSON"));
    write(BUDGET, &serde_json::to_value(budget()).expect("JSON"));
}

fn write(name: &str, body: &Value) {
    let path = file(FORMAT, name);
    let folder = path.parent().expect("a folder");
    std::fs::create_dir_all(folder).expect("writes");
    if !path.exists() {
        let text = serde_json::to_string_pretty(body).expect("JSON");
        std::fs::write(&path, text + "\n").expect("writes");
    }
}

/// Puts the body into a database as if an earlier version had written it.
async fn read_back(sample: &Sample, format: u32, body: &str) -> Sample {
    let (_folder, store) = rewritten(sample.put(Expect::Absent), format, body).await;
    stored(&store, sample).await.expect("is there")
}

async fn rewritten(change: Change, format: u32, body: &str) -> (TempDir, SqliteStore) {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("reprise.db");
    let store = SqliteStore::open(&path).expect("opens");
    store.commit(vec![change]).await.expect("commits");
    Connection::open(&path)
        .expect("opens")
        .execute(
            "UPDATE records SET format = :format, body = :body",
            named_params! { ":format": format, ":body": body },
        )
        .expect("writes");
    (folder, store)
}

async fn stored(store: &SqliteStore, sample: &Sample) -> Option<Sample> {
    Some(match sample {
        Sample::Instance(entry) => {
            let found = store.instance(&entry.instance).await.expect("reads")?;
            Sample::Instance(found.record)
        }
        Sample::Run(entry) => Sample::Run(store.run(&entry.key).await.expect("reads")?.record),
        Sample::Claim(claim) => {
            Sample::Claim(store.claim(&claim.key).await.expect("reads")?.record)
        }
        Sample::Check(entry) => {
            Sample::Check(store.check(&entry.key).await.expect("reads")?.record)
        }
    })
}

fn json(sample: &Sample) -> Value {
    match sample {
        Sample::Instance(entry) => serde_json::to_value(entry),
        Sample::Run(entry) => serde_json::to_value(entry),
        Sample::Claim(claim) => serde_json::to_value(claim),
        Sample::Check(entry) => serde_json::to_value(entry),
    }
    .expect("JSON")
}

fn file(format: u32, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/format-{format}/{name}.json"))
}
