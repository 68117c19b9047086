//! Messages on their way: places, visibility, the end of the process.

use std::time::Duration;

use reprise_model::instance::Capacity;
use reprise_model::job::Conclusion;
use reprise_model::webhook::JobAction;

use crate::fakes::house::House;
use crate::fakes::samples::{HOST, RUN, ended, queued, running, secs, settings};

#[tokio::test(start_paused = true)]
async fn a_message_that_is_looked_at_for_a_minute_is_not_delivered_twice() {
    let house = House::new();
    let controller = house.start();
    let job = house.job_on_spot(1, "build");
    house.end(job, Conclusion::Failure);
    house.pass(55).await;
    assert_eq!(house.webhooks.receives(), 1);
    house.until_quiet().await;
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn no_message_is_taken_without_a_place_for_it() {
    let house = House::new();
    let controller = house.start_with(settings(true), 3);
    house.cloud.add(HOST, Capacity::Spot);
    for number in 1..=12 {
        let job = running(queued(number, &format!("test {number}")), HOST, house.now());
        house.send_job(
            JobAction::Completed,
            &ended(job, Conclusion::Failure, house.now()),
        );
    }
    house.pass(30).await;
    assert_eq!(house.webhooks.visible(), 9, "others could serve them");
    house.until_quiet().await;
    assert_eq!(house.webhooks.most_hidden(), 3);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_end_hands_back_a_message_that_is_being_looked_at() {
    let house = House::new();
    let first = house.start();
    let job = house.job_on_spot(1, "build");
    house.end(job, Conclusion::Failure);
    house.pass(10).await;
    assert_eq!(house.webhooks.visible(), 0);
    let before = house.now();
    first.stop().await;
    assert!(house.now().duration_since(before) <= secs(20));
    assert_eq!(
        house.webhooks.visible(),
        1,
        "the next process takes it at once"
    );
    house.cloud.tag_interrupted(HOST);
    let second = house.start();
    house.until_quiet().await;
    assert!(house.state(1).await.is_some());
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_an_open_poll_brings_after_the_end_was_asked_for_is_handed_back_unread() {
    let house = House::new();
    let controller = house.start();
    house.pass(3).await;
    let ending = tokio::spawn(controller.stop());
    house.pass(1).await;
    house.send_job(JobAction::Queued, &queued(1, "build"));
    ending.await.expect("it ends");
    assert_eq!(house.webhooks.visible(), 1);
    assert!(house.cloud.launched().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_end_does_not_wait_for_a_queue_that_is_silent() {
    let house = House::new();
    let controller = house.start();
    house.pass(1).await;
    let before = house.now();
    controller.stop().await;
    assert!(house.now().duration_since(before) <= secs(6));
}

#[tokio::test(start_paused = true)]
async fn the_end_does_not_begin_new_work() {
    let house = House::new();
    let controller = house.start();
    let job = house.job_on_spot(1, "build");
    house.cloud.tag_interrupted(HOST);
    house.end(job, Conclusion::Failure);
    house
        .until("awaiting", async || house.state(1).await.is_some())
        .await;
    house.pass(1).await;
    controller.stop().await;
    house.end_run(RUN);
    house.pass(600).await;
    assert_eq!(house.github.posts(), 0);
    assert_eq!(house.webhooks.visible(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_fails_is_asked_again_and_the_controller_is_not_ready_meanwhile() {
    let house = House::new();
    house.webhooks.break_down(true);
    let controller = house.start();
    house.pass(10).await;
    assert_eq!(controller.controller.health.waits_for(), ["webhooks"]);
    house.webhooks.break_down(false);
    house.send_job(JobAction::Queued, &queued(1, "build"));
    house.until_quiet().await;
    assert!(controller.controller.health.waits_for().is_empty());
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn messages_that_come_one_by_one_are_received_several_at_a_time_and_soon() {
    let house = House::new();
    let controller = house.start();
    house.pass(1).await;
    for number in 1..=40 {
        house.send_job(JobAction::Queued, &queued(number, "build"));
        house.pass_millis(50).await;
    }
    house.pass_millis(200).await;
    assert!(house.webhooks.is_empty(), "none waits longer than a rest");
    assert!(
        house.webhooks.brought() <= 11,
        "four a call after the first"
    );
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_backlog_is_received_without_a_rest() {
    let house = House::new();
    for number in 1..=50 {
        house.send_job(JobAction::Queued, &queued(number, "build"));
    }
    let controller = house.start();
    // What is alike waits for each other for a moment, whatever was received.
    house.pass_millis(150).await;
    assert!(house.webhooks.is_empty());
    assert_eq!(house.webhooks.brought(), 5);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_deletion_takes_longer_than_its_queue_hides_it_is_not_delivered_twice() {
    let house = House::new();
    house.webhooks.slow_down_deletions(Duration::from_secs(100));
    let controller = house.start();
    house.send_job(JobAction::Queued, &queued(1, "build"));
    house.pass(95).await;
    assert_eq!(house.webhooks.receives(), 1);
    house.pass(10).await;
    assert!(house.webhooks.is_empty());
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_waits_for_company_is_not_paid_for_by_a_renewal() {
    let house = House::new();
    house.webhooks.gather_deletions(Duration::from_secs(20));
    let controller = house.start();
    house.send_job(JobAction::Queued, &queued(1, "build"));
    house.pass(19).await;
    assert_eq!(house.webhooks.receives(), 1);
    house.pass(2).await;
    assert!(house.webhooks.is_empty());
    assert_eq!(house.webhooks.renewals(), 0);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn at_the_end_no_deletion_waits_for_company() {
    let house = House::new();
    house.webhooks.gather_deletions(Duration::from_secs(3_600));
    let controller = house.start();
    house.send_job(JobAction::Queued, &queued(1, "build"));
    house
        .until("launched", async || !house.cloud.launched().is_empty())
        .await;
    assert!(!house.webhooks.is_empty());
    let before = house.now();
    controller.stop().await;
    assert!(house.now().duration_since(before) <= secs(6));
    assert!(house.webhooks.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_end_waits_for_its_deletions() {
    let house = House::new();
    // Longer than an open poll is listened to.
    house.webhooks.slow_down_deletions(Duration::from_secs(8));
    let controller = house.start();
    house.send_job(JobAction::Queued, &queued(1, "build"));
    house
        .until("launched", async || !house.cloud.launched().is_empty())
        .await;
    assert!(!house.webhooks.is_empty());
    controller.stop_as_asked().await;
    assert!(house.webhooks.is_empty());
}
