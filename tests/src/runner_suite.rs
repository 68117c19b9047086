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
use reprise_store::{RunnerRow, RunnerTable};
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
        table
            .put(place.row(&RunnerName::new(runner), runner_config::pack(&encoded)))
            .await?;
        let read = reader.read(&request).await?.context("no row")?;
        ensure!(read.runner.as_deref() == Some(runner), "{read:?}");
        ensure!(read.encoded.len() > 4_096, "{} bytes", read.encoded.len());
        ensure!(read.encoded == encoded, "not what was written");
    }
    what_is_not_there(place).await
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
        Ok(DynamoRow::new(Some(endpoint), table, role)?)
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

    fn row<'a>(&self, runner: &'a RunnerName, config: Vec<u8>) -> RunnerRow<'a> {
        RunnerRow {
            key: self.role.row_of(&self.instance),
            config,
            runner,
            expires_at: wall() + SignedDuration::from_hours(1),
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
