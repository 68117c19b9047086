//! Faults between the store and its table: it repeats, then reports, and neither loses nor doubles.

use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use reprise_model::ledger::LaunchClaim;
use reprise_store::{Change, DynamoStore, Expect, HolderId, LeaseName, Store, StoreError, Version};
use reprise_tests::microburst::{Faults, Microburst};
use reprise_tests::ministack::Ministack;
use reprise_tests::{isolated, raw_aws};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::Place;
use crate::cost::a_claim_of_a_job_that_is_not_interrupted_costs_two_requests;
use crate::samples::{Sample, at, claim, interrupted};
use crate::tables::chain;

/// A table, and the way there that has faults.
#[derive(Debug, Serialize, Deserialize)]
struct Way {
    place: Place,
    faults: String,
}

/// One microburst for all of it: it takes seconds to start.
#[tokio::test]
async fn faults_between_the_store_and_its_table_lose_and_double_nothing() -> Result<()> {
    let Some(way) = isolated::place::<Way>()? else {
        let test = "faults::faults_between_the_store_and_its_table_lose_and_double_nothing";
        return behind_microburst(test).await;
    };
    let (place, faults) = (way.place, Faults::of(&way.faults));
    what_passes_by_itself_is_repeated_and_done_once(&place, &faults).await?;
    a_lost_answer_to_a_commit_is_found_out_and_the_commit_counts_once(&place, &faults).await?;
    a_lost_answer_about_a_lease_is_found_out(&place, &faults).await?;
    what_lasts_is_reported_with_what_to_do_and_nothing_is_written(&place, &faults).await?;
    writers_that_read_again_after_every_fault_lose_and_double_nothing(&place, &faults).await?;
    a_claim_of_a_job_that_is_not_interrupted_costs_two_requests(&place, &faults).await
}

/// Runs the test of this name again where AWS is ministack behind microburst.
async fn behind_microburst(test: &str) -> Result<()> {
    let ministack = Ministack::start().await?;
    let microburst = Microburst::start(&ministack.url()).await?;
    let way = Way {
        place: Place {
            region: ministack.region().clone(),
            url: ministack.url(),
        },
        faults: microburst.url(),
    };
    // It reads its descriptions of all services at the first request.
    let region = way.place.region.as_str();
    raw_aws::dynamodb(&way.faults, region, "ListTables", &json!({})).await?;
    isolated::run_again(test, &way.faults, &way).await
}

async fn what_passes_by_itself_is_repeated_and_done_once(
    place: &Place,
    faults: &Faults,
) -> Result<()> {
    let store = place.table("repeated").await?;
    for (id, fault) in (1..).zip(passing_faults()) {
        let mut rule = fault;
        rule["service"] = json!("dynamodb");
        rule["times"] = json!(2);
        faults.set(json!([rule])).await?;
        let (first, second) = (claim(id), claim(id).due_at(Some(at(5))));
        store.commit(vec![first.put(Expect::Absent)]).await?;
        store
            .commit(vec![second.put(Expect::At(Version(1)))])
            .await?;
        is_stored(&store, &second, Version(2)).await?;
        ensure!(faults.fired().await?.len() == 2, "{rule} did not happen");
    }
    faults.set(json!([collision()])).await?;
    let two = [claim(100), claim(101)].map(|claim| claim.put(Expect::Absent));
    store.commit(two.to_vec()).await?;
    is_stored(&store, &claim(101), Version(1)).await?;
    ensure!(faults.fired().await?.len() == 2, "nothing collided");
    Ok(())
}

async fn a_lost_answer_to_a_commit_is_found_out_and_the_commit_counts_once(
    place: &Place,
    faults: &Faults,
) -> Result<()> {
    let store = place.table("lost").await?;
    lose_an_answer(faults).await?;
    store.commit(vec![claim(1).put(Expect::Absent)]).await?;
    is_lost_once(faults).await?;

    lose_an_answer(faults).await?;
    let change = claim(1).put(Expect::At(Version(1)));
    store.commit(vec![change.clone()]).await?;
    is_lost_once(faults).await?;
    is_stored(&store, &claim(1), Version(2)).await?;
    let again = store.commit(vec![change]).await;
    ensure!(matches!(again, Err(StoreError::Conflict { .. })));

    lose_an_answer(faults).await?;
    let together = [
        claim(1).put(Expect::At(Version(2))),
        interrupted(1).put(Expect::Absent),
    ];
    store.commit(together.to_vec()).await?;
    is_lost_once(faults).await?;
    is_stored(&store, &claim(1), Version(3)).await?;
    is_stored(&store, &interrupted(1), Version(1)).await
}

