//! New instances get what their runners start with.

use jiff::SignedDuration;
use reprise_engine::strays::ListedRunner;
use reprise_model::ids::RunnerId;
use reprise_model::instance::InstanceState;
use reprise_model::ledger::{ClaimKey, ClaimState};
use reprise_model::runner_row::runner_name;
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
async fn a_name_that_is_taken_is_left_behind_by_a_new_one() {
    let house = House::new();
    let running = launching(&house, &[Wrong::NameTaken, Wrong::NameTaken]);
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
async fn a_launch_whose_runner_cannot_be_had_ends_with_the_reason_after_three_machines() {
    let house = House::new();
    let running = launching(&house, &[Wrong::NotMade; 100]);
    house
        .until("given up", async || {
            matches!(state(&house).await, Some(ClaimState::GivenUp { .. }))
        })
        .await;
    let Some(ClaimState::GivenUp { why }) = state(&house).await else {
        panic!("not given up");
    };
    assert!(why.contains("GitHub gave no runner for i-"), "{why}");
    assert_eq!(house.cloud.launched().len(), 3);
    assert_eq!(house.cloud.terminate_calls(), 3);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_machine_whose_agent_has_given_up_is_ended_and_the_job_gets_another_with_its_runner() {
    let house = House::new();
    let running = launching(&house, &[Wrong::NotMade; 8]);
    house
        .until("a first machine", async || {
            house.cloud.launched().len() == 1
        })
        .await;
    let first = house.cloud.only_launched();
    until_launched(&house).await;
    assert_eq!(house.cloud.launched().len(), 2);
    assert_eq!(house.cloud.state_of(&first), InstanceState::Terminated);
    let rows = house.runners.rows();
    let [(order, _)] = rows.as_slice() else {
        panic!("{} rows", rows.len());
    };
    assert_ne!(order.instance.to_string(), first);
    assert!(running.shows(r#"reprise_launches_total{answer="too-late",capacity="spot"} 1"#));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_machine_whose_runner_is_connected_is_not_ended_though_nobody_heard_that_it_was_handed_over()
 {
    let house = House::new();
    let running = launching(&house, &[Wrong::NotMade; 8]);
    house
        .until("a machine", async || house.cloud.launched().len() == 1)
        .await;
    let only = house.cloud.only_launched();
    house.runners.lists(vec![ListedRunner {
        id: RunnerId(1),
        name: runner_name(&only.parse().expect("an id"), 7),
        is_online: true,
        is_busy: true,
    }]);
    until_launched(&house).await;
    assert_eq!(house.cloud.only_launched(), only);
    assert_eq!(house.cloud.terminate_calls(), 0);
    assert!(house.runners.rows().is_empty());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_is_not_asked_for_again_at_once() {
    let house = House::new();
    let running = launching(&house, &[Wrong::NotMade]);
    house
        .until("an order", async || !house.runners.made().is_empty())
        .await;
    house.pass(1).await;
    assert_eq!(house.runners.made().len(), 1);
    until_launched(&house).await;
    let made = house.runners.made();
    assert_ne!(made[0].name, made[1].name);
    running.stop().await;
}
