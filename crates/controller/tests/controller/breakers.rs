//! Spot pools that fail are left alone, by every replica and across restarts.

use reprise_config::Settings;
use reprise_model::breaker::{Breaker, BreakerState, Breakers, PoolTrouble};
use reprise_model::instance::Capacity;
use reprise_model::ledger::{CapacityReason, ClaimKey, LaunchClaim};
use reprise_model::webhook::JobAction;
use reprise_store::{Change, Expect, Store};

use crate::fakes::house::{House, Running};
use crate::fakes::samples::{queued, repository, secs, settings};

const OPEN: &str = r#"reprise_breaker_state{family="c7a",region="eu-west-1",zone="eu-west-1a"} 2"#;
const CLOSED: &str =
    r#"reprise_breaker_state{family="c7a",region="eu-west-1",zone="eu-west-1a"} 0"#;

#[tokio::test(start_paused = true)]
async fn a_family_that_is_short_in_a_zone_three_times_is_not_asked_for_there() {
    let house = House::new();
    house.cloud.short_in(&["subnet-a"]);
    let running = house.start_with(two_zones(), 100);
    launch(&house, 1..4).await;
    assert!(
        house
            .cloud
            .orders()
            .iter()
            .all(|order| order.left_out.is_empty())
    );
    assert!(running.shows(OPEN));
    assert!(running.shows(r#"reprise_breaker_opened_total{reason="capacity"} 1"#));
    launch(&house, 4..5).await;
    assert!(leaves_out_a(&house));
    assert!(
        !house.cloud.orders()[3]
            .left_out
            .holds("subnet-b", "c7a.large")
    );
    assert_eq!(house.cloud.launched(), [Capacity::Spot; 4]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn it_is_left_alone_after_a_restart_too() {
    let house = with_open_breaker().await;
    let running = house.start_with(two_zones(), 100);
    launch(&house, 4..5).await;
    assert!(leaves_out_a(&house));
    assert!(running.shows(OPEN));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_another_replica_opened_is_left_alone_within_a_minute() {
    let house = House::new();
    let running = house.start_with(two_zones(), 100);
    launch(&house, 1..2).await;
    let opened = Breaker {
        state: BreakerState::Open {
            until: house.now() + secs(600),
        },
        why: PoolTrouble::Capacity,
        openings: 1,
    };
    let pool = "eu-west-1/eu-west-1a/c7a".parse().expect("a pool");
    let put = Change::PutBreakers {
        breakers: Breakers {
            pools: [(pool, opened)].into(),
            zones: [("subnet-a".to_owned(), "eu-west-1a".to_owned())].into(),
        },
        expect: Expect::Absent,
        expires_at: house.now() + secs(3_600),
    };
    house.store.commit(vec![put]).await.expect("commits");
    house.pass(60).await;
    launch(&house, 2..3).await;
    assert!(leaves_out_a(&house));
    assert!(running.shows(OPEN));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn after_its_time_one_launch_tries_it_and_it_is_asked_again() {
    let house = with_open_breaker().await;
    house.cloud.short_in(&[]);
    let running = house.start_with(two_zones(), 100);
    house.pass(610).await;
    launch(&house, 4..5).await;
    assert!(!leaves_out_a(&house), "it is tried");
    assert!(running.shows(CLOSED));
    launch(&house, 5..6).await;
    assert!(!leaves_out_a(&house));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn where_all_pools_are_left_alone_a_job_goes_on_demand_without_asking_for_spot() {
    let house = House::new();
    house.cloud.short_in(&["subnet-a"]);
    let running = house.start();
    launch(&house, 1..4).await;
    assert_eq!(house.cloud.launch_calls(), 6, "spot, then on-demand");
    launch(&house, 4..5).await;
    assert_eq!(house.cloud.launch_calls(), 7);
    let claim = claim(&house, 4).await;
    assert_eq!(claim.spec.capacity, Capacity::OnDemand);
    assert_eq!(claim.why, CapacityReason::BreakerOpen);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn instances_that_ec2_takes_back_open_a_breaker() {
    let house = House::new();
    let running = house.start_with(two_zones(), 100);
    launch(&house, 1..4).await;
    for number in 1..4 {
        house.cloud.take_back(&format!("i-{number:017}"));
    }
    house.pass(70).await;
    assert!(running.shows(OPEN));
    assert!(running.shows(r#"reprise_breaker_opened_total{reason="interruptions"} 1"#));
    launch(&house, 4..5).await;
    assert!(leaves_out_a(&house));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn tags_that_jobs_may_have_set_open_none() {
    let house = House::new();
    let running = house.start_with(two_zones(), 100);
    launch(&house, 1..6).await;
    for number in 1..6 {
        house.cloud.tag_interrupted(&format!("i-{number:017}"));
    }
    house.pass(130).await;
    assert!(!running.metrics().contains("reprise_breaker_opened_total"));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn with_breakers_switched_off_everything_is_asked() {
    let house = House::new();
    house.cloud.short_in(&["subnet-a"]);
    let mut off = two_zones();
    off.fleet.as_mut().expect("a fleet").breaker = None;
    let running = house.start_with(off, 100);
    launch(&house, 1..7).await;
    assert!(
        house
            .cloud
            .orders()
            .iter()
            .all(|order| order.left_out.is_empty())
    );
    running.stop().await;
}

/// A house whose last controller has opened the breaker of the first zone.
async fn with_open_breaker() -> House {
    let house = House::new();
    house.cloud.short_in(&["subnet-a"]);
    let running: Running = house.start_with(two_zones(), 100);
    launch(&house, 1..4).await;
    running.stop().await;
    house
}

/// One after the other.
async fn launch(house: &House, jobs: std::ops::Range<u64>) {
    for job in jobs {
        let launched = house.cloud.launched().len();
        house.send_job(JobAction::Queued, &queued(job, "build"));
        house
            .until("launched", async || house.cloud.launched().len() > launched)
            .await;
        house.until_quiet().await;
    }
}

fn leaves_out_a(house: &House) -> bool {
    let last = house.cloud.orders().pop().expect("something was asked for");
    last.left_out.holds("subnet-a", "c7a.large")
}

async fn claim(house: &House, job: u64) -> LaunchClaim {
    let key = ClaimKey {
        repository: repository(),
        job_id: reprise_model::ids::JobId(job),
    };
    let found = house.store.claim(&key).await.expect("readable");
    found.expect("it is there").record
}

fn two_zones() -> Settings {
    let mut settings = settings(true);
    let fleet = settings.fleet.as_mut().expect("a fleet");
    fleet.offer.regions[0].subnets = ["subnet-a", "subnet-b"].map(str::to_owned).to_vec();
    settings
}