/// Of a take-over the first answer that comes is the refusal to renew, then the lease.
async fn a_lost_answer_about_a_lease_is_found_out(place: &Place, faults: &Faults) -> Result<()> {
    let store = place.table("leases").await?;
    let (one, other) = (HolderId::new("one"), HolderId::new("other"));
    let take = |holder, now| store.take_lease(LeaseName::Sweep, holder, at(now), at(now + 30));
    for (holder, now) in [(&one, 0), (&other, 60)] {
        let every_other = json!({ "fail": 1, "pass": 1 });
        let lost = json!({ "abort_bytes": 0 });
        faults
            .set(json!([{ "times": 2, "sequence": every_other, "response": lost }]))
            .await?;
        let fence = take(holder, now).await?.context("it was free")?;
        ensure!(faults.fired().await?.len() == 2, "no answer was lost");
        lose_an_answer(faults).await?;
        ensure!(take(holder, now + 1).await? == Some(fence));
        is_lost_once(faults).await?;
    }
    Ok(())
}

async fn what_lasts_is_reported_with_what_to_do_and_nothing_is_written(
    place: &Place,
    faults: &Faults,
) -> Result<()> {
    let store = place.table("lasting").await?;
    for (rule, says) in lasting_faults() {
        faults.set(json!([rule])).await?;
        let error = store.commit(vec![claim(1).put(Expect::Absent)]).await;
        let words = chain(&error.err().context("the fault lasts")?);
        let begins = format!("the store failed to commit a change: {says}");
        ensure!(words.starts_with(&begins), "{words}");
        let error = store.claim(&claim_of(1).key).await;
        let words = chain(&error.err().context("the fault lasts")?);
        let begins = format!("the store failed to read a record: {says}");
        ensure!(words.starts_with(&begins), "{words}");
    }
    faults.set(json!([])).await?;
    ensure!(store.claim(&claim_of(1).key).await?.is_none());
    Ok(())
}

