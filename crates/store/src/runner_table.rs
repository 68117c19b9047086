//! The table through which new instances get their runner's configuration.
//!
//! It is DynamoDB also where the ledger is SQLite: instances read it by themselves, each its own row
//! ([`reprise_model::runner_row`] says how a row looks). The ledger knows nothing of it. Rows are
//! written many in a call; who gathers them is the caller's affair. Should a row be written again, the
//! later configuration is as good as the earlier.
//!
//! Invariant: a row that is said to be written is; a call that wrote some rows fails the others alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::AsyncSleep;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use jiff::Timestamp;
use reprise_model::ids::{Region, RunnerName};
use reprise_model::runner_row::{CONFIG, EXPIRES, KEY, RUNNER};

use crate::contract::StoreError;
use crate::dynamo::{self, ATTEMPTS, Caller, FIRST_BACKOFF, LONGEST_BACKOFF};
use crate::time::Seconds;

/// Where the table is configured.
const SECTION: &str = "runner";

const HAND_OVER: &str = "hand over a runner's configuration";

/// A table of runner configurations.
#[derive(Debug)]
pub struct RunnerTable {
    client: Client,
    table: Caller,
}

/// One instance's row; whose it is, its key says, which is
/// [`reprise_model::runner_row::RoleId::row_of`] it. It is not shown whole: the configuration is a secret.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunnerRow {
    /// The configuration as bytes.
    pub config: Vec<u8>,
    /// The runner's name.
    pub runner: RunnerName,
    /// When the row may be deleted.
    pub expires_at: Timestamp,
}

/// Rows by their keys: no call has two of one key, which DynamoDB would refuse.
pub type RunnerRows = BTreeMap<String, RunnerRow>;

/// What became of a row. One error may be that of many.
pub type RowWritten = Result<(), Arc<StoreError>>;

impl RunnerTable {
    /// How many rows one call takes.
    pub const ROWS: usize = 25;

    /// Connects to the table, and checks that it is there and that its rows do not last for ever.
    ///
    /// Endpoint and credentials come from where every AWS program takes them; with a role, these are
    /// used to take it on.
    pub async fn connect(
        table: &str,
        region: &Region,
        role_arn: Option<&str>,
    ) -> Result<Self, StoreError> {
        let client = match role_arn {
            Some(role_arn) => dynamo::client_as(region, role_arn).await,
            None => dynamo::client(region).await,
        };
        let table = Caller::new(table, region, SECTION);
        dynamo::check_expiry(&client, &table).await?;
        Ok(Self { client, table })
    }

    /// Hands up to [`Self::ROWS`] configurations over, and tells of each row what became of it.
    pub async fn put(&self, rows: RunnerRows) -> BTreeMap<String, RowWritten> {
        let keys: BTreeSet<String> = rows.keys().cloned().collect();
        let failed = self.put_all(rows).await.err();
        let (left, error) = failed.map_or_else(Default::default, |Unwritten { rows, error }| {
            (rows, Some(Arc::new(error)))
        });
        keys.into_iter()
            .map(|key| match &error {
                Some(error) if left.contains_key(&key) => (key, Err(Arc::clone(error))),
                Some(_) | None => (key, Ok(())),
            })
            .collect()
    }

    /// DynamoDB may write some rows of a call and leave the others for later. These are asked for
    /// again, as often as the client repeats a call that failed whole.
    async fn put_all(&self, mut rows: RunnerRows) -> Result<(), Unwritten> {
        let mut tries = 0;
        while !rows.is_empty() {
            if tries == ATTEMPTS {
                let error = self.table.throttled(HAND_OVER, "UnprocessedItems");
                return Err(Unwritten { rows, error });
            }
            self.pause_before(tries).await;
            match self.put_once(&rows).await {
                Ok(left) => rows.retain(|key, _| left.contains(key)),
                Err(error) => return Err(Unwritten { rows, error }),
            }
            tries += 1;
        }
        Ok(())
    }

    /// One call. The keys of the rows that it left.
    async fn put_once(&self, rows: &RunnerRows) -> Result<BTreeSet<String>, StoreError> {
        let requests = rows.iter().map(|(key, row)| request(key, row));
        let requests = requests
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| self.table.unbuilt(HAND_OVER, error))?;
        let answer = self
            .client
            .batch_write_item()
            .request_items(&self.table.name, requests)
            .send()
            .await
            .map_err(|error| self.table.failed(HAND_OVER, &error))?;
        let left = answer.unprocessed_items.unwrap_or_default();
        Ok(left.values().flatten().filter_map(key_of).collect())
    }

    /// By the sleep in which the client itself waits before it repeats a call.
    async fn pause_before(&self, tries: u32) {
        if let Some(pause) = pause(tries, fastrand::f64())
            && let Some(sleep) = self.client.config().sleep_impl()
        {
            sleep.sleep(pause).await;
        }
    }
}

impl fmt::Debug for RunnerRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunnerRow")
            .field("runner", &self.runner)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// Rows that were not written, or of which nobody knows.
struct Unwritten {
    rows: RunnerRows,
    error: StoreError,
}

/// What is waited for after so many tries; `jitter` is from 0 to 1. The first try waits for nothing.
fn pause(tries: u32, jitter: f64) -> Option<Duration> {
    let doubled = FIRST_BACKOFF.saturating_mul(1 << tries.checked_sub(1)?.min(16));
    let whole = doubled.min(LONGEST_BACKOFF);
    // At least half of it: who was throttled together should not be so again.
    Some(whole.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0))
}

fn request(key: &str, row: &RunnerRow) -> Result<WriteRequest, BuildError> {
    let expires = Seconds::reached(row.expires_at).0.to_string();
    let put = PutRequest::builder()
        .item(KEY, AttributeValue::S(key.to_owned()))
        .item(CONFIG, AttributeValue::B(Blob::new(row.config.clone())))
        .item(RUNNER, AttributeValue::S(row.runner.to_string()))
        .item(EXPIRES, AttributeValue::N(expires))
        .build()?;
    Ok(WriteRequest::builder().put_request(put).build())
}

fn key_of(request: &WriteRequest) -> Option<String> {
    let key = request.put_request()?.item().get(KEY)?;
    key.as_s().ok().cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_was_left_is_asked_for_again_after_a_longer_pause_each_time() {
        let longest: Vec<u128> = (1..7)
            .filter_map(|tries| pause(tries, 1.0))
            .map(|pause| pause.as_millis())
            .collect();
        assert_eq!(longest, [100, 200, 400, 800, 1_000, 1_000]);
        assert_eq!(pause(3, 0.0), Some(Duration::from_millis(200)));
        assert_eq!(pause(0, 1.0), None);
    }

    #[test]
    fn a_rows_key_is_found_in_what_dynamodb_left() {
        let row = RunnerRow {
            config: vec![1],
            runner: RunnerName::new("one"),
            expires_at: Timestamp::UNIX_EPOCH,
        };
        let request = request("role:i-1", &row).expect("complete");
        assert_eq!(key_of(&request).as_deref(), Some("role:i-1"));
    }

    #[test]
    fn a_row_is_shown_without_its_secret() {
        let row = RunnerRow {
            config: b"secret".to_vec(),
            runner: RunnerName::new("one"),
            expires_at: Timestamp::UNIX_EPOCH,
        };
        let shown = format!("{row:?}");
        assert!(shown.contains("one") && !shown.contains("115"), "{shown}");
    }
}
