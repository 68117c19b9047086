//! What `/metrics` shows of how things stand: queues, overdue work, readiness.

use std::collections::BTreeMap;

use reprise_model::job::Conclusion;
use reprise_model::webhook::JobAction;

use crate::fakes::house::House;
use crate::fakes::samples::{HOST, RUN, queued, secs};

const AGE: &str = "reprise_queue_oldest_message_age_seconds{queue=\"webhooks\"}";
const WAITING: &str = "reprise_queue_messages{queue=\"webhooks\",state=\"waiting\"}";
const HIDDEN: &str = "reprise_queue_messages{queue=\"webhooks\",state=\"hidden\"}";
const DEAD: &str = "reprise_dead_letters{queue=\"ec2-events\"}";
const OVERDUE: &str = "reprise_overdue_seconds{kind=\"run\"}";

#[tokio::test(start_paused = true)]
async fn a_queue_is_as_old_as_the_message_that_is_worked_on_and_an_empty_one_as_nothing() {
    let house = House::new();
    let controller = house.start();
    let job = house.job_on_spot(1, "build");
    house.pass(500).await;
    assert_eq!(controller.number(AGE).await, Some(0));
    house.end(job, Conclusion::Failure);
    house.pass(45).await;
    assert_eq!(controller.number(AGE).await, Some(45));
    house.until_quiet().await;
    assert_eq!(controller.number(AGE).await, Some(0));
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_fails_makes_its_queue_old_while_it_is_hidden_too() {
    let house = House::new();
    let controller = house.start();
    house.store.fail_commits(true);
    house.send_job(JobAction::Queued, &queued(1, "build"));
    for minutes in 1..=10 {
        house.pass(60).await;
        assert_eq!(controller.number(AGE).await, Some(minutes * 60));
    }
    house.store.fail_commits(false);
    house.until_quiet().await;
    // What the last answer brought shows until the next one.
    house.pass(25).await;
    assert_eq!(controller.number(AGE).await, Some(0));
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_cannot_be_received_from_gets_older_from_its_last_answer_on() {
    let house = House::new();
    let controller = house.start();
    house.pass(5).await;
    house.webhooks.break_down(true);
    house.pass(400).await;
    let age = controller.number(AGE).await.expect("shown");
    assert!((400..=425).contains(&age), "{age} s");
    let other = "reprise_queue_oldest_message_age_seconds{queue=\"ec2-events\"}";
    assert_eq!(controller.number(other).await, Some(0));
    house.webhooks.break_down(false);
    house.pass(30).await;
    assert_eq!(controller.number(AGE).await, Some(0));
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn messages_and_dead_letters_are_counted_once_a_minute() {
    let house = House::new();
    let controller = house.start();
    house.pass(1).await;
    assert_eq!(controller.number(WAITING).await, Some(0));
    assert_eq!(controller.number(DEAD).await, Some(0));
    let job = house.job_on_spot(1, "build");
    house.pass(45).await;
    house.end(job, Conclusion::Failure);
    house.dead_letters.put("unreadable", BTreeMap::new());
    house.pass(20).await;
    assert_eq!(controller.number(HIDDEN).await, Some(1), "it is looked at");
    assert_eq!(controller.number(DEAD).await, Some(1));
    house.dead_letters.purge();
    house.until_quiet().await;
    house.pass(60).await;
    assert_eq!(controller.number(HIDDEN).await, Some(0));
    assert_eq!(controller.number(DEAD).await, Some(0));
    let before = house.webhooks.counted();
    house.pass(600).await;
    assert_eq!(house.webhooks.counted() - before, 10);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_right_that_is_missing_shows_no_number_and_changes_nothing_else() {
    let house = House::new();
    house.webhooks.deny_counts(true);
    let controller = house.start();
    house.send_job(JobAction::Queued, &queued(1, "build"));
    house.until_quiet().await;
    house.pass(3_000).await;
    assert_eq!(house.cloud.launched().len(), 1);
    assert_eq!(controller.number(WAITING).await, None);
    assert_eq!(controller.number(DEAD).await, Some(0), "which it may count");
    assert_eq!(controller.number("reprise_ready").await, Some(1));
    assert_eq!(house.webhooks.counted(), 1, "asked again in an hour");
    house.webhooks.deny_counts(false);
    house.pass(700).await;
    assert_eq!(controller.number(WAITING).await, Some(0));
    house.webhooks.deny_counts(true);
    house.pass(60).await;
    assert_eq!(controller.number(WAITING).await, None, "not what was");
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_re_run_that_cannot_be_asked_for_is_overdue_from_its_due_time_on() {
    let house = House::new();
    let controller = house.start();
    house.pass(1).await;
    assert_eq!(controller.number(OVERDUE).await, Some(0));
    let job = house.job_on_spot(1, "build");
    house.cloud.tag_interrupted(HOST);
    house.end(job, Conclusion::Failure);
    house
        .until("awaiting", async || house.state(1).await.is_some())
        .await;
    house.store.break_run(RUN);
    house.end_run(RUN);
    house.pass(900).await;
    let due = house.due_at(RUN).await.expect("it is due");
    let late = house.now().duration_since(due);
    assert!(late > secs(300), "{late:#}");
    assert_eq!(controller.number(OVERDUE).await, Some(late.as_secs()));
    let launch = "reprise_overdue_seconds{kind=\"claim\"}";
    assert_eq!(controller.number(launch).await, Some(0));
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn readiness_is_shown_as_it_is_answered() {
    const READY: &str = "reprise_ready";
    let house = House::new();
    let controller = house.start();
    assert_eq!(controller.number(READY).await, Some(0), "no queue answered");
    house.pass(1).await;
    assert_eq!(controller.number(READY).await, Some(1));
    house.webhooks.break_down(true);
    house.pass(1).await;
    assert_eq!(controller.number(READY).await, Some(0));
    house.webhooks.break_down(false);
    house.pass(30).await;
    assert_eq!(controller.number(READY).await, Some(1));
    house.store.fall_silent();
    let before = house.now();
    assert_eq!(controller.number(READY).await, Some(0));
    let took = house.now().duration_since(before);
    assert!(took < secs(10), "Prometheus waits no longer: {took:#}");
    let why = controller.controller.readiness().await;
    let why = why.expect_err("not ready").to_string();
    assert_eq!(why, "the ledger does not answer");
    controller.crash().await;
}

#[tokio::test(start_paused = true)]
async fn a_replica_whose_loop_has_ended_is_not_ready() {
    let house = House::new();
    let controller = house.start();
    house.pass(1).await;
    controller.controller.health.loop_ended();
    assert_eq!(controller.number("reprise_ready").await, Some(0));
    controller.crash().await;
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_never_failed_shows_that_from_the_start() {
    let house = House::new();
    let controller = house.start();
    for queue in ["webhooks", "ec2-events"] {
        let failures = format!("reprise_receive_failures_total{{queue=\"{queue}\"}}");
        assert_eq!(controller.number(&failures).await, Some(0));
    }
    controller.stop().await;
}
