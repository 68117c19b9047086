//! The rules of the contract, each a check that any backend must pass.
//!
//! A backend runs them all with `conformance_of!(name, fresh)`, where the expression `fresh` makes
//! an empty store and whatever must live as long, as a folder. A new rule is added to the list in
//! `with_every_rule!`. The end-to-end tests include this module, and `samples`, by their paths: a
//! backend that needs a server is tested there.

mod leases;

use jiff::{SignedDuration, Timestamp};
use reprise_store::{DueKey, DueKind, Expect, RunsWanted, Store, StoreError, Version, Versioned};

pub(crate) use self::leases::*;
use crate::samples::{
    self, Sample, at, check, claim, ended_run, interrupted, put_breakers, put_budget, run,
};

/// Hands the names of all rules to another macro, after what it is given for it.
macro_rules! with_every_rule {
    ($then:ident! { $($given:tt)* }) => {
        $then! { $($given)*
            a_record_that_was_never_written_is_absent
            records_of_every_state_come_back_as_they_were
            an_absent_record_is_inserted_only_once
            a_change_counts_the_version_up_and_replaces_the_record
            a_stale_version_conflicts_and_nothing_of_its_commit_is_written
            a_version_of_an_absent_record_conflicts
            a_conflict_in_the_last_of_many_changes_undoes_all_of_them
            a_record_named_twice_in_one_commit_is_not_written_twice
            an_empty_commit_changes_nothing
            a_conflict_names_the_record
            due_records_come_longest_due_first_up_to_the_limit
            a_record_without_due_is_never_due
            a_record_is_due_at_its_time_and_not_a_moment_before
            a_change_moves_its_record_in_the_due_order
            due_keys_of_every_kind_lead_to_their_records
            the_next_due_time_is_the_first_after_what_was_asked_for
            what_comes_next_is_told_unless_more_is_due_than_was_asked_for
            since_when_the_first_of_each_kind_is_due_is_told
            runs_are_listed_open_ones_first_and_then_those_that_ended_last
            runs_are_listed_by_repository_by_their_end_and_up_to_a_limit
            an_expired_run_is_not_listed
            an_expired_record_is_absent_before_it_is_deleted
            a_new_record_takes_the_place_of_an_expired_one
            expiry_forgets_exactly_what_has_passed
            a_later_change_puts_expiry_off
            a_repository_in_another_case_is_the_same_record
            the_largest_ids_come_back_as_they_were
            breakers_come_back_as_they_were
            breakers_conflict_like_any_record
            breakers_hold_no_work
            budgets_come_back_as_they_were
            budgets_conflict_like_any_record
            budgets_hold_no_work_and_are_of_one_repository_each
            a_lease_has_a_single_owner
            a_renewal_keeps_the_fence_and_moves_the_end
            a_lease_that_ran_out_is_taken_over_with_a_greater_fence
            a_lease_ends_at_its_time_and_not_a_moment_before
            a_released_lease_is_free_at_once_and_its_fence_is_old
            only_its_holder_releases_a_lease
            of_holders_that_race_for_a_lease_one_wins
            a_lease_is_no_record_and_does_not_expire
        }
    };
}

/// One test for each rule, in a module of the backend's name.
#[allow(
    unused_macros,
    reason = "a backend with a server of its own runs the rules in another way"
)]
macro_rules! conformance_of {
    ($backend:ident, $fresh:expr) => {
        with_every_rule! { conformance_of! { @each $backend, $fresh, } }
    };
    (@each $backend:ident, $fresh:expr, $($rule:ident)*) => {
        mod $backend {
            use super::*;

            $(#[tokio::test]
            async fn $rule() {
                let (store, _kept) = $fresh;
                crate::conformance::$rule(&store).await;
            })*
        }
    };
}

pub(crate) async fn a_record_that_was_never_written_is_absent(store: &impl Store) {
    for sample in [run(1), claim(1), interrupted(1), check(1)] {
        assert_eq!(read(store, &sample).await, None);
    }
    assert_eq!(next(store, at(0)).await, None);
    assert_eq!(due(store, at(0)).await, []);
}

pub(crate) async fn records_of_every_state_come_back_as_they_were(store: &impl Store) {
    let samples = samples::every_state();
    let changes = samples.iter().map(|(_, sample)| sample.put(Expect::Absent));
    store.commit(changes.collect()).await.expect("commits");
    for (name, sample) in samples {
        let found = read(store, &sample).await;
        assert_eq!(found, Some((sample, Version(1))), "{name}");
    }
}

