//! The end is asked for: what is claimed is finished or handed back, and the end comes in time
//! whatever hangs.

use std::time::Duration;

use jiff::Timestamp;
use reprise_model::job::Conclusion;
use reprise_model::ledger::Due;
use reprise_model::webhook::JobAction;

use crate::fakes::FOR_EVER;
use crate::fakes::github::PostFault;
use crate::fakes::house::{House, Running};
use crate::fakes::samples::{HOST, RUN, queued, secs};

#[tokio::test(start_paused = true)]
async fn a_run_that_is_being_read_is_handed_back_and_the_next_one_need_not_wait() {
    let house = House::new();
    let first = house.start();
    house.github.reads_take(FOR_EVER);
    interrupt(&house);
    house.end_run(RUN);
    house
        .until("read", async || house.github.run_reads() > 0)
        .await;
    house.until_quiet().await;
    first.stop().await;
    let due = house.record().await.and_then(|record| record.due);
    assert!(is_due(due, house.now()));
    house.github.reads_take(Duration::ZERO);
    let second = house.start();
    house.pass(1).await;
    assert_eq!(house.github.posts(), 1);
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn launches_that_were_not_answered_are_handed_back_and_the_next_one_need_not_wait() {
    let house = House::new();
    let first = house.start();
    house.cloud.launches_take(FOR_EVER);
    for number in 1..=60 {
        house.send_job(JobAction::Queued, &queued(number, "build"));
    }
    house
        .until("received", async || house.webhooks.visible() == 0)
        .await;
    first.stop().await;
    assert_eq!(house.cloud.launch_calls(), 32, "none was begun at the end");
    assert_eq!(house.webhooks.visible(), 60);
    house.cloud.launches_take(Duration::ZERO);
    let second = house.start();
    // EC2 takes 50 at once.
    house.pass(3).await;
    assert_eq!(house.cloud.launched().len(), 60);
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_end_comes_in_time_though_nothing_outside_answers() {
    let house = House::new();
    let controller = house.start();
    house.github.fail_next_post(PostFault::Hangs);
    interrupt(&house);
    house.end_run(RUN);
    house
        .until("posted", async || house.github.posts() > 0)
        .await;
    house.cloud.looks_take(FOR_EVER);
    house.cloud.launches_take(FOR_EVER);
    house.github.reads_take(FOR_EVER);
    house.send_job(JobAction::Queued, &queued(2, "lint"));
    house.send_run(RUN);
    house.pass(1).await;
    house.store.hang();
    house.send_job(JobAction::Queued, &queued(3, "test"));
    house.pass(1).await;
    assert!(ends_after(&house, controller).await <= secs(20));
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_does_not_answer_is_not_waited_for_either() {
    let house = House::new();
    let controller = house.start();
    house.pass(1).await;
    house.webhooks.break_down(true);
    assert!(ends_after(&house, controller).await <= secs(20));
}

async fn ends_after(house: &House, controller: Running) -> jiff::SignedDuration {
    let before = house.now();
    controller.stop_as_asked().await;
    house.now().duration_since(before)
}

fn interrupt(house: &House) {
    let job = house.job_on_spot(1, "build");
    house.cloud.tag_interrupted(HOST);
    house.end(job, Conclusion::Failure);
}

fn is_due(due: Option<Due>, now: Timestamp) -> bool {
    due.is_some_and(|due| due.at <= now)
}
