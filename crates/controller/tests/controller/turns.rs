//! Of several replicas one sweeps, and somebody always does.

use crate::fakes::house::{House, Running};
use crate::fakes::samples::secs;

#[tokio::test(start_paused = true)]
async fn of_two_replicas_only_one_sweeps() {
    let house = House::new();
    let (first, second) = (house.start(), house.start());
    house.pass(600).await;
    let (by_first, by_second) = (sweeps(&first), sweeps(&second));
    assert!(by_first == 0 || by_second == 0, "{by_first}, {by_second}");
    assert_eq!(by_first + by_second, house.cloud.lists());
    assert!((9..=11).contains(&house.cloud.lists()));
    first.stop().await;
    second.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_died_is_followed_within_30_seconds() {
    let house = House::new();
    let (first, second) = (house.start(), house.start());
    house.pass(100).await;
    let (owner, other) = by_turn(first, second);
    assert_eq!(sweeps(&other), 0);
    owner.crash().await;
    let before = house.now();
    house.until("swept", async || sweeps(&other) > 0).await;
    assert!(house.now().duration_since(before) <= secs(30));
    other.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_drains_hands_the_sweep_over_at_once() {
    let house = House::new();
    let (first, second) = (house.start(), house.start());
    house.pass(100).await;
    let (owner, other) = by_turn(first, second);
    owner.stop().await;
    let before = house.now();
    house.until("swept", async || sweeps(&other) > 0).await;
    assert!(house.now().duration_since(before) <= secs(8));
    other.stop().await;
}

/// The one that sweeps goes first.
fn by_turn(one: Running, other: Running) -> (Running, Running) {
    if sweeps(&one) > 0 {
        (one, other)
    } else {
        (other, one)
    }
}

fn sweeps(controller: &Running) -> u32 {
    let metrics = controller.metrics();
    let line = metrics
        .lines()
        .find(|line| line.starts_with(r#"reprise_sweeps_total{result="done"}"#));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok())
        .unwrap_or(0)
}