pub(crate) async fn an_absent_record_is_inserted_only_once(store: &impl Store) {
    for sample in [run(1), claim(1), interrupted(1), check(1)] {
        insert(store, &sample).await;
        let other = sample.clone().due_at(Some(at(5)));
        conflicts(store, &[other.put(Expect::Absent)]).await;
        assert_eq!(read(store, &sample).await, Some((sample, Version(1))));
    }
}

pub(crate) async fn a_change_counts_the_version_up_and_replaces_the_record(store: &impl Store) {
    for sample in [run(1), claim(1), interrupted(1), check(1)] {
        insert(store, &sample).await;
        let changed = sample.due_at(Some(at(5)));
        let change = changed.put(Expect::At(Version(1)));
        store.commit(vec![change]).await.expect("commits");
        assert_eq!(read(store, &changed).await, Some((changed, Version(2))));
    }
}

pub(crate) async fn a_stale_version_conflicts_and_nothing_of_its_commit_is_written(
    store: &impl Store,
) {
    let (first, second) = (run(1), run(1).due_at(Some(at(5))));
    insert(store, &first).await;
    let change = second.put(Expect::At(Version(1)));
    store.commit(vec![change]).await.expect("commits");

    let new = interrupted(1);
    for stale in [Version(1), Version(3)] {
        conflicts(
            store,
            &[new.put(Expect::Absent), first.put(Expect::At(stale))],
        )
        .await;
    }
    assert_eq!(read(store, &second).await, Some((second, Version(2))));
    assert_eq!(read(store, &new).await, None);
}

pub(crate) async fn a_version_of_an_absent_record_conflicts(store: &impl Store) {
    let sample = claim(1);
    for version in [Version(0), Version(1), Version(u64::MAX)] {
        conflicts(store, &[sample.put(Expect::At(version))]).await;
    }
    assert_eq!(read(store, &sample).await, None);
}

pub(crate) async fn a_conflict_in_the_last_of_many_changes_undoes_all_of_them(store: &impl Store) {
    let (known, taken) = (run(1), claim(1));
    insert(store, &known).await;
    insert(store, &taken).await;
    conflicts(
        store,
        &[
            known
                .clone()
                .due_at(Some(at(5)))
                .put(Expect::At(Version(1))),
            interrupted(1).put(Expect::Absent),
            claim(2).put(Expect::Absent),
            taken.put(Expect::Absent),
        ],
    )
    .await;
    assert_eq!(read(store, &known).await, Some((known, Version(1))));
    assert_eq!(read(store, &interrupted(1)).await, None);
    assert_eq!(read(store, &claim(2)).await, None);
    assert_eq!(due(store, at(10)).await, []);
}

pub(crate) async fn a_record_named_twice_in_one_commit_is_not_written_twice(store: &impl Store) {
    let twice = [claim(1).put(Expect::Absent), claim(1).put(Expect::Absent)];
    store
        .commit(twice.to_vec())
        .await
        .expect_err("names a record twice");
    assert_eq!(read(store, &claim(1)).await, None);
}

pub(crate) async fn an_empty_commit_changes_nothing(store: &impl Store) {
    insert(store, &claim(1)).await;
    store.commit(Vec::new()).await.expect("commits");
    assert_eq!(read(store, &claim(1)).await, Some((claim(1), Version(1))));
}

pub(crate) async fn a_conflict_names_the_record(store: &impl Store) {
    insert(store, &claim(1)).await;
    let again = claim(1).put(Expect::Absent);
    let error = store.commit(vec![again]).await.expect_err("conflicts");
    assert_eq!(
        error.to_string(),
        "the record claim acme/shop/1 was changed by somebody else; read it again"
    );
}

pub(crate) async fn due_records_come_longest_due_first_up_to_the_limit(store: &impl Store) {
    for (id, seconds) in [(1, 30), (2, 10), (3, 40), (4, 20), (5, 99)] {
        insert(store, &claim(id).due_at(Some(at(seconds)))).await;
    }
    let expected: Vec<DueKey> = [2, 4, 1, 3].map(|id| claim(id).key()).into();
    for limit in [0, 1, 3, 4, 100, usize::MAX] {
        let list = store.due(at(50), limit).await.expect("reads");
        assert_eq!(list.keys, expected[..limit.min(4)], "at most {limit}");
    }
}