async fn writers_that_read_again_after_every_fault_lose_and_double_nothing(
    place: &Place,
    faults: &Faults,
) -> Result<()> {
    let stores = place.shared_table("writers").await?;
    let stores: [Arc<DynamoStore>; WRITERS] = stores.map(Arc::new);
    let [store, ..] = &stores;
    store.commit(vec![claim(1).put(Expect::Absent)]).await?;
    let writes = |fault: Value| {
        let mut rule = fault;
        rule["service"] = json!("dynamodb");
        rule["probability"] = json!(0.1);
        rule
    };
    let rules: Vec<Value> = passing_faults()
        .into_iter()
        .chain([json!({ "response": { "abort_bytes": 0 } })])
        .map(writes)
        .collect();
    faults.set(json!(rules)).await?;

    let mut writers = JoinSet::new();
    for (store, first) in stores.iter().cloned().zip((0..).step_by(MARKS)) {
        writers.spawn(async move {
            for mark in (first..).take(MARKS) {
                leave_mark(&store, mark).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = writers.join_next().await {
        done??;
    }
    faults.set(json!([])).await?;
    let found = store.claim(&claim_of(1).key).await?.context("is there")?;
    let mut marks: Vec<u64> = marks_of(&found.record);
    marks.sort_unstable();
    let all: Vec<u64> = (0..).take(WRITERS * MARKS).collect();
    ensure!(marks == all, "each once: {marks:?}");
    let writes = 1 + all.len() as u64;
    ensure!(found.version == Version(writes), "{:?}", found.version);
    for mark in all {
        is_stored(store, &interrupted(mark), Version(1)).await?;
    }
    Ok(())
}

/// Adds the mark to the claim and a record beside it, in one commit, as a controller does: after
/// whatever went wrong it reads again, and does only what is not done.
async fn leave_mark(store: &DynamoStore, mark: u64) -> Result<()> {
    for _ in 0..TRIES {
        let Ok(found) = store.claim(&claim_of(1).key).await else {
            continue;
        };
        let found = found.context("is there")?;
        let mut claim = found.record;
        if marks_of(&claim).contains(&mark) {
            return Ok(());
        }
        claim.runner_labels.push(format!("mark={mark}"));
        let changes = vec![
            Sample::Claim(claim).put(Expect::At(found.version)),
            interrupted(mark).put(Expect::Absent),
        ];
        match store.commit(changes).await {
            Ok(()) => return Ok(()),
            Err(StoreError::Conflict { .. } | StoreError::Backend { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    bail!("mark {mark} was never left")
}

/// More than any of it needs.
const TRIES: usize = 200;

fn marks_of(claim: &LaunchClaim) -> Vec<u64> {
    let labels = claim.runner_labels.iter();
    labels
        .filter_map(|label| label.strip_prefix("mark=")?.parse().ok())
        .collect()
}

const WRITERS: usize = 3;

const MARKS: usize = 6;

/// Each comes before the table has done anything.
fn passing_faults() -> Vec<Value> {
    let mut faults: Vec<Value> = [
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "InternalServerError",
    ]
    .into_iter()
    .map(|code| json!({ "error": { "code": code } }))
    .collect();
    faults.push(json!({ "error": { "code": "ServiceUnavailable", "status": 503 } }));
    faults.push(json!({ "error": { "code": "TransactionConflictException" },
                        "operation": "UpdateItem" }));
    faults.push(json!({ "reset": true }));
    faults.push(json!({ "latency": 100 }));
    faults
}

/// A transaction that met another one, and would have gone through.
fn collision() -> Value {
    let reasons = json!([{ "Code": "None" }, { "Code": "TransactionConflict" }]);
    let fields = json!({ "CancellationReasons": reasons });
    json!({
        "operation": "TransactWriteItems",
        "times": 2,
        "error": { "code": "TransactionCanceledException", "status": 400, "fields": fields },
    })
}

fn lasting_faults() -> [(Value, &'static str); 5] {
    let error = |code: &str| json!({ "service": "dynamodb", "error": { "code": code } });
    [
        (
            error("ProvisionedThroughputExceededException"),
            "DynamoDB throttles the table lasting; this passes by itself",
        ),
        (
            error("InternalServerError"),
            "no clear answer from DynamoDB, it may or may not have happened",
        ),
        (
            json!({ "service": "dynamodb", "reset": true }),
            "no clear answer from DynamoDB, it may or may not have happened",
        ),
        (
            error("AccessDeniedException"),
            "access to the table lasting in eu-west-1 was denied; allow the program's role",
        ),
        (
            error("ValidationException"),
            "DynamoDB refused the request: ValidationException",
        ),
    ]
}

async fn lose_an_answer(faults: &Faults) -> Result<()> {
    let lost = json!({ "abort_bytes": 0 });
    faults.set(json!([{ "times": 1, "response": lost }])).await
}

async fn is_lost_once(faults: &Faults) -> Result<()> {
    let fired = faults.fired().await?;
    ensure!(fired.len() == 1, "no answer was lost: {fired:?}");
    Ok(())
}

async fn is_stored(store: &DynamoStore, sample: &Sample, version: Version) -> Result<()> {
    let found = match sample {
        Sample::Instance(entry) => {
            let found = store.instance(&entry.instance).await?;
            found.map(|found| (Sample::Instance(found.record), found.version))
        }
        Sample::Run(entry) => {
            let found = store.run(&entry.key).await?;
            found.map(|found| (Sample::Run(found.record), found.version))
        }
        Sample::Claim(claim) => {
            let found = store.claim(&claim.key).await?;
            found.map(|found| (Sample::Claim(found.record), found.version))
        }
    };
    ensure!(found == Some((sample.clone(), version)), "{found:?}");
    Ok(())
}

fn claim_of(id: u64) -> LaunchClaim {
    match claim(id) {
        Sample::Claim(claim) => claim,
        Sample::Instance(_) | Sample::Run(_) => unreachable!("asked for a claim"),
    }
}
