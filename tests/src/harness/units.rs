//! What DynamoDB would charge for what passed: request units, reckoned from the requests themselves.
//!
//! It follows DynamoDB's published rules for on-demand tables, since ministack charges nobody: a write
//! unit for each begun KB of an item, one more for each entry of an index that is put or taken out,
//! twice that in a transaction; a read unit for each begun 4 KB, half of it where the read may be
//! stale.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::config::RUNNER_TABLE;
use super::gate::Passed;

const WRITE_UNIT: usize = 1_024;
const READ_UNIT: usize = 4_096;

/// What an entry of the index of due work takes, keys and all.
const INDEX_ENTRY: usize = 200;

/// What passed to the ledger's table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Units {
    /// Requests that write records, also those whose condition failed.
    pub writes: u64,
    /// Of them: those whose condition failed.
    pub refused: u64,
    /// Units of records written.
    pub write_units: u64,
    /// Units of the index.
    pub index_units: u64,
    /// Requests that read a record, and units.
    pub reads: u64,
    /// See there.
    pub read_units: f64,
    /// Looks at the index, and units.
    pub queries: u64,
    /// See there.
    pub query_units: f64,
    /// Writes of leases.
    pub lease_writes: u64,
    /// The bytes of each record as it was written last, by its key.
    pub sizes: BTreeMap<String, usize>,
    due: BTreeMap<String, String>,
}

/// What passed to the runner table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunnerUnits {
    /// Requests that write rows.
    pub calls: u64,
    /// Rows written.
    pub rows: u64,
    /// Units of rows written.
    pub write_units: u64,
    /// Their bytes.
    pub bytes: usize,
    /// Reads by instances, and units.
    pub reads: u64,
    /// See there.
    pub read_units: f64,
}

/// Everything that passed to the ledger in DynamoDB.
pub fn units(passed: &[Passed]) -> Units {
    let mut units = Units::default();
    for (action, one) in to_dynamodb(passed).filter(|(_, one)| !is_for_runners(one)) {
        units.count(action, one);
    }
    units
}

/// Everything that passed to the runner table.
pub fn runner_units(passed: &[Passed]) -> RunnerUnits {
    let mut units = RunnerUnits::default();
    for (action, one) in to_dynamodb(passed).filter(|(_, one)| is_for_runners(one)) {
        units.count(action, one);
    }
    units
}

fn to_dynamodb(passed: &[Passed]) -> impl Iterator<Item = (&str, &Passed)> {
    passed
        .iter()
        .filter_map(|one| Some((one.what.strip_prefix("DynamoDB_20120810.")?, one)))
}

/// A call that writes rows names the table beside them.
fn is_for_runners(passed: &Passed) -> bool {
    passed.asked["TableName"] == RUNNER_TABLE
        || passed.asked["RequestItems"][RUNNER_TABLE].is_array()
}

impl RunnerUnits {
    fn count(&mut self, action: &str, passed: &Passed) {
        match action {
            "BatchWriteItem" => {
                self.calls += 1;
                let rows = passed.asked["RequestItems"][RUNNER_TABLE].as_array();
                for row in rows.into_iter().flatten() {
                    let size = item_size(&row["PutRequest"]["Item"]);
                    self.rows += 1;
                    self.bytes += size;
                    self.write_units += begun(size, WRITE_UNIT);
                }
            }
            "GetItem" => {
                self.reads += 1;
                self.read_units += read_units(passed);
            }
            // The look at the table itself at a start costs nothing.
            _ => {}
        }
    }
}

impl Units {
    fn count(&mut self, action: &str, passed: &Passed) {
        let done = passed.status.is_success();
        match action {
            "UpdateItem" => {
                self.writes += 1;
                self.refused += u64::from(!done);
                self.update(&passed.asked, 1, done);
            }
            "TransactWriteItems" => {
                self.writes += 1;
                self.refused += u64::from(!done);
                self.transaction(&passed.asked, done);
            }
            "GetItem" => {
                self.reads += 1;
                self.read_units += read_units(passed);
            }
            "Query" => {
                self.queries += 1;
                let entries = passed.answered["ScannedCount"].as_u64().unwrap_or_default();
                let size = usize::try_from(entries).unwrap_or_default() * INDEX_ENTRY;
                self.query_units += begun(size, READ_UNIT) as f64 / 2.0;
            }
            // The look at the table itself at a start costs nothing.
            _ => {}
        }
    }

    fn transaction(&mut self, asked: &Value, done: bool) {
        let items = asked["TransactItems"].as_array();
        for item in items.into_iter().flatten() {
            if item["Update"].is_object() {
                self.update(&item["Update"], 2, done);
            } else {
                // A condition alone is charged like a write of what it looks at.
                self.write_units += 2;
            }
        }
    }

    fn update(&mut self, update: &Value, factor: u64, done: bool) {
        let key = update["Key"]["pk"]["S"].as_str().unwrap_or_default();
        if key.starts_with("lease/") {
            self.writes -= 1;
            self.refused -= u64::from(!done);
            self.lease_writes += 1;
            return;
        }
        let size = size(key, update);
        self.write_units += factor * begun(size, WRITE_UNIT);
        if done {
            self.index_units += factor * self.moved(key, update);
            self.sizes.insert(key.to_owned(), size);
        }
    }

    /// The entries of the index that the write takes out and puts in.
    fn moved(&mut self, key: &str, update: &Value) -> u64 {
        let after = update["ExpressionAttributeValues"][":due"]["N"].as_str();
        let before = match after {
            Some(after) => self.due.insert(key.to_owned(), after.to_owned()),
            None => self.due.remove(key),
        };
        match (before.as_deref(), after) {
            (None, None) => 0,
            (None, Some(_)) | (Some(_), None) => 1,
            // The time of its expiry stands in the entry too.
            (Some(before), Some(after)) if before == after => 1,
            (Some(_), Some(_)) => 2,
        }
    }
}

/// A read that may be stale costs half.
fn read_units(passed: &Passed) -> f64 {
    let whole = begun(item_size(&passed.answered["Item"]), READ_UNIT) as f64;
    match passed.asked["ConsistentRead"].as_bool() {
        Some(true) => whole,
        Some(false) | None => whole / 2.0,
    }
}

/// Names and values of all attributes of a whole item.
fn item_size(item: &Value) -> usize {
    let attributes = item.as_object().into_iter().flatten();
    let sizes = attributes.filter_map(|(name, value)| Some(name.len() + bytes(value)?));
    sizes.sum()
}

fn begun(size: usize, unit: usize) -> u64 {
    size.div_ceil(unit).max(1) as u64
}

/// Names and values of all attributes. A commit writes each of them but the key and the version.
fn size(key: &str, update: &Value) -> usize {
    let empty = Map::new();
    let names = update["ExpressionAttributeNames"].as_object();
    let names = names.unwrap_or(&empty);
    let written = names.iter().filter_map(|(place, name)| {
        let value = &update["ExpressionAttributeValues"][format!(":{}", place.get(1..)?)];
        Some(name.as_str()?.len() + bytes(value)?)
    });
    // The key's name, and the version's with a small number.
    let constant = "pk".len() + "v".len() + 2;
    key.len() + constant + written.sum::<usize>()
}

/// A text takes its bytes, a number one for two digits and one more, and bytes, which are spelled in
/// base64, themselves.
fn bytes(value: &Value) -> Option<usize> {
    let text = value["S"].as_str().map(str::len);
    let number = value["N"].as_str().map(|digits| digits.len() / 2 + 1);
    let binary = value["B"].as_str().map(|spelled| spelled.len() / 4 * 3);
    text.or(number).or(binary)
}