pub(crate) async fn a_record_without_due_is_never_due(store: &impl Store) {
    for sample in [run(1), claim(1), interrupted(1), check(1)] {
        insert(store, &sample).await;
    }
    assert_eq!(due(store, at(1_000_000)).await, []);
    assert_eq!(next(store, at(1_000_000)).await, None);
}

pub(crate) async fn a_record_is_due_at_its_time_and_not_a_moment_before(store: &impl Store) {
    let moment = at(10) + SignedDuration::from_nanos(1);
    insert(store, &claim(1).due_at(Some(moment))).await;
    assert_eq!(due(store, at(10)).await, []);
    let next = next(store, at(10)).await.expect("is due some day");
    assert!(next >= moment && next <= moment + SignedDuration::from_millis(1));
    assert_eq!(due(store, next).await, [claim(1).key()]);
}

pub(crate) async fn a_change_moves_its_record_in_the_due_order(store: &impl Store) {
    insert(store, &run(1).due_at(Some(at(10)))).await;
    insert(store, &run(2).due_at(Some(at(20)))).await;
    let later = run(1).due_at(Some(at(30)));
    let done = run(2).due_at(None);
    let changes = [later, done].map(|sample| sample.put(Expect::At(Version(1))));
    store.commit(changes.to_vec()).await.expect("commits");
    assert_eq!(due(store, at(25)).await, []);
    assert_eq!(due(store, at(30)).await, [run(1).key()]);
}

pub(crate) async fn due_keys_of_every_kind_lead_to_their_records(store: &impl Store) {
    let samples = [interrupted(1), run(1), claim(1), check(1)];
    for (seconds, sample) in (0..).zip(&samples) {
        insert(store, &sample.clone().due_at(Some(at(seconds)))).await;
    }
    let keys = due(store, at(10)).await;
    assert_eq!(keys, samples.map(|sample| sample.key()));
    for key in &keys {
        assert!(read_key(store, key).await.is_some(), "{key:?}");
    }
}

pub(crate) async fn the_next_due_time_is_the_first_after_what_was_asked_for(store: &impl Store) {
    for (id, seconds) in [(1, 30), (2, 10), (3, 20)] {
        insert(store, &claim(id).due_at(Some(at(seconds)))).await;
    }
    for (now, next) in [(0, Some(10)), (10, Some(20)), (25, Some(30)), (30, None)] {
        let found = self::next(store, at(now)).await;
        assert_eq!(found, next.map(at), "asked with {now}");
    }
}

pub(crate) async fn what_comes_next_is_told_unless_more_is_due_than_was_asked_for(
    store: &impl Store,
) {
    // More than a backend may read at first.
    for id in 1..=25 {
        insert(store, &claim(id).due_at(Some(at(10)))).await;
    }
    for (id, seconds) in [(26, 20), (27, 30)] {
        insert(store, &claim(id).due_at(Some(at(seconds)))).await;
    }
    for (now, limit, keys, next) in [
        (9, 0, 0, Some(10)),
        (10, 0, 0, None),
        (10, 19, 19, None),
        (10, 20, 20, None),
        (10, 24, 24, None),
        (10, 25, 25, Some(20)),
        (10, 26, 25, Some(20)),
        (20, 25, 25, None),
        (20, usize::MAX, 26, Some(30)),
        (30, 27, 27, None),
    ] {
        let list = store.due(at(now), limit).await.expect("reads");
        let found = (list.keys.len(), list.next);
        assert_eq!(found, (keys, next.map(at)), "at {now}, at most {limit}");
    }
}

pub(crate) async fn since_when_the_first_of_each_kind_is_due_is_told(store: &impl Store) {
    for (sample, seconds) in [
        (claim(1), 30),
        (claim(2), 10),
        (run(1), 20),
        (check(1), 40),
        (interrupted(1), 99),
    ] {
        insert(store, &sample.due_at(Some(at(seconds)))).await;
    }
    let all = [
        (DueKind::Claim, 10),
        (DueKind::Run, 20),
        (DueKind::Check, 40),
    ];
    for (limit, told) in [(0, 0), (1, 1), (2, 2), (3, 2), (100, 3)] {
        let list = store.due(at(50), limit).await.expect("reads");
        let since = all
            .iter()
            .take(told)
            .map(|(kind, seconds)| (*kind, at(*seconds)));
        assert_eq!(list.since, since.collect(), "at most {limit}");
    }
}

