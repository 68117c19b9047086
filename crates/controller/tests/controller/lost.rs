//! What webhooks did not tell is told again, or found without them.

use std::time::Duration;

use reprise_model::delivery::HookEvent;
use reprise_model::ids::JobId;
use reprise_model::instance::Capacity;
use reprise_model::ledger::{ClaimKey, LaunchClaim};
use reprise_model::webhook::JobAction;
use reprise_store::Store;

use crate::fakes::FOR_EVER;
use crate::fakes::github::Fault;
use crate::fakes::house::{House, Running};
use crate::fakes::samples::{queued, repository, running, settings_that_search};

fn start(house: &House, with_fleet: bool) -> Running {
    house.start_with(settings_that_search(with_fleet), 100)
}

#[tokio::test(start_paused = true)]
async fn a_webhook_that_did_not_arrive_is_delivered_again_once_also_without_a_fleet() {
    for with_fleet in [true, false] {
        let house = House::new();
        house
            .github
            .webhook_failed("lost", HookEvent::JobCompleted, house.now());
        house.github.address_is_down(false, house.now());
        let controller = start(&house, with_fleet);
        house.pass(1_200).await;
        assert_eq!(house.github.redelivered(), ["lost"]);
        let asked = "reprise_redeliveries_total{answer=\"accepted\",event=\"job-completed\"} 1";
        assert!(controller.shows(asked), "{}", controller.metrics());
        assert!(controller.shows("reprise_deliveries_failed 0"));
        controller.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_webhook_that_never_arrives_is_given_up_after_its_tries() {
    let house = House::new();
    house
        .github
        .webhook_failed("lost", HookEvent::RunCompleted, house.now());
    house.github.address_is_down(true, house.now());
    let controller = start(&house, false);
    house.pass(60).await;
    assert!(controller.shows("reprise_deliveries_failed 1"));
    house.pass(3_600).await;
    assert_eq!(house.github.redelivered(), ["lost", "lost"]);
    let given_up =
        "reprise_deliveries_given_up_total{event=\"run-completed\",reason=\"tries-used-up\"} 1";
    assert!(controller.shows(given_up), "{}", controller.metrics());
    assert!(controller.shows("reprise_deliveries_failed 0"));
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_takes_over_asks_for_nothing_that_has_arrived_meanwhile() {
    let house = House::new();
    house
        .github
        .webhook_failed("lost", HookEvent::JobQueued, house.now());
    house.github.address_is_down(false, house.now());
    let first = start(&house, true);
    house.pass(60).await;
    assert_eq!(house.github.redelivered(), ["lost"]);
    first.crash().await;
    let second = start(&house, true);
    house.pass(1_200).await;
    assert!(house.github.hook_reads() > 2);
    assert_eq!(house.github.redelivered(), ["lost"]);
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_replica_of_several_asks() {
    let house = House::new();
    house
        .github
        .webhook_failed("lost", HookEvent::JobQueued, house.now());
    house.github.address_is_down(false, house.now());
    let controllers = [start(&house, true), start(&house, true)];
    house.pass(100).await;
    assert_eq!(house.github.redelivered(), ["lost"]);
    assert_eq!(house.github.hook_reads(), 1);
    for controller in controllers {
        controller.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_cannot_be_read_is_read_again() {
    let house = House::new();
    house
        .github
        .webhook_failed("lost", HookEvent::JobCompleted, house.now());
    house.github.address_is_down(false, house.now());
    house.github.fail_reads(Some(Fault::Down));
    let controller = start(&house, false);
    house.pass(200).await;
    assert!(house.github.redelivered().is_empty());
    house.github.fail_reads(None);
    house.pass(200).await;
    assert_eq!(house.github.redelivered(), ["lost"]);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn without_it_the_list_is_not_read() {
    let house = House::new();
    let controller = house.start();
    house.pass(1_200).await;
    assert_eq!(house.github.hook_reads(), 0);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_queued_job_that_no_event_announced_gets_its_machine_once() {
    let house = House::new();
    let job = queued(1, "build");
    house.github.begin(std::slice::from_ref(&job));
    let controller = start(&house, true);
    house.pass(200).await;
    assert_eq!(house.cloud.launch_calls(), 0, "its event may be on its way");
    house.pass(1_000).await;
    assert_eq!(house.cloud.launch_calls(), 1);
    assert!(claim(&house).await.is_some());
    let instance = house.cloud.only_launched();
    house.github.put(&running(job, &instance, house.now()));
    house.pass(4_000).await;
    assert_eq!(house.cloud.launch_calls(), 1);
    assert!(controller.shows("reprise_unannounced_jobs_total{outcome=\"launch-due\"} 1"));
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_claim_without_a_message_is_due_and_outlives_the_process_that_made_it() {
    let house = House::new();
    let job = queued(1, "build");
    house.github.begin(std::slice::from_ref(&job));
    house.cloud.launches_take(FOR_EVER);
    let first = start(&house, true);
    house.pass(1_200).await;
    assert_eq!(house.cloud.launch_calls(), 1);
    first.crash().await;
    let claim = claim(&house).await.expect("it is claimed");
    assert!(claim.due.is_some(), "nothing else leads to it");
    assert_eq!(claim.held_until, None);
    house.cloud.launches_take(Duration::ZERO);
    let second = house.start();
    house.pass(60).await;
    assert_eq!(house.cloud.launched(), [Capacity::Spot]);
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_somebody_holds_is_left_to_them_and_found_once_its_message_is_lost() {
    let house = House::new();
    let job = queued(1, "build");
    house.github.begin(std::slice::from_ref(&job));
    house.cloud.launches_take(FOR_EVER);
    let first = house.start();
    house.send_job(JobAction::Queued, &job);
    house
        .until("begun", async || house.cloud.launch_calls() == 1)
        .await;
    let second = start(&house, true);
    house.pass(1_300).await;
    assert_eq!(house.cloud.launch_calls(), 1);
    first.crash().await;
    second.crash().await;
    house.webhooks.purge();
    house.cloud.launches_take(Duration::ZERO);
    let third = start(&house, true);
    house.pass(1_300).await;
    assert_eq!(house.cloud.launched(), [Capacity::Spot]);
    assert!(third.shows("reprise_unannounced_jobs_total{outcome=\"launch-due\"} 1"));
    third.stop().await;
}

async fn claim(house: &House) -> Option<LaunchClaim> {
    let key = ClaimKey {
        repository: repository(),
        job_id: JobId(1),
    };
    let found = house.store.claim(&key).await.expect("readable");
    found.map(|found| found.record)
}
