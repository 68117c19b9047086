//! The rules of leases, and of the fences that tell a late holder from the present one.

use jiff::Timestamp;
use reprise_store::{DueList, Fence, HolderId, LeaseName, Store};

use crate::samples::at;

pub(crate) async fn a_lease_has_a_single_owner(store: &impl Store) {
    let fence = take(store, "one", 0, 30).await;
    assert_eq!(fence, Some(Fence(1)));
    for seconds in [0, 1, 29] {
        assert_eq!(take(store, "other", seconds, seconds + 30).await, None);
    }
    assert_eq!(take(store, "one", 29, 59).await, fence);
}

pub(crate) async fn a_renewal_keeps_the_fence_and_moves_the_end(store: &impl Store) {
    let fence = take(store, "one", 0, 30).await;
    assert_eq!(take(store, "one", 10, 40).await, fence);
    assert_eq!(take(store, "other", 39, 69).await, None);
    assert_eq!(take(store, "one", 50, 80).await, fence, "nobody was faster");
    assert_eq!(take(store, "other", 79, 109).await, None);
}

pub(crate) async fn a_lease_that_ran_out_is_taken_over_with_a_greater_fence(store: &impl Store) {
    let first = take(store, "one", 0, 30).await.expect("is free");
    let second = take(store, "other", 30, 60).await.expect("has run out");
    assert!(second > first);
    assert_eq!(take(store, "one", 30, 60).await, None);
    let third = take(store, "one", 60, 90).await.expect("has run out again");
    assert!(third > second);
}

pub(crate) async fn a_lease_ends_at_its_time_and_not_a_moment_before(store: &impl Store) {
    let end = at(30) + jiff::SignedDuration::from_nanos(1);
    let (one, other) = (holder("one"), holder("other"));
    let taken = |who, now, until| store.take_lease(LeaseName::Sweep, who, now, until);
    assert!(taken(&one, at(0), end).await.expect("answers").is_some());
    assert_eq!(taken(&other, at(30), at(60)).await.expect("answers"), None);
    let soon = at(30) + jiff::SignedDuration::from_millis(1);
    assert!(
        taken(&other, soon, at(60))
            .await
            .expect("answers")
            .is_some()
    );
}

pub(crate) async fn a_released_lease_is_free_at_once_and_its_fence_is_old(store: &impl Store) {
    let first = take(store, "one", 0, 30).await.expect("is free");
    release(store, "one", first).await;
    let second = take(store, "other", 1, 31).await.expect("was released");
    assert!(second > first);
    release(store, "other", second).await;
    let third = take(store, "other", 2, 32).await.expect("was released");
    assert!(third > second, "also for the one that released it");
}

pub(crate) async fn only_its_holder_releases_a_lease(store: &impl Store) {
    release(store, "one", Fence(1)).await;
    let old = take(store, "one", 0, 30).await.expect("is free");
    let fence = take(store, "other", 30, 60).await.expect("has run out");
    release(store, "one", old).await;
    release(store, "one", fence).await;
    release(store, "other", old).await;
    assert_eq!(take(store, "one", 31, 61).await, None);
    let held = take(store, "other", 31, 61).await;
    assert_eq!(held, Some(fence), "it is held");
}

pub(crate) async fn of_holders_that_race_for_a_lease_one_wins(store: &impl Store) {
    for round in 0..5 {
        let (now, until) = (100 * round, 100 * round + 30);
        let (one, two, three) = tokio::join!(
            take(store, "one", now, until),
            take(store, "two", now, until),
            take(store, "three", now, until),
        );
        let won: Vec<Fence> = [one, two, three].into_iter().flatten().collect();
        assert_eq!(won.len(), 1, "{won:?}");
    }
}

pub(crate) async fn a_lease_is_no_record_and_does_not_expire(store: &impl Store) {
    let first = take(store, "one", 0, 30).await.expect("is free");
    for now in [-1, 1_000_000] {
        let list = store.due(at(now), 10).await.expect("reads");
        assert_eq!(list, DueList::default());
    }
    assert_eq!(store.expire(at(100_000_000)).await.expect("deletes"), 0);
    let second = take(store, "other", 100_000_000, 100_000_030).await;
    assert!(second.expect("has run out") > first);
}

async fn take(store: &impl Store, who: &str, now: i64, until: i64) -> Option<Fence> {
    let (now, until): (Timestamp, Timestamp) = (at(now), at(until));
    store
        .take_lease(LeaseName::Sweep, &holder(who), now, until)
        .await
        .expect("answers")
}

async fn release(store: &impl Store, who: &str, fence: Fence) {
    store
        .release_lease(LeaseName::Sweep, &holder(who), fence)
        .await
        .expect("answers");
}

fn holder(who: &str) -> HolderId {
    HolderId::new(who)
}