pub(crate) async fn runs_are_listed_open_ones_first_and_then_those_that_ended_last(
    store: &impl Store,
) {
    for sample in [
        ended_run("acme/shop", 1, 100),
        run(2).due_at(Some(at(900))),
        ended_run("acme/shop", 3, 300),
        run(4).due_at(Some(at(800))),
        claim(5),
        claim(6).due_at(Some(at(10))),
        interrupted(7),
    ] {
        insert(store, &sample).await;
    }
    let all = RunsWanted::default();
    assert_eq!(runs(store, &all, 10).await, (vec![4, 2, 3, 1], false));
    let open = RunsWanted {
        open_only: true,
        ..all.clone()
    };
    assert_eq!(runs(store, &open, 10).await, (vec![4, 2], false));

    let back = ended_run("acme/shop", 1, 100).due_at(Some(at(850)));
    let back = back.put(Expect::At(Version(1)));
    store.commit(vec![back]).await.expect("commits");
    assert_eq!(runs(store, &all, 10).await, (vec![4, 1, 2, 3], false));
}

pub(crate) async fn runs_are_listed_by_repository_by_their_end_and_up_to_a_limit(
    store: &impl Store,
) {
    for sample in [
        run(1).due_at(Some(at(10))),
        ended_run("acme/shop", 2, 200),
        ended_run("Acme/Site", 3, 300),
        ended_run("acme/shop", 4, 400),
    ] {
        insert(store, &sample).await;
    }
    let since = |seconds| RunsWanted {
        since: Some(at(seconds)),
        ..RunsWanted::default()
    };
    assert_eq!(runs(store, &since(300), 10).await, (vec![1, 4, 3], false));
    assert_eq!(runs(store, &since(301), 10).await, (vec![1, 4], false));
    let of = |repository: &str| RunsWanted {
        repository: Some(repository.parse().expect("a repository")),
        ..RunsWanted::default()
    };
    assert_eq!(runs(store, &of("acme/site"), 10).await, (vec![3], false));
    assert_eq!(
        runs(store, &of("ACME/shop"), 10).await,
        (vec![1, 4, 2], false)
    );
    assert_eq!(runs(store, &of("acme/none"), 10).await, (vec![], false));
    let all = RunsWanted::default();
    assert_eq!(runs(store, &all, 2).await, (vec![1, 4], true));
    assert_eq!(runs(store, &all, 1).await, (vec![1], true));
    assert_eq!(runs(store, &all, 4).await, (vec![1, 4, 3, 2], false));
}

pub(crate) async fn an_expired_run_is_not_listed(store: &impl Store) {
    for sample in [run(1).due_at(Some(at(10))), ended_run("acme/shop", 2, 20)] {
        let change = sample.put_until(Expect::Absent, at(100));
        store.commit(vec![change]).await.expect("commits");
    }
    let all = RunsWanted::default();
    due(store, at(99)).await;
    assert_eq!(runs(store, &all, 10).await, (vec![1, 2], false));
    due(store, at(100)).await;
    assert_eq!(runs(store, &all, 10).await, (vec![], false));
}

/// The ids of the runs that are listed, and whether there are more.
async fn runs(store: &impl Store, wanted: &RunsWanted, limit: usize) -> (Vec<u64>, bool) {
    let found = store.runs(wanted, limit).await.expect("lists");
    let ids = found.keys.iter().map(|key| key.run_id.0);
    (ids.collect(), found.more)
}

pub(crate) async fn an_expired_record_is_absent_before_it_is_deleted(store: &impl Store) {
    for sample in [run(1), claim(1), interrupted(1), check(1)] {
        let sample = sample.due_at(Some(at(200)));
        let change = sample.put_until(Expect::Absent, at(100));
        store.commit(vec![change]).await.expect("commits");
    }
    due(store, at(99)).await;
    assert!(read(store, &run(1)).await.is_some());
    assert_eq!(next(store, at(99)).await, Some(at(200)));

    due(store, at(100)).await;
    for sample in [run(1), claim(1), interrupted(1), check(1)] {
        assert_eq!(read(store, &sample).await, None);
        conflicts(store, &[sample.put(Expect::At(Version(1)))]).await;
    }
    assert_eq!(next(store, at(100)).await, None);
    assert_eq!(due(store, at(200)).await, []);
}

