//! Tables that are refused, and what an operator is told.

use std::error::Error;

use anyhow::{Context, Result, ensure};
use reprise_store::{DynamoStore, Expect, Store, StoreError};
use reprise_tests::isolated;
use reprise_tests::ministack::Ministack;
use serde_json::{Value, json};

use crate::samples::claim;
use crate::{Place, on_ministack};

#[tokio::test]
async fn a_table_of_another_shape_is_refused_with_what_is_wrong() -> Result<()> {
    if let Some(place) = isolated::place::<Place>()? {
        return every_shape(&place).await;
    }
    on_ministack("tables::a_table_of_another_shape_is_refused_with_what_is_wrong").await
}

#[tokio::test]
async fn without_credentials_the_error_says_where_they_come_from() -> Result<()> {
    if let Some(place) = isolated::place::<Place>()? {
        let says = refusal("ledger", &place).await?;
        let expected = "the store failed to check its table: no AWS credentials were found; give the \
                        task or instance a role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
        ensure!(says.starts_with(expected), "{says}");
        return Ok(());
    }
    let ministack = Ministack::start().await?;
    let place = Place {
        region: ministack.region().clone(),
        url: ministack.url(),
    };
    let test = "tables::without_credentials_the_error_says_where_they_come_from";
    isolated::run_again_in(test, &place.url, &place, |command| {
        command
            .env_remove("AWS_ACCESS_KEY_ID")
            .env_remove("AWS_SECRET_ACCESS_KEY");
    })
    .await
}

async fn every_shape(place: &Place) -> Result<()> {
    let says = refusal("nowhere", place).await?;
    ensure!(
        says == "the store failed to check its table: there is no table nowhere in eu-west-1; create \
                 it, or correct table and region under [store]",
        "{says}"
    );
    for (name, table, problem) in shapes() {
        let mut request = table;
        request["TableName"] = json!(name);
        request["BillingMode"] = json!("PAY_PER_REQUEST");
        place.ask("CreateTable", request).await?;
        let says = refusal(name, place).await?;
        let begins = format!(
            "the store failed to check its table: the table {name} in eu-west-1 cannot be used: "
        );
        ensure!(says == format!("{begins}{problem}"), "{says}");
    }
    is_made_once_and_works(place).await
}

async fn is_made_once_and_works(place: &Place) -> Result<()> {
    for _ in 0..2 {
        DynamoStore::create_table("ledger", &place.region).await?;
    }
    let store = DynamoStore::connect("ledger", &place.region).await?;
    store.commit(vec![claim(1).put(Expect::Absent)]).await?;

    place
        .ask("DeleteTable", json!({ "TableName": "ledger" }))
        .await?;
    let lost = store.due(crate::samples::at(0), 1).await;
    let lost = chain(&lost.err().context("the table is gone")?);
    ensure!(
        lost.starts_with("the store failed to read what is due: there is no table ledger"),
        "{lost}"
    );
    Ok(())
}

fn shapes() -> [(&'static str, Value, &'static str); 5] {
    let (pk, q, due) = (("pk", "S"), ("q", "S"), ("due", "N"));
    let include = json!({ "ProjectionType": "INCLUDE", "NonKeyAttributes": ["ttl"] });
    let keys_only = json!({ "ProjectionType": "KEYS_ONLY" });
    [
        (
            "other-key",
            json!({ "AttributeDefinitions": types(&[("id", "S")]), "KeySchema": keys(&["id"]) }),
            "its key is [\"id HASH S\"], and it should be the string pk as partition key alone",
        ),
        (
            "no-index",
            json!({ "AttributeDefinitions": types(&[pk]), "KeySchema": keys(&["pk"]) }),
            "it has no global secondary index due with the string q as partition key and the number \
             due as sort key",
        ),
        (
            "other-index",
            with_index(&[pk, q, ("due", "S")], include.clone()),
            "the key of its index due is [\"q HASH S\", \"due RANGE S\"], and it should be the string \
             q as partition key and the number due as sort key",
        ),
        (
            "projects-too-little",
            with_index(&[pk, q, due], keys_only),
            "its index due lacks the attribute ttl; project it",
        ),
        (
            "keeps-everything",
            with_index(&[pk, q, due], include),
            "its time to live is not switched on for the attribute ttl",
        ),
    ]
}

fn with_index(attributes: &[(&str, &str)], projection: Value) -> Value {
    let index = json!({
        "IndexName": "due", "KeySchema": keys(&["q", "due"]), "Projection": projection,
    });
    json!({
        "AttributeDefinitions": types(attributes),
        "KeySchema": keys(&["pk"]),
        "GlobalSecondaryIndexes": [index],
    })
}

fn types(attributes: &[(&str, &str)]) -> Value {
    let all = attributes.iter();
    all.map(|(name, kind)| json!({ "AttributeName": name, "AttributeType": kind }))
        .collect()
}

fn keys(names: &[&str]) -> Value {
    let roles = ["HASH", "RANGE"].into_iter();
    let all = names.iter().zip(roles);
    all.map(|(name, role)| json!({ "AttributeName": name, "KeyType": role }))
        .collect()
}

async fn refusal(table: &str, place: &Place) -> Result<String> {
    let error = DynamoStore::connect(table, &place.region).await.err();
    Ok(chain(&error.context("the table was accepted")?))
}

/// An error and its sources, as a log line shows them.
pub(crate) fn chain(error: &StoreError) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        words = format!("{words}: {error}");
        source = error.source();
    }
    words
}
