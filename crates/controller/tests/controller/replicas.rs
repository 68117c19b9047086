//! Several controllers over one store and the same queues: each piece of work is done by one, and by
//! another when that one dies.

use std::time::Duration;

use reprise_model::ids::RunId;
use reprise_model::instance::Capacity;
use reprise_model::job::{Conclusion, Job};
use reprise_model::ledger::RerunAnswer;
use reprise_model::webhook::JobAction;

use crate::fakes::FOR_EVER;
use crate::fakes::github::PostFault;
use crate::fakes::house::{House, Running};
use crate::fakes::samples::{HOST, RUN, queued, queued_alone, secs};

#[tokio::test(start_paused = true)]
async fn three_replicas_that_get_each_message_twice_launch_once_and_ask_once() {
    let house = House::new();
    let replicas = [house.start(), house.start(), house.start()];
    for _ in 0..2 {
        house.send_job(JobAction::Queued, &queued(2, "lint"));
    }
    let job = interrupt(&house);
    house.send_job(JobAction::Completed, &job);
    house.end_run(RUN);
    house.send_run(RUN);
    house.until("asked", async || house.is_asked().await).await;
    house.pass(600).await;
    assert_eq!(house.cloud.launched(), [Capacity::Spot]);
    assert_eq!(house.cloud.launch_calls(), 1);
    assert_eq!(house.github.posts(), 1);
    stop(replicas).await;
}

#[tokio::test(start_paused = true)]
async fn a_run_is_read_by_one_of_three_replicas_that_find_it_due() {
    let house = House::new();
    let replicas = [house.start(), house.start(), house.start()];
    house.github.reads_take(Duration::from_secs(3));
    interrupt(&house);
    house.until_quiet().await;
    // Its backoff wakes all three at the same moment.
    for reads in 1..=3 {
        house
            .until("read", async || house.github.run_reads() == reads)
            .await;
    }
    house.pass(30).await;
    assert_eq!(house.github.run_reads(), 3, "after 10 s, 30 s, 90 s");
    stop(replicas).await;
}

#[tokio::test(start_paused = true)]
async fn the_run_of_a_replica_that_dies_is_taken_over_at_its_deadline() {
    let house = House::new();
    let first = house.start();
    house.github.reads_take(FOR_EVER);
    interrupt(&house);
    house.end_run(RUN);
    house
        .until("claimed", async || house.github.run_reads() > 0)
        .await;
    let second = house.start();
    house.until_quiet().await;
    house.pass(60).await;
    assert_eq!(house.github.run_reads(), 1, "it is kept while it is read");
    house.github.reads_take(Duration::ZERO);
    let died_at = house.now();
    first.crash().await;
    house.until("asked", async || house.is_asked().await).await;
    assert!(house.now().duration_since(died_at) <= secs(35));
    assert_eq!(house.github.posts(), 1);
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn reading_that_takes_longer_than_a_claim_is_not_begun_anew_by_others() {
    let house = House::new();
    let replicas = [house.start(), house.start()];
    house.github.reads_take(Duration::from_secs(50));
    let job = interrupt_silently(&house);
    house.github.complete(RUN);
    house.send_job(JobAction::Completed, &job);
    house.until("asked", async || house.is_asked().await).await;
    assert_eq!(
        (house.github.run_reads(), house.github.jobs_reads()),
        (1, 1)
    );
    assert_eq!(house.github.posts(), 1);
    stop(replicas).await;
}

#[tokio::test(start_paused = true)]
async fn an_event_that_comes_while_a_run_is_read_has_it_read_again() {
    let house = House::new();
    let replicas = [house.start(), house.start()];
    house.github.reads_take(Duration::from_secs(4));
    interrupt(&house);
    house
        .until("read", async || house.github.run_reads() > 0)
        .await;
    // The answer that is under way says that the run is active.
    let before = house.now();
    house.end_run(RUN);
    house.until("asked", async || house.is_asked().await).await;
    assert!(
        house.now().duration_since(before) <= secs(15),
        "no backoff in between"
    );
    assert_eq!(house.github.posts(), 1);
    stop(replicas).await;
}

#[tokio::test(start_paused = true)]
async fn a_post_that_is_never_answered_is_resolved_by_whoever_reads_the_run_next() {
    for (fault, posts) in [(PostFault::DoneAndHangs, 1), (PostFault::Hangs, 2)] {
        let house = House::new();
        let replicas = [house.start(), house.start()];
        house.github.fail_next_post(fault);
        interrupt(&house);
        house.end_run(RUN);
        house
            .until("posted", async || house.github.posts() > 0)
            .await;
        // The other one is told of the run meanwhile, and asks for nothing.
        house.send_run(RUN);
        house.pass(30).await;
        assert_eq!(house.github.posts(), 1, "{fault:?}");
        house.until("asked", async || house.is_asked().await).await;
        house.pass(600).await;
        let record = house.record().await.expect("a record");
        assert_eq!(record.reruns.len(), 1);
        assert_eq!(record.reruns[0].answer, RerunAnswer::Accepted);
        assert_eq!(house.github.posts(), posts, "{fault:?}");
        assert_eq!(house.github.accepted().len(), 1, "{fault:?}");
        stop(replicas).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_replica_claims_is_left_alone_by_one_that_read_it_before() {
    let house = House::new();
    let replicas: Vec<Running> = (0..3).map(|_| house.start()).collect();
    house.cloud.launches_take(Duration::from_secs(25));
    for number in 1..=20 {
        house.send_job(JobAction::Queued, &queued_alone(number));
    }
    house.pass(60).await;
    assert_eq!(house.cloud.launched().len(), 20);
    assert_eq!(house.cloud.launch_calls(), 20);
    for replica in replicas {
        replica.stop().await;
    }
}

/// The only job of [`RUN`] loses its instance and fails.
fn interrupt(house: &House) -> Job {
    let job = interrupt_silently(house);
    house.send_job(JobAction::Completed, &job);
    job
}

fn interrupt_silently(house: &House) -> Job {
    let job = house.job_on_spot(1, "build");
    house.cloud.tag_interrupted(HOST);
    assert_eq!(job.run_id, RunId(900));
    house.end_silently(job, Conclusion::Failure)
}

async fn stop(replicas: impl IntoIterator<Item = Running>) {
    for replica in replicas {
        replica.stop().await;
    }
}