pub(crate) async fn a_new_record_takes_the_place_of_an_expired_one(store: &impl Store) {
    let old = claim(1).put_until(Expect::Absent, at(100));
    store.commit(vec![old]).await.expect("commits");
    let stale = read(store, &claim(1)).await.expect("is there").1;
    due(store, at(100)).await;

    let new = claim(1).due_at(Some(at(150)));
    insert(store, &new).await;
    conflicts(store, &[claim(1).put(Expect::At(stale))]).await;
    assert_eq!(store.expire(at(100)).await.expect("deletes"), 0);
    let (found, _) = read(store, &new).await.expect("is there");
    assert_eq!(found, new);
}

pub(crate) async fn expiry_forgets_exactly_what_has_passed(store: &impl Store) {
    for (id, seconds) in [(1, 99), (2, 100), (3, 101)] {
        let change = claim(id).put_until(Expect::Absent, at(seconds));
        store.commit(vec![change]).await.expect("commits");
    }
    store.expire(at(100)).await.expect("forgets");
    assert_eq!(read(store, &claim(1)).await, None);
    assert_eq!(read(store, &claim(2)).await, None);
    assert_eq!(read(store, &claim(3)).await, Some((claim(3), Version(1))));
}

pub(crate) async fn a_later_change_puts_expiry_off(store: &impl Store) {
    let first = claim(1).put_until(Expect::Absent, at(100));
    store.commit(vec![first]).await.expect("commits");
    let second = claim(1).put_until(Expect::At(Version(1)), at(300));
    store.commit(vec![second]).await.expect("commits");
    assert_eq!(store.expire(at(200)).await.expect("deletes"), 0);
    assert_eq!(read(store, &claim(1)).await, Some((claim(1), Version(2))));
}

pub(crate) async fn a_repository_in_another_case_is_the_same_record(store: &impl Store) {
    for sample in [run(1).due_at(Some(at(5))), claim(1).due_at(Some(at(6)))] {
        insert(store, &sample).await;
        let odd = in_odd_case(sample.clone());
        assert_eq!(read(store, &odd).await, Some((sample, Version(1))));
        conflicts(store, &[odd.put(Expect::Absent)]).await;
        let change = odd.put(Expect::At(Version(1)));
        store.commit(vec![change]).await.expect("commits");
    }
    assert_eq!(due(store, at(10)).await, [run(1).key(), claim(1).key()]);
}

pub(crate) async fn the_largest_ids_come_back_as_they_were(store: &impl Store) {
    let samples = [run(u64::MAX - 72_000_000_000), claim(u64::MAX)];
    for sample in samples {
        let sample = sample.due_at(Some(at(5)));
        insert(store, &sample).await;
        assert!(due(store, at(5)).await.contains(&sample.key()));
        assert_eq!(read(store, &sample).await, Some((sample, Version(1))));
    }
}

pub(crate) async fn breakers_come_back_as_they_were(store: &impl Store) {
    assert_eq!(store.breakers().await.expect("reads"), None);
    let change = put_breakers(samples::breakers(), Expect::Absent);
    store.commit(vec![change]).await.expect("commits");
    let found = store.breakers().await.expect("reads").expect("is there");
    assert_eq!(
        (found.record, found.version),
        (samples::breakers(), Version(1))
    );
    store.expire(at(24 * 3600)).await.expect("deletes");
    assert_eq!(store.breakers().await.expect("reads"), None);
}

pub(crate) async fn breakers_conflict_like_any_record(store: &impl Store) {
    let put = |expect| put_breakers(samples::breakers(), expect);
    conflicts(store, &[put(Expect::At(Version(1)))]).await;
    let first = vec![put(Expect::Absent)];
    store.commit(first).await.expect("commits");
    conflicts(store, &[put(Expect::Absent)]).await;
    let second = vec![put(Expect::At(Version(1)))];
    store.commit(second).await.expect("commits");
    conflicts(store, &[put(Expect::At(Version(1)))]).await;
    let found = store.breakers().await.expect("reads").expect("is there");
    assert_eq!(found.version, Version(2));
}

pub(crate) async fn breakers_hold_no_work(store: &impl Store) {
    let change = put_breakers(samples::breakers(), Expect::Absent);
    store.commit(vec![change]).await.expect("commits");
    assert_eq!(due(store, at(23 * 3600)).await, []);
    assert_eq!(next(store, at(0)).await, None);
}

