//! What every DynamoDB must do for the runner table: the controller's adapter writes a row, and the
//! agent's reads it.
//!
//! It knows nothing of the server.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use reprise_agent::RunnerTable as _;
use reprise_agent::credentials::RoleCredentials;
use reprise_agent::dynamo_row::DynamoRow;
use reprise_agent::runner_row::RowRequest;
use reprise_model::ids::{AccountId, InstanceId, Region, RunnerName};
use reprise_model::instance::Instance;
use reprise_model::runner_config;
use reprise_model::runner_row::RoleId;
use reprise_store::{RunnerRow, RunnerRows, RunnerTable};
use serde::{Deserialize, Serialize};

/// Where the table is, and who reads it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunnerPlace {
    /// The endpoint.
    pub url: String,
    /// Its region.
    pub region: Region,
    /// The table, with time to live on `ttl`.
    pub table: String,
    /// The role of the instances.
    pub role: RoleId,
    /// An instance.
    pub instance: InstanceId,
    /// What its metadata service hands to it: key, secret and token.
    pub credentials: [String; 3],
}

/// Everything, on an empty table.
pub async fn run(place: &RunnerPlace) -> Result<()> {
    let table = RunnerTable::connect(&place.table, &place.region, None).await?;
    let (reader, request) = (place.reader(&place.table)?, place.request());
    ensure!(
        reader.read(&request).await?.is_none(),
        "the table is not empty"
    );
    // Longer than 4 KB in base64, as GitHub's are; every byte there is.
    for runner in ["first", "second"] {
        let config: Vec<u8> = runner
            .bytes()
            .chain((0..4_000).map(|n| (n % 256) as u8))
            .collect();
        let encoded = STANDARD.encode(config);
        let row = row(runner, runner_config::pack(&encoded));
        let key = place.role.row_of(&place.instance);
        written(&table, RunnerRows::from([(key, row)])).await?;
        let read = reader.read(&request).await?.context("no row")?;
        ensure!(read.runner.as_deref() == Some(runner), "{read:?}");
        ensure!(read.encoded.len() > 4_096, "{} bytes", read.encoded.len());
        ensure!(read.encoded == encoded, "not what was written");
    }
    a_full_call(place, &table).await?;
    what_is_not_there(place).await
}

/// The key of a row that a table does not take.
pub const STARVED: &str = "starved";

/// One row of a call is never taken; the others are written.
pub async fn one_row_fails(place: &RunnerPlace) -> Result<()> {
    let table = RunnerTable::connect(&place.table, &place.region, None).await?;
    let own = place.role.row_of(&place.instance);
    let rows = [own.as_str(), STARVED, "zeta"];
    let rows = rows.map(|key| (key.to_owned(), row("one", runner_config::pack("e30="))));
    let written = table.put(RunnerRows::from(rows)).await;
    let failed: Vec<&str> = written
        .iter()
        .filter_map(|(key, written)| written.is_err().then_some(key.as_str()))
        .collect();
    ensure!(failed == [STARVED], "{written:?}");
    let error = written[STARVED].as_ref().err().context("written")?;
    let words = std::error::Error::source(error).map(ToString::to_string);
    let words = words.unwrap_or_default();
    ensure!(words.contains("throttles the table"), "{words}");
    let reader = place.reader(&place.table)?;
    ensure!(reader.read(&place.request()).await?.is_some(), "no row");
    Ok(())
}

/// As many rows as there may be, the reader's among them.
async fn a_full_call(place: &RunnerPlace, table: &RunnerTable) -> Result<()> {
    let others = (1..RunnerTable::ROWS).map(|number| format!("{}:other-{number}", place.role));
    let keys = others.chain([place.role.row_of(&place.instance)]);
    let rows: RunnerRows = keys
        .map(|key| (key, row("third", runner_config::pack("e30="))))
        .collect();
    ensure!(rows.len() == RunnerTable::ROWS, "{} rows", rows.len());
    written(table, rows).await?;
    let reader = place.reader(&place.table)?;
    let read = reader.read(&place.request()).await?.context("no row")?;
    ensure!(read.runner.as_deref() == Some("third"), "{read:?}");
    ensure!(read.encoded == "e30=", "not what was written");
    written(table, RunnerRows::new()).await
}

async fn written(table: &RunnerTable, rows: RunnerRows) -> Result<()> {
    let keys: Vec<String> = rows.keys().cloned().collect();
    let written = table.put(rows).await;
    let answered: Vec<String> = written.keys().cloned().collect();
    ensure!(answered == keys, "{answered:?}");
    let all: Result<Vec<()>, _> = written.into_values().collect();
    all?;
    Ok(())
}

fn row(runner: &str, config: Vec<u8>) -> RunnerRow {
    RunnerRow {
        config,
        runner: RunnerName::new(runner),
        expires_at: wall() + SignedDuration::from_hours(1),
    }
}

async fn what_is_not_there(place: &RunnerPlace) -> Result<()> {
    let missing = RunnerTable::connect("nowhere", &place.region, None).await;
    let error = missing.err().context("there is no such table")?;
    let words = std::error::Error::source(&error).map(ToString::to_string);
    let words = words.unwrap_or_default();
    ensure!(words.contains("under [runner]"), "{words}");
    let missing = place.reader("nowhere")?.read(&place.request()).await;
    let words = missing.err().context("there is no such table")?.to_string();
    ensure!(words.contains("there is no table nowhere"), "{words}");
    Ok(())
}

impl RunnerPlace {
    /// The agent's adapter.
    pub fn reader(&self, table: &str) -> Result<DynamoRow> {
        let endpoint = self.url.parse()?;
        let (table, role) = (table.to_owned(), self.role.clone());
        Ok(DynamoRow::new(Some(endpoint), None, table, role))
    }

    /// The instance asks for its row.
    pub fn request(&self) -> RowRequest {
        let [access_key_id, secret_access_key, session_token] = self.credentials.clone();
        let now = SystemTime::from(wall());
        RowRequest {
            instance: Instance {
                account: AccountId::new("123456789012"),
                region: self.region.clone(),
                id: self.instance.clone(),
            },
            credentials: RoleCredentials {
                access_key_id,
                secret_access_key,
                session_token,
                expires_at: now + Duration::from_secs(3_600),
            },
            signed_at: now,
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a server nobody here wrote compares signatures and lifetimes with the time of day"
)]
fn wall() -> Timestamp {
    Timestamp::now()
}
