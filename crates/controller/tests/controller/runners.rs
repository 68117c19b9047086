//! New instances get what their runners start with.

use jiff::SignedDuration;
use reprise_model::ids::RunnerId;
use reprise_model::ledger::{ClaimKey, ClaimState};
use reprise_model::webhook::JobAction;
use reprise_store::Store;

use crate::fakes::house::{House, Running};
use crate::fakes::runners::Wrong;
use crate::fakes::samples::{REGION, queued, repository};

/// A controller that gives instances their runners, and a queued job.
fn launching(house: &House, wrong: &[Wrong]) -> Running {
    house.runners.goes_wrong(wrong);
    let running = house.start_giving_runners();
    house.send_job(JobAction::Queued, &queued(1, "build"));
    running
}

async fn state(house: &House) -> Option<ClaimState> {
    let key = ClaimKey {
        repository: repository(),
        job_id: queued(1, "build").id,
    };
    let found = house.store.claim(&key).await.expect("readable");
    found.map(|found| found.record.state)
}

async fn until_launched(house: &House) {
    house
        .until("launched", async || {
            matches!(state(house).await, Some(ClaimState::Launched { .. }))
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_launched_instance_gets_one_runner_for_an_hour_with_all_labels_of_its_job() {
    let house = House::new();
    let running = launching(&house, &[]);
    until_launched(&house).await;
    let rows = house.runners.rows();
    let [(order, expires_at)] = rows.as_slice() else {
        panic!("{} rows", rows.len());
    };
    let Some(ClaimState::Launched { instance, .. }) = state(&house).await else {
        panic!("not launched");
    };
    assert_eq!(order.instance, instance);
    assert_eq!(order.region.as_str(), REGION);
    assert_eq!(order.labels, queued(1, "build").labels);
    assert!(
        order
            .name
            .as_str()
            .starts_with(&format!("reprise--{instance}--"))
    );
    let lives = expires_at.duration_since(house.now());
    assert!(lives > SignedDuration::from_mins(59), "{lives:#}");
    assert_eq!(house.runners.made().len(), 1);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_left_behind_by_a_new_name() {
    let house = House::new();
    let running = launching(&house, &[Wrong::NameLost, Wrong::NameLost]);
    until_launched(&house).await;
    let made = house.runners.made();
    assert_eq!(made.len(), 3);
    assert!(made[0].name != made[1].name && made[1].name != made[2].name);
    assert_eq!(house.runners.rows().len(), 1);
    assert_eq!(house.cloud.launched().len(), 1);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn without_a_runner_the_same_launch_goes_on_later_and_no_second_instance_comes() {
    let house = House::new();
    let running = launching(&house, &[Wrong::NotMade]);
    until_launched(&house).await;
    assert_eq!(house.runners.made().len(), 2);
    assert_eq!(house.runners.rows().len(), 1);
    assert_eq!(house.cloud.launched().len(), 1);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_could_not_be_handed_over_is_taken_back_and_another_is_made() {
    let house = House::new();
    let running = launching(&house, &[Wrong::NotHandedOver]);
    until_launched(&house).await;
    assert_eq!(house.runners.removed(), [RunnerId(1)]);
    let made = house.runners.made();
    assert_eq!(made.len(), 2);
    assert_ne!(made[0].name, made[1].name);
    assert_eq!(house.runners.rows()[0].0, made[1]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn no_runner_waits_for_others_when_the_end_has_come_and_none_hurries_before() {
    let house = House::new();
    let running = launching(&house, &[]);
    until_launched(&house).await;
    assert!(!house.runners.is_hurried());
    running.stop().await;
    assert!(house.runners.is_hurried());
}

#[tokio::test(start_paused = true)]
async fn a_launch_whose_runner_cannot_be_had_ends_with_the_reason() {
    let house = House::new();
    let running = launching(&house, &[Wrong::NotMade; 50]);
    house
        .until("given up", async || {
            matches!(state(&house).await, Some(ClaimState::GivenUp { .. }))
        })
        .await;
    let Some(ClaimState::GivenUp { why }) = state(&house).await else {
        panic!("not given up");
    };
    assert!(
        why.contains("has no runner: failed to make a runner"),
        "{why}"
    );
    assert_eq!(house.cloud.launched().len(), 1);
    running.stop().await;
}