pub(crate) async fn budgets_come_back_as_they_were(store: &impl Store) {
    let repository = samples::budget().repository;
    assert_eq!(store.budget(&repository).await.expect("reads"), None);
    let change = put_budget(samples::budget(), Expect::Absent);
    store.commit(vec![change]).await.expect("commits");
    let odd = "ACME/Shop".parse().expect("a repository");
    let found = store.budget(&odd).await.expect("reads").expect("is there");
    assert_eq!(
        (found.record, found.version),
        (samples::budget(), Version(1))
    );
    store.expire(at(2 * 3600)).await.expect("deletes");
    assert_eq!(store.budget(&repository).await.expect("reads"), None);
    // It is forgotten often, and made anew.
    let change = put_budget_until(at(9 * 3600));
    store.commit(vec![change]).await.expect("commits");
    assert!(store.budget(&repository).await.expect("reads").is_some());
}

fn put_budget_until(expires_at: Timestamp) -> reprise_store::Change {
    reprise_store::Change::PutBudget {
        budget: samples::budget(),
        expect: Expect::Absent,
        expires_at,
    }
}

pub(crate) async fn budgets_conflict_like_any_record(store: &impl Store) {
    let put = |expect| put_budget(samples::budget(), expect);
    conflicts(store, &[put(Expect::At(Version(1)))]).await;
    let first = vec![put(Expect::Absent)];
    store.commit(first).await.expect("commits");
    conflicts(store, &[put(Expect::Absent)]).await;
    let second = vec![put(Expect::At(Version(1)))];
    store.commit(second).await.expect("commits");
    conflicts(store, &[put(Expect::At(Version(1)))]).await;
}

pub(crate) async fn budgets_hold_no_work_and_are_of_one_repository_each(store: &impl Store) {
    let other = reprise_model::budget::Budget {
        repository: "acme/other".parse().expect("a repository"),
        ..samples::budget()
    };
    let changes = vec![
        put_budget(samples::budget(), Expect::Absent),
        put_budget(other.clone(), Expect::Absent),
    ];
    store.commit(changes).await.expect("commits");
    let found = store.budget(&other.repository).await.expect("reads");
    assert_eq!(found.expect("is there").record, other);
    assert_eq!(due(store, at(3600)).await, []);
    assert_eq!(next(store, at(0)).await, None);
    let runs = store.runs(&reprise_store::RunsWanted::default(), 9).await;
    assert_eq!(runs.expect("lists").keys, []);
}

fn in_odd_case(mut sample: Sample) -> Sample {
    let repository = "ACME/Shop".parse().expect("a repository");
    match &mut sample {
        Sample::Run(entry) => entry.key.repository = repository,
        Sample::Claim(claim) => claim.key.repository = repository,
        Sample::Check(entry) => entry.key.repository = repository,
        Sample::Instance(_) => {}
    }
    sample
}

async fn insert(store: &impl Store, sample: &Sample) {
    let change = sample.put(Expect::Absent);
    store.commit(vec![change]).await.expect("commits");
}

async fn conflicts(store: &impl Store, changes: &[reprise_store::Change]) {
    let error = store.commit(changes.to_vec()).await.expect_err("conflicts");
    assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
}

async fn due(store: &impl Store, now: Timestamp) -> Vec<DueKey> {
    store.due(now, 100).await.expect("reads").keys
}

async fn next(store: &impl Store, now: Timestamp) -> Option<Timestamp> {
    store.due(now, 100).await.expect("reads").next
}

/// The record under the sample's key, as it is stored.
async fn read(store: &impl Store, sample: &Sample) -> Option<(Sample, Version)> {
    read_key(store, &sample.key()).await
}

async fn read_key(store: &impl Store, key: &DueKey) -> Option<(Sample, Version)> {
    fn with<R>(
        found: Result<Option<Versioned<R>>, StoreError>,
        kind: fn(R) -> Sample,
    ) -> Option<(Sample, Version)> {
        let found = found.expect("reads")?;
        Some((kind(found.record), found.version))
    }
    match key {
        DueKey::Instance(key) => with(store.instance(key).await, Sample::Instance),
        DueKey::Run(key) => with(store.run(key).await, Sample::Run),
        DueKey::Claim(key) => with(store.claim(key).await, Sample::Claim),
        DueKey::Check(key) => with(store.check(key).await, Sample::Check),
    }
}
