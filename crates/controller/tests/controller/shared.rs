//! Jobs that are alike share a call.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reprise_model::breaker::LeftOut;
use reprise_model::ids::{InstanceId, JobId, Region, RunAttempt, RunId};
use reprise_model::instance::Capacity;
use reprise_model::job::Job;
use reprise_model::launch::{Asked, SpotStrategy};
use reprise_model::ledger::{CapacityReason, ClaimKey, ClaimState, LaunchClaim, LaunchSpec};
use reprise_model::webhook::JobAction;
use reprise_store::{Change, Expect, Store};

use crate::fakes::FOR_EVER;
use crate::fakes::house::House;
use crate::fakes::samples::{REGION, RUN, queued, repository};

#[tokio::test(start_paused = true)]
async fn a_hundred_alike_cost_four_calls_at_most_and_two_writes_each() {
    let house = House::new();
    let running = house.start();
    queue(&house, 1..=100);
    until_launched(&house, 1..=100).await;
    assert_eq!(instances(&house, 1..=100).await.len(), 100, "one each");
    assert_eq!(house.cloud.launched().len(), 100);
    let calls = house.cloud.launch_calls();
    assert!(calls <= 4, "{calls} calls");
    assert_eq!(house.store.writes(), 200);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn jobs_of_two_runs_share_nothing() {
    let house = House::new();
    let running = house.start();
    let other = Job {
        run_id: RunId(901),
        ..queued(2, "build")
    };
    house.send_job(JobAction::Queued, &queued(1, "build"));
    house.send_job(JobAction::Queued, &other);
    until_launched(&house, 1..=2).await;
    assert_eq!(counts(&house), [1, 1]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn whom_spot_does_not_serve_on_demand_serves_with_one_more_call() {
    let house = House::new();
    house.cloud.spot_for(2);
    let running = house.start();
    queue(&house, 1..=5);
    until_launched(&house, 1..=5).await;
    assert_eq!(counts(&house), [5, 3]);
    let capacities = house.cloud.launched();
    let on_spot = capacities.iter().filter(|one| **one == Capacity::Spot);
    assert_eq!((on_spot.count(), capacities.len()), (2, 5));
    assert_eq!(instances(&house, 1..=5).await.len(), 5);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn those_whom_nothing_serves_meet_again_at_their_next_try() {
    let house = House::new();
    house.cloud.spot_for(2);
    house.cloud.on_demand_for(Some(1));
    let running = house.start();
    queue(&house, 1..=6);
    until_launched(&house, 1..=3).await;
    house.cloud.on_demand_for(None);
    until_launched(&house, 1..=6).await;
    assert_eq!(counts(&house), [6, 4, 3]);
    assert_eq!(instances(&house, 1..=6).await.len(), 6);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn instances_of_a_shared_call_get_the_labels_of_their_own_jobs() {
    let house = House::new();
    let running = house.start_giving_runners();
    for number in 1..=4 {
        let labels = vec![format!("runs-on=900-{number}/family=c7a")];
        let job = queued(number, "build");
        house.send_job(JobAction::Queued, &Job { labels, ..job });
    }
    until_launched(&house, 1..=4).await;
    assert_eq!(counts(&house), [4]);
    let rows = house.runners.rows().into_iter();
    let given: BTreeMap<InstanceId, String> = rows
        .map(|(order, _)| (order.instance, order.labels.concat()))
        .collect();
    for number in 1..=4 {
        let instance = instance_of(&house, number).await.expect("launched");
        assert_eq!(given[&instance], format!("runs-on=900-{number}/family=c7a"));
    }
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn instances_that_bring_their_runners_along_are_shared_by_equal_labels_alone() {
    let house = House::new();
    let running = house.start();
    for number in 1..=2 {
        let labels = vec![format!("runs-on=900-{number}/family=c7a")];
        let job = queued(number, "build");
        house.send_job(JobAction::Queued, &Job { labels, ..job });
    }
    until_launched(&house, 1..=2).await;
    assert_eq!(counts(&house), [1, 1]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_announced_again_beside_others_is_not_launched_again() {
    let house = House::new();
    let running = house.start();
    queue(&house, 3..=3);
    until_launched(&house, 3..=3).await;
    queue(&house, 1..=5);
    queue(&house, 1..=5);
    until_launched(&house, 1..=5).await;
    house.until_quiet().await;
    assert_eq!(house.cloud.launched().len(), 5);
    assert_eq!(instances(&house, 1..=5).await.len(), 5);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_group_whose_leader_was_too_late_goes_on_without_it() {
    let house = House::new();
    let running = house.start();
    queue(&house, 1..=4);
    // Another replica has just launched for one of them: whichever leads.
    house.pass_millis(60).await;
    house.store.write_before_commit(0, launched_elsewhere(1));
    until_launched(&house, 1..=4).await;
    house.until_quiet().await;
    assert_eq!(house.cloud.launched().len(), 3);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_instance_of_one_who_was_too_late_is_nobodys_and_the_others_have_theirs() {
    let house = House::new();
    let running = house.start();
    house.store.write_before_commit(1, launched_elsewhere(2));
    queue(&house, 1..=4);
    until_launched(&house, 1..=4).await;
    house.until_quiet().await;
    assert_eq!(counts(&house), [4]);
    assert_eq!(instances(&house, 1..=4).await.len(), 4);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_while_they_wait_for_each_other_leaves_nothing_behind() {
    let house = House::new();
    let first = house.start();
    queue(&house, 1..=8);
    house
        .until("received", async || house.webhooks.visible() == 0)
        .await;
    first.stop().await;
    assert_eq!(house.store.writes(), 0);
    assert_eq!(house.webhooks.visible(), 8);
    let second = house.start();
    until_launched(&house, 1..=8).await;
    assert_eq!(counts(&house), [8]);
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn after_a_crash_at_any_write_each_job_has_one_instance_and_nothing_is_asked_twice() {
    for commits in 0..=10 {
        let house = House::new();
        let first = house.start();
        house.store.hang_after(Some(commits));
        queue(&house, 1..=5);
        house.pass(20).await;
        first.crash().await;
        house.store.hang_after(None);
        let second = house.start();
        until_launched(&house, 1..=5).await;
        house.until_quiet().await;
        assert_eq!(instances(&house, 1..=5).await.len(), 5, "{commits} commits");
        // One of the crew without a claim leaves an instance to the sweep; all of them none.
        let surplus = house.cloud.launched().len() - 5;
        let unwritten = if (2..5).contains(&commits) {
            5 - commits
        } else {
            0
        };
        assert_eq!(surplus, unwritten, "{commits} commits");
        second.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_a_crash_lost_is_asked_for_again_by_each_and_brings_the_same_instances() {
    let house = House::new();
    house.cloud.spot_for(2);
    let first = house.start();
    house.cloud.answers_take(FOR_EVER);
    queue(&house, 1..=5);
    house
        .until("launched", async || house.cloud.launched().len() == 2)
        .await;
    first.crash().await;
    house.cloud.answers_take(Duration::ZERO);
    let second = house.start();
    until_launched(&house, 1..=5).await;
    house.until_quiet().await;
    assert_eq!(house.cloud.launched().len(), 5);
    assert_eq!(instances(&house, 1..=5).await.len(), 5);
    let tokens: BTreeSet<_> = house
        .cloud
        .orders()
        .into_iter()
        .map(|order| order.client_token)
        .collect();
    assert_eq!(tokens.len(), 2, "one for spot, one for on-demand");
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_shared_call_whose_answer_is_lost_is_repeated_once_for_all() {
    let house = House::new();
    house.cloud.no_launch_answers(true);
    let running = house.start();
    queue(&house, 1..=5);
    house.until_quiet().await;
    house.cloud.no_launch_answers(false);
    until_launched(&house, 1..=5).await;
    assert_eq!(counts(&house), [5, 5]);
    assert_eq!(house.cloud.launched().len(), 5);
    running.stop().await;
}

fn queue(house: &House, jobs: impl IntoIterator<Item = u64>) {
    for number in jobs {
        house.send_job(JobAction::Queued, &queued(number, "build"));
    }
}

/// How many instances each call asked for.
fn counts(house: &House) -> Vec<u32> {
    let orders = house.cloud.orders();
    orders.iter().map(|order| order.count).collect()
}

/// Another replica's answered claim for a job.
fn launched_elsewhere(job: u64) -> Change {
    Change::PutClaim {
        claim: LaunchClaim {
            state: ClaimState::Launched {
                instance: "i-0fedcba9876543210".parse().expect("an id"),
                capacity: Capacity::Spot,
            },
            ..a_claim(job)
        },
        expect: Expect::Absent,
        expires_at: "2099-01-01T00:00:00Z".parse().expect("a time"),
    }
}

fn a_claim(job: u64) -> LaunchClaim {
    LaunchClaim {
        key: ClaimKey {
            repository: repository(),
            job_id: JobId(job),
        },
        run_id: RUN,
        attempt: RunAttempt::FIRST,
        job_name: "build".to_owned(),
        runner_labels: queued(job, "build").labels,
        spec: LaunchSpec {
            region: Region::new(REGION),
            capacity: Capacity::Spot,
            may_fall_back: true,
            instance_types: vec!["c7a.large".to_owned()],
            image: None,
            subnets: Vec::new(),
            strategy: SpotStrategy::default(),
            volume: None,
            left_out: LeftOut::default(),
            tags: BTreeMap::new(),
        },
        why: CapacityReason::FirstAttempt,
        first_why: None,
        generation: 0,
        state: ClaimState::Wanted,
        due: None,
        held_until: None,
        lost: 0,
        lost_instances: Vec::new(),
        end: None,
        runner: None,
        waited: 0,
        queued_at: None,
        full_since: None,
        asked: Asked::Alone,
    }
}

async fn until_launched(house: &House, jobs: std::ops::RangeInclusive<u64>) {
    house
        .until("launched", async || {
            let mut launched = true;
            for number in jobs.clone() {
                launched &= instance_of(house, number).await.is_some();
            }
            launched
        })
        .await;
}

async fn instances(house: &House, jobs: std::ops::RangeInclusive<u64>) -> BTreeSet<InstanceId> {
    let mut instances = BTreeSet::new();
    for number in jobs {
        instances.extend(instance_of(house, number).await);
    }
    instances
}

async fn instance_of(house: &House, job: u64) -> Option<InstanceId> {
    let key = ClaimKey {
        repository: repository(),
        job_id: JobId(job),
    };
    let found = house.store.claim(&key).await.expect("readable")?;
    match found.record.state {
        ClaimState::Launched { instance, .. } => Some(instance),
        ClaimState::Wanted | ClaimState::GivenUp { .. } => None,
    }
}
