//! The table itself: made for tests and trials, checked at each start.

use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::client::Waiters;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::operation::create_table::builders::CreateTableFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, GlobalSecondaryIndexDescription,
    KeySchemaElement, KeyType, Projection, ProjectionType, ScalarAttributeType, TableDescription,
    TimeToLiveDescription, TimeToLiveSpecification, TimeToLiveStatus,
};

use super::error::Caller;
use super::item::{DUE, EXPIRES, KEY, QUEUE};
use crate::contract::StoreError;

/// The index of what is due.
pub(super) const INDEX: &str = "due";

const CHECK: &str = "check its table";
const CREATE: &str = "create its table";

/// A table is there after some ten seconds.
const CREATE_TIMEOUT: Duration = Duration::from_secs(180);

/// Each step is left out if it is done, also by an earlier attempt whose answer was lost.
pub(super) async fn create(client: &Client, table: &Caller) -> Result<(), StoreError> {
    let request = create_request(client, table).map_err(|error| table.unbuilt(CREATE, error))?;
    if let Err(error) = request.send().await {
        let there = error
            .as_service_error()
            .is_some_and(CreateTableError::is_resource_in_use_exception);
        if !there {
            return Err(table.failed(CREATE, &error));
        }
    }
    client
        .wait_until_table_exists()
        .table_name(&table.name)
        .wait(CREATE_TIMEOUT)
        .await
        .map_err(|error| StoreError::Backend {
            operation: "wait until its table can be used",
            source: error.into(),
        })?;
    match problem_of_expiry(expiry(client, table).await?.as_ref()) {
        Some(_) => switch_expiry_on(client, table).await,
        None => Ok(()),
    }
}

async fn switch_expiry_on(client: &Client, table: &Caller) -> Result<(), StoreError> {
    let expiry = TimeToLiveSpecification::builder()
        .attribute_name(EXPIRES)
        .enabled(true)
        .build()
        .map_err(|error| table.unbuilt(CREATE, error))?;
    client
        .update_time_to_live()
        .table_name(&table.name)
        .time_to_live_specification(expiry)
        .send()
        .await
        .map_err(|error| table.failed("switch on expiry in its table", &error))?;
    Ok(())
}

async fn expiry(
    client: &Client,
    table: &Caller,
) -> Result<Option<TimeToLiveDescription>, StoreError> {
    let request = client.describe_time_to_live().table_name(&table.name);
    let answer = request.send().await;
    let answer = answer.map_err(|error| table.failed(CHECK, &error))?;
    Ok(answer.time_to_live_description)
}

/// Refuses a table that is not there, or whose items are never deleted.
pub(crate) async fn check_expiry(client: &Client, table: &Caller) -> Result<(), StoreError> {
    let expiry = expiry(client, table).await?;
    match problem_of_expiry(expiry.as_ref()) {
        Some(problem) => Err(table.shape(CHECK, problem)),
        None => Ok(()),
    }
}

/// Refuses a table in which records would get lost, or never be found or deleted.
pub(super) async fn check(client: &Client, table: &Caller) -> Result<(), StoreError> {
    let described = client.describe_table().table_name(&table.name).send();
    let described = described
        .await
        .map_err(|error| table.failed(CHECK, &error))?;
    let expiry = expiry(client, table).await?;
    let problem = described
        .table()
        .map_or(Some("it was not described".to_owned()), problem_of_table)
        .or_else(|| problem_of_expiry(expiry.as_ref()));
    match problem {
        Some(problem) => Err(table.shape(CHECK, problem)),
        None => Ok(()),
    }
}

fn create_request(client: &Client, table: &Caller) -> Result<CreateTableFluentBuilder, BuildError> {
    let attribute = |name: &str, kind| {
        AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(kind)
            .build()
    };
    let key = |name: &str, kind| {
        KeySchemaElement::builder()
            .attribute_name(name)
            .key_type(kind)
            .build()
    };
    let projection = Projection::builder()
        .projection_type(ProjectionType::Include)
        .non_key_attributes(EXPIRES)
        .build();
    let index = GlobalSecondaryIndex::builder()
        .index_name(INDEX)
        .key_schema(key(QUEUE, KeyType::Hash)?)
        .key_schema(key(DUE, KeyType::Range)?)
        .projection(projection)
        .build()?;
    Ok(client
        .create_table()
        .table_name(&table.name)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute(KEY, ScalarAttributeType::S)?)
        .attribute_definitions(attribute(QUEUE, ScalarAttributeType::S)?)
        .attribute_definitions(attribute(DUE, ScalarAttributeType::N)?)
        .key_schema(key(KEY, KeyType::Hash)?)
        .global_secondary_indexes(index))
}

fn problem_of_table(table: &TableDescription) -> Option<String> {
    let types = table.attribute_definitions();
    let keys = keys(types, table.key_schema());
    if keys != [key(KEY, "HASH", "S")] {
        return Some(format!(
            "its key is {keys:?}, and it should be the string {KEY} as partition key alone"
        ));
    }
    let mut indexes = table.global_secondary_indexes().iter();
    match indexes.find(|index| index.index_name() == Some(INDEX)) {
        Some(index) => problem_of_index(types, index),
        None => Some(format!(
            "it has no global secondary index {INDEX} with the string {QUEUE} as partition key and \
             the number {DUE} as sort key"
        )),
    }
}

fn problem_of_index(
    types: &[AttributeDefinition],
    index: &GlobalSecondaryIndexDescription,
) -> Option<String> {
    let keys = keys(types, index.key_schema());
    if keys != [key(QUEUE, "HASH", "S"), key(DUE, "RANGE", "N")] {
        return Some(format!(
            "the key of its index {INDEX} is {keys:?}, and it should be the string {QUEUE} as \
             partition key and the number {DUE} as sort key"
        ));
    }
    let projected = index.projection().is_some_and(|projection| {
        let mut names = projection.non_key_attributes().iter();
        projection.projection_type() == Some(&ProjectionType::All)
            || names.any(|name| name == EXPIRES)
    });
    (!projected).then(|| format!("its index {INDEX} lacks the attribute {EXPIRES}; project it"))
}

fn problem_of_expiry(expiry: Option<&TimeToLiveDescription>) -> Option<String> {
    let on = expiry.is_some_and(|expiry| {
        let status = expiry.time_to_live_status();
        let on = [TimeToLiveStatus::Enabled, TimeToLiveStatus::Enabling];
        status.is_some_and(|status| on.contains(status)) && expiry.attribute_name() == Some(EXPIRES)
    });
    (!on).then(|| format!("its time to live is not switched on for the attribute {EXPIRES}"))
}

/// Names, roles and types of a key, the partition key first.
fn keys(types: &[AttributeDefinition], schema: &[KeySchemaElement]) -> Vec<String> {
    let mut keys: Vec<String> = schema
        .iter()
        .map(|part| {
            let name = part.attribute_name();
            let mut types = types.iter();
            let kind = types.find(|kind| kind.attribute_name() == name);
            let kind = kind.map_or("?", |kind| kind.attribute_type().as_str());
            key(name, part.key_type().as_str(), kind)
        })
        .collect();
    keys.sort_by_key(|key| !key.contains("HASH"));
    keys
}

fn key(name: &str, role: &str, kind: &str) -> String {
    format!("{name} {role} {kind}")
}
