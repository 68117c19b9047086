//! Queued jobs get machines.

use std::time::Duration;

use reprise_model::ids::RunAttempt;
use reprise_model::instance::Capacity;
use reprise_model::job::{Conclusion, Job, JobStatus};
use reprise_model::ledger::{ClaimKey, ClaimState, LaunchClaim};
use reprise_model::webhook::JobAction;
use reprise_store::Store;

use crate::fakes::FOR_EVER;
use crate::fakes::house::House;
use crate::fakes::samples::{HOST, RUN, queued, queued_alone, repository, secs, settings};

#[tokio::test(start_paused = true)]
async fn a_queued_job_is_launched_once_though_it_is_delivered_twice() {
    let house = House::new();
    let running = house.start();
    let job = queued(1, "build");
    house.send_job(JobAction::Queued, &job);
    house.send_job(JobAction::Queued, &job);
    house.until_quiet().await;
    house
        .until("launched", async || is_launched(&house, 1).await)
        .await;
    house.pass(60).await;
    assert_eq!(house.cloud.launched(), [Capacity::Spot]);
    assert!(house.webhooks.is_empty());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn two_replicas_launch_one_machine_for_a_job() {
    let house = House::new();
    let replicas = [house.start(), house.start()];
    house.send_job(JobAction::Queued, &queued(1, "build"));
    house.send_job(JobAction::Queued, &queued(1, "build"));
    house
        .until("launched", async || is_launched(&house, 1).await)
        .await;
    house.pass(60).await;
    assert_eq!(house.cloud.launched(), [Capacity::Spot]);
    for replica in replicas {
        replica.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_comes_late_brings_a_machine_only_where_its_job_still_waits() {
    for (status, launched) in [
        (JobStatus::Queued, 1),
        (JobStatus::InProgress, 0),
        (JobStatus::Completed, 0),
    ] {
        let house = House::new();
        let running = house.start();
        let job = queued(1, "build");
        house.github.begin(&[Job {
            status: status.clone(),
            ..job.clone()
        }]);
        house.pass(121).await;
        let before = house.github.requests();
        house.send_job(JobAction::Queued, &job);
        house.until_quiet().await;
        house.pass(30).await;
        assert_eq!(house.cloud.launched().len(), launched, "{status:?}");
        assert_eq!(house.github.requests() - before, 1, "{status:?}");
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_in_time_asks_github_nothing() {
    let house = House::new();
    let running = house.start();
    house.send_job(JobAction::Queued, &queued(1, "build"));
    house
        .until("launched", async || is_launched(&house, 1).await)
        .await;
    assert_eq!(house.github.requests(), 0);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn where_spot_has_no_capacity_on_demand_takes_its_place() {
    let house = House::new();
    house.cloud.no_spot();
    let running = house.start();
    house.send_job(JobAction::Queued, &queued(1, "build"));
    house
        .until("launched", async || is_launched(&house, 1).await)
        .await;
    assert_eq!(house.cloud.launched(), [Capacity::OnDemand]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_later_attempt_is_launched_on_demand() {
    let house = House::new();
    let running = house.start();
    let again = Job {
        run_attempt: RunAttempt::FIRST.next(),
        ..queued(1_001, "build")
    };
    house.send_job(JobAction::Queued, &again);
    house
        .until("launched", async || is_launched(&house, 1_001).await)
        .await;
    assert_eq!(house.cloud.launched(), [Capacity::OnDemand]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_was_committed_before_a_crash_is_launched_after_it() {
    let house = House::new();
    house.cloud.no_launch_answers(true);
    let first = house.start();
    house.send_job(JobAction::Queued, &queued(1, "build"));
    house.until_quiet().await;
    first.crash().await;
    house.cloud.no_launch_answers(false);
    let second = house.start();
    house
        .until("launched", async || is_launched(&house, 1).await)
        .await;
    assert_eq!(house.cloud.launched(), [Capacity::Spot]);
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_not_interrupted_costs_two_writes() {
    let house = House::new();
    let replicas = [house.start(), house.start()];
    let job = queued(1, "build");
    house.send_job(JobAction::Queued, &job);
    house
        .until("launched", async || is_launched(&house, 1).await)
        .await;
    let host = house.cloud.only_launched();
    let job = crate::fakes::samples::running(job, &host, house.now());
    house.github.begin(std::slice::from_ref(&job));
    house.send_job(JobAction::InProgress, &job);
    house.pass(60).await;
    house.end(job, Conclusion::Success);
    house.end_run(RUN);
    house.until_quiet().await;
    house.pass(600).await;
    assert_eq!(house.store.writes(), 2, "its claim, and EC2's answer");
    for replica in replicas {
        replica.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_fall_back_to_on_demand_costs_no_more() {
    let house = House::new();
    house.cloud.no_spot();
    let running = house.start();
    house.send_job(JobAction::Queued, &queued(1, "build"));
    house.pass(60).await;
    assert!(is_launched(&house, 1).await);
    assert_eq!(house.cloud.launch_calls(), 2);
    assert_eq!(house.store.writes(), 2);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_launch_whose_process_has_died_is_taken_over_when_its_message_comes_again() {
    let house = House::new();
    house.cloud.launches_take(FOR_EVER);
    let first = house.start();
    let second = house.start();
    let claimed_at = house.now();
    house.send_job(JobAction::Queued, &queued(1, "build"));
    house
        .until("begun", async || house.cloud.launch_calls() == 1)
        .await;
    first.crash().await;
    house.cloud.launches_take(Duration::ZERO);
    house
        .until("launched", async || is_launched(&house, 1).await)
        .await;
    let waited = house.now().duration_since(claimed_at);
    assert!(waited <= secs(36), "{waited:#}");
    assert_eq!(house.cloud.launched(), [Capacity::Spot]);
    assert!(house.webhooks.is_empty());
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_launch_that_ec2_answers_at_last_is_never_among_what_is_due() {
    let house = House::new();
    let running = house.start();
    house.cloud.launches_take(Duration::from_secs(100));
    house.send_job(JobAction::Queued, &queued(1, "build"));
    while !is_launched(&house, 1).await {
        let due = claim(&house, 1).await.and_then(|claim| claim.due);
        assert_eq!(due, None);
        house.pass(1).await;
    }
    assert_eq!(house.cloud.launch_calls(), 1);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_is_kept_until_ec2_has_answered() {
    let house = House::new();
    let running = house.start();
    house.cloud.launches_take(Duration::from_secs(100));
    house.send_job(JobAction::Queued, &queued(1, "build"));
    house.pass(99).await;
    assert_eq!(
        (house.webhooks.receives(), house.webhooks.visible()),
        (1, 0)
    );
    house.pass(2).await;
    assert!(is_launched(&house, 1).await);
    assert!(house.webhooks.is_empty());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_comes_twice_waits_for_the_first_without_coming_again() {
    let house = House::new();
    let replicas = [house.start(), house.start()];
    house.cloud.launches_take(Duration::from_secs(100));
    let job = queued(1, "build");
    house.send_job(JobAction::Queued, &job);
    house
        .until("begun", async || house.cloud.launch_calls() == 1)
        .await;
    house.send_job(JobAction::Queued, &job);
    house.pass(90).await;
    let received = house.webhooks.brought();
    assert_eq!(received, 2, "each once");
    house.pass(60).await;
    assert!(house.webhooks.is_empty());
    assert_eq!(house.cloud.launch_calls(), 1);
    assert_eq!(house.webhooks.brought(), received);
    for replica in replicas {
        replica.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_could_not_be_committed_is_asked_for_again() {
    let house = House::new();
    let running = house.start();
    house.cloud.launches_take(Duration::from_secs(3));
    house.send_job(JobAction::Queued, &queued(1, "build"));
    house
        .until("begun", async || house.cloud.launch_calls() == 1)
        .await;
    house.store.fail_commits(true);
    house
        .until("launched", async || !house.cloud.launched().is_empty())
        .await;
    house.pass(1).await;
    house.store.fail_commits(false);
    house
        .until("known", async || is_launched(&house, 1).await)
        .await;
    assert_eq!(house.cloud.launched(), [Capacity::Spot]);
    assert!(house.webhooks.is_empty());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn launches_that_wait_for_a_place_are_made_once_each() {
    let house = House::new();
    let running = house.start();
    house.cloud.launches_take(Duration::from_secs(20));
    for number in 1..=200 {
        house.send_job(JobAction::Queued, &queued_alone(number));
    }
    house
        .until("launched", async || house.cloud.launched().len() == 200)
        .await;
    house.pass(120).await;
    assert_eq!(house.cloud.launched().len(), 200);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_hundred_launches_do_not_keep_a_re_run_waiting() {
    let house = House::new();
    let running = house.start_with(settings(true), 1_000);
    house.cloud.launches_take(FOR_EVER);
    for number in 101..=200 {
        house.send_job(JobAction::Queued, &queued_alone(number));
    }
    house
        .until("received", async || house.webhooks.visible() == 0)
        .await;
    let job = house.job_on_spot(1, "build");
    house.cloud.tag_interrupted(HOST);
    house.end(job, Conclusion::Failure);
    house
        .until("awaited", async || house.state(1).await.is_some())
        .await;
    let before = house.now();
    house.end_run(RUN);
    house.until("asked", async || house.is_asked().await).await;
    assert!(house.now().duration_since(before) <= secs(1));
    assert_eq!(house.cloud.launch_calls(), 32, "the others wait");
    running.stop_as_asked().await;
}

#[tokio::test(start_paused = true)]
async fn a_label_that_cannot_be_understood_launches_nothing_and_is_no_loop() {
    let house = House::new();
    let running = house.start();
    let mistaken = Job {
        labels: vec!["runs-on=900/familly=c7a".to_owned()],
        ..queued(1, "build")
    };
    house.github.begin(std::slice::from_ref(&mistaken));
    house.send_job(JobAction::Queued, &mistaken);
    house.until_quiet().await;
    assert_eq!(house.cloud.launch_calls(), 0);
    assert!(
        running.shows(r#"reprise_messages_total{outcome="launch-refused",queue="webhooks"} 1"#)
    );
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_claim_left_over_from_a_fleet_is_given_up_in_retry_only_mode() {
    let house = House::new();
    house.cloud.no_launch_answers(true);
    let with_fleet = house.start();
    let job = queued(1, "build");
    house.github.begin(std::slice::from_ref(&job));
    house.send_job(JobAction::Queued, &job);
    house.until_quiet().await;
    with_fleet.crash().await;
    house.cloud.no_launch_answers(false);
    let retry_only = house.start_with(settings(false), 10);
    house.pass(60).await;
    let claim = claim(&house, 1).await.expect("it is kept");
    assert!(matches!(claim.state, ClaimState::GivenUp { .. }));
    assert_eq!(claim.due, None);
    assert!(house.cloud.launched().is_empty());
    retry_only.stop().await;
}

async fn is_launched(house: &House, job: u64) -> bool {
    let claim = claim(house, job).await;
    claim.is_some_and(|claim| matches!(claim.state, ClaimState::Launched { .. }))
}

async fn claim(house: &House, job: u64) -> Option<LaunchClaim> {
    let key = ClaimKey {
        repository: repository(),
        job_id: reprise_model::ids::JobId(job),
    };
    let found = house.store.claim(&key).await.expect("readable");
    found.map(|found| found.record)
}
