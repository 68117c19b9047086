//! What the ledger costs: requests a job, and bytes a record.

use anyhow::{Context, Result, ensure};
use jiff::SignedDuration;
use reprise_model::ledger::{ClaimState, LaunchClaim};
use reprise_store::{Expect, HolderId, LeaseName, Store, Version};
use reprise_tests::isolated;
use reprise_tests::microburst::Faults;
use serde_json::{Value, json};

use crate::Place;
use crate::samples::{self, Sample, at, claim};

/// DynamoDB counts writes in units of this size.
const WRITE_UNIT: usize = 1_024;

#[tokio::test]
async fn what_is_written_of_a_job_that_is_not_interrupted_fits_into_one_write_unit() -> Result<()> {
    if let Some(place) = isolated::place::<Place>()? {
        return sizes(&place).await;
    }
    crate::on_ministack(
        "cost::what_is_written_of_a_job_that_is_not_interrupted_fits_into_one_write_unit",
    )
    .await
}

pub(crate) async fn a_claim_of_a_job_that_is_not_interrupted_costs_two_requests(
    place: &Place,
    faults: &Faults,
) -> Result<()> {
    let store = place.table("counted").await?;
    // A rule that changes nothing notes each request.
    faults
        .set(json!([{ "service": "dynamodb", "latency": 0 }]))
        .await?;
    let wanted = claim(1).due_at(Some(at(30)));
    store.commit(vec![wanted.put(Expect::Absent)]).await?;
    let answered = launched(claim(1));
    store
        .commit(vec![answered.put(Expect::At(Version(1)))])
        .await?;
    requests(faults, &["UpdateItem", "UpdateItem"]).await?;

    store.due(at(40), 100).await?;
    requests(faults, &["Query"]).await?;

    let holder = HolderId::new("one");
    let take = |now| store.take_lease(LeaseName::Sweep, &holder, at(now), at(now + 30));
    take(0).await?;
    requests(faults, &["UpdateItem", "UpdateItem"]).await?;
    take(10).await?;
    requests(faults, &["UpdateItem"]).await?;

    let two = [claim(2), claim(3)].map(|claim| claim.put(Expect::Absent));
    store.commit(two.to_vec()).await?;
    requests(faults, &["TransactWriteItems"]).await
}

/// Exactly these, since the last look.
async fn requests(faults: &Faults, expected: &[&str]) -> Result<()> {
    let fired = faults.fired().await?;
    let operations = fired.iter().filter_map(|event| event.split(' ').next());
    let operations: Vec<&str> = operations.collect();
    ensure!(operations == expected, "{operations:?}");
    faults
        .set(json!([{ "service": "dynamodb", "latency": 0 }]))
        .await
}

async fn sizes(place: &Place) -> Result<()> {
    let store = place.table("ledger").await?;
    let samples = samples::every_state();
    for (_, sample) in &samples {
        store.commit(vec![sample.put(Expect::Absent)]).await?;
    }
    let table = place.ask("Scan", json!({ "TableName": "ledger" })).await?;
    let items = table["Items"].as_array().context("no items")?;
    ensure!(items.len() == samples.len(), "{} items", items.len());
    for item in items {
        let key = item["pk"]["S"].as_str().context("no key")?;
        let size = size(item)?;
        println!("{size} bytes: {key}");
        // A run is written only after an interruption, and grows with its jobs.
        let is_run = key.starts_with("run/");
        ensure!(is_run || size <= WRITE_UNIT, "{key} has {size} bytes");
    }
    Ok(())
}

/// As DynamoDB counts: names and texts by their length, numbers by two digits a byte and one more.
fn size(item: &Value) -> Result<usize> {
    let attributes = item.as_object().context("no item")?;
    let sizes = attributes.iter().map(|(name, value)| {
        let text = value["S"].as_str().map(str::len);
        let number = value["N"].as_str().map(|digits| digits.len() / 2 + 2);
        let size = text.or(number).context("neither text nor number")?;
        Ok(name.len() + size)
    });
    sizes.sum()
}

fn launched(sample: Sample) -> Sample {
    let Sample::Claim(claim) = sample else {
        panic!("no claim");
    };
    Sample::Claim(LaunchClaim {
        state: ClaimState::Launched {
            instance: "i-0123456789abcde01".parse().expect("an instance id"),
            capacity: claim.spec.capacity,
        },
        due: None,
        ..claim
    })
}

/// The table's own time to live is in seconds, rounded up.
#[tokio::test]
async fn the_table_is_told_in_whole_seconds_when_a_record_may_go() -> Result<()> {
    if let Some(place) = isolated::place::<Place>()? {
        let store = place.table("ledger").await?;
        let end = at(100) + SignedDuration::from_nanos(1);
        store
            .commit(vec![claim(1).put_until(Expect::Absent, end)])
            .await?;
        let table = place.ask("Scan", json!({ "TableName": "ledger" })).await?;
        let told = table["Items"][0]["ttl"]["N"].as_str();
        let expected = at(101).as_second().to_string();
        ensure!(told == Some(expected.as_str()), "{told:?}");
        return Ok(());
    }
    crate::on_ministack("cost::the_table_is_told_in_whole_seconds_when_a_record_may_go").await
}
