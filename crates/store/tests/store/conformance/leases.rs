//! The rules of leases and of the guards that fence a late holder off.

use jiff::Timestamp;
use reprise_store::{Change, DueList, Expect, Fence, HolderId, LeaseName, Store, Version};

use super::{conflicts, read};
use crate::samples::{at, claim, run};

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

pub(crate) async fn a_guard_with_the_fence_of_the_holder_lets_the_commit_through(
    store: &impl Store,
) {
    let fence = take(store, "one", 0, 30).await.expect("is free");
    let changes = vec![guard(fence), claim(1).put(Expect::Absent)];
    store.commit(changes).await.expect("commits");
    assert_eq!(take(store, "one", 10, 40).await, Some(fence));
    store.commit(vec![guard(fence)]).await.expect("commits");
    let changes = vec![claim(1).put(Expect::At(Version(1))), guard(fence)];
    store.commit(changes).await.expect("commits");
    assert_eq!(read(store, &claim(1)).await, Some((claim(1), Version(2))));
}

pub(crate) async fn a_guard_with_an_old_fence_conflicts_and_nothing_of_its_commit_is_written(
    store: &impl Store,
) {
    let old = take(store, "one", 0, 30).await.expect("is free");
    let new = take(store, "other", 30, 60).await.expect("has run out");
    for late in [
        [guard(old), claim(1).put(Expect::Absent)],
        [run(1).put(Expect::Absent), guard(old)],
    ] {
        conflicts(store, &late).await;
    }
    conflicts(store, &[guard(old)]).await;
    conflicts(store, &[guard(Fence(new.0 + 1))]).await;
    assert_eq!(read(store, &claim(1)).await, None);
    assert_eq!(read(store, &run(1)).await, None);
}

pub(crate) async fn a_guard_of_a_lease_that_nobody_ever_took_conflicts(store: &impl Store) {
    for fence in [Fence(0), Fence(1)] {
        conflicts(store, &[guard(fence), claim(1).put(Expect::Absent)]).await;
    }
    assert_eq!(read(store, &claim(1)).await, None);
}

pub(crate) async fn a_guard_that_conflicts_names_the_lease(store: &impl Store) {
    let error = store.commit(vec![guard(Fence(7))]).await;
    assert_eq!(
        error.expect_err("conflicts").to_string(),
        "the record lease sweep was changed by somebody else; read it again"
    );
}

pub(crate) async fn a_released_lease_is_free_at_once_and_its_fence_is_old(store: &impl Store) {
    let first = take(store, "one", 0, 30).await.expect("is free");
    release(store, "one", first).await;
    conflicts(store, &[guard(first)]).await;
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
    store.commit(vec![guard(fence)]).await.expect("is held");
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

fn guard(fence: Fence) -> Change {
    let lease = LeaseName::Sweep;
    Change::Guard { lease, fence }
}
