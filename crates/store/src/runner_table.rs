//! The table through which new instances get their runner's configuration.
//!
//! It is DynamoDB also where the ledger is SQLite: instances read it by themselves, each its own row
//! ([`reprise_model::runner_row`] says how a row looks). The ledger knows nothing of it. A row is
//! written once; should it be written again, the later configuration is as good as the earlier.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use reprise_model::ids::{Region, RunnerName};
use reprise_model::runner_row::{CONFIG, EXPIRES, KEY, RUNNER};

use crate::contract::StoreError;
use crate::dynamo::{self, Caller};
use crate::time::Seconds;

/// Where the table is configured.
const SECTION: &str = "runner";

/// A table of runner configurations.
#[derive(Debug)]
pub struct RunnerTable {
    client: Client,
    table: Caller,
}

/// One instance's row. No `Debug`: the configuration is a secret.
pub struct RunnerRow<'a> {
    /// Whose row it is, as [`reprise_model::runner_row::RoleId::row_of`] says.
    pub key: String,
    /// The configuration as bytes.
    pub config: Vec<u8>,
    /// The runner's name.
    pub runner: &'a RunnerName,
    /// When the row may be deleted.
    pub expires_at: Timestamp,
}

impl RunnerTable {
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

    /// Hands a configuration over.
    pub async fn put(&self, row: RunnerRow<'_>) -> Result<(), StoreError> {
        let number = |value: Seconds| AttributeValue::N(value.0.to_string());
        self.client
            .put_item()
            .table_name(&self.table.name)
            .item(KEY, AttributeValue::S(row.key))
            .item(CONFIG, AttributeValue::B(Blob::new(row.config)))
            .item(RUNNER, AttributeValue::S(row.runner.to_string()))
            .item(EXPIRES, number(Seconds::reached(row.expires_at)))
            .send()
            .await
            .map(drop)
            .map_err(|error| {
                self.table
                    .failed("hand over a runner's configuration", &error)
            })
    }
}
