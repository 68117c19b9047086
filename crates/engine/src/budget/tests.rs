//! What is granted, what is paid for already, and when there is room again.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::samples::{at, attempt, repository};

const LIMIT: u32 = 10;

#[test]
fn what_fits_into_the_hour_is_granted_and_the_rest_waits_for_the_oldest_to_lapse() {
    let mut spending = Spending::default();
    assert!(spending.asks(1, 4, 0));
    assert!(spending.asks(2, 6, 600));
    assert_eq!(spending.over(3, 1, 601), at(65 * 60));
    assert_eq!(spending.over(3, 5, 601), at(600 + 65 * 60));
    assert!(!spending.asks(3, 4, 65 * 60 - 1));
    assert!(spending.asks(3, 4, 65 * 60));
}

#[test]
fn what_is_bigger_than_the_limit_goes_when_nothing_else_counts() {
    let mut spending = Spending::default();
    assert!(spending.asks(1, 1, 0));
    assert_eq!(spending.over(2, 11, 1), at(65 * 60));
    assert!(spending.asks(2, 11, 65 * 60));
    assert!(!spending.asks(3, 1, 65 * 60 + 1));
}

#[test]
fn the_same_re_run_is_paid_for_once() {
    let mut spending = Spending::default();
    assert!(spending.asks(1, 7, 0));
    let before = spending.0.clone();
    assert_eq!(spending.take(1, 7, 30), Answer::Paid(at(0)));
    assert!(spending.asks(1, 7, 120));
    assert_eq!(spending.0, before);
    assert!(spending.asks(2, 3, 121), "no more than seven are counted");
}

#[test]
fn another_attempt_of_the_same_run_is_another_re_run() {
    let mut spending = Spending::default();
    assert!(spending.asks(1, 7, 0));
    let repository = repository();
    let wanted = Wanted {
        from: attempt(2),
        ..wanted(&repository, 1, 7)
    };
    let answer = take(spending.0.as_ref(), wanted, LIMIT, at(1));
    assert!(matches!(answer, Answer::Over { .. }), "{answer:?}");
}

#[test]
fn a_re_run_that_is_asked_for_much_later_counts_from_then_on() {
    let mut spending = Spending::default();
    assert!(spending.asks(1, 7, 0));
    assert!(spending.asks(1, 7, 121));
    assert_eq!(spending.jobs(), 7);
    assert_eq!(spending.over(2, 4, 122), at(121 + 65 * 60));
}

#[test]
fn a_re_run_that_has_grown_pays_for_all_of_it_once() {
    let mut spending = Spending::default();
    assert!(spending.asks(1, 2, 0));
    assert!(spending.asks(1, 9, 1));
    assert_eq!(spending.jobs(), 9);
    assert!(spending.asks(1, 9, 3));
}

#[test]
fn what_is_not_named_any_more_is_known_by_what_its_run_tells() {
    let mut spending = Spending::default();
    for run in 0..20 {
        assert!(spending.asks_of(100, run, 2, run as i64, None));
    }
    assert_eq!(spending.jobs(), 40);
    let paid = Some((at(3), 2));
    assert!(spending.asks_of(100, 3, 2, 200, paid));
    assert_eq!(spending.jobs(), 40, "it is counted once");
    assert!(spending.asks_of(100, 4, 2, 201, None));
    assert_eq!(spending.jobs(), 42, "and twice where nobody knows");
}

#[test]
fn what_lies_in_slots_counts_until_the_last_of_the_slot_is_over() {
    let mut spending = Spending::default();
    for run in 0..9 {
        assert!(spending.asks_of(9, run, 1, 0, None));
    }
    let slot_is_over = Slot::of(at(0)).end() + COUNTS_FOR;
    let named_are_over = at(0) + COUNTS_FOR;
    assert_eq!(spending.over_of(9, 50, 1, 1), named_are_over);
    assert_eq!(spending.over_of(9, 50, 9, 1), slot_is_over);
}

proptest! {
    #[test]
    fn in_no_hour_is_more_asked_for_than_the_limit(
        asks in prop::collection::vec((0_u64..40, 0_i64..400, 0_i64..=120, any::<bool>()), 1..300),
        limit in 5_u32..20,
    ) {
        let (mut now, mut spending) = (0, Spending::default());
        // Each is put off until it is asked for the last time, and goes out as late as it may.
        let mut asked: BTreeMap<u64, (i64, u32)> = BTreeMap::new();
        let mut paid: BTreeMap<u64, (Timestamp, u32)> = BTreeMap::new();
        for (run, pause, late, is_told) in asks {
            now += pause;
            let jobs = (run % 5) as u32 + 1;
            let told = paid.get(&run).copied().filter(|_| is_told);
            let is_good = told.is_some_and(|paid| is_good(paid, jobs, at(now)));
            if !is_good {
                if !spending.asks_of(limit, run, jobs, now, told) {
                    continue;
                }
                paid.insert(run, (at(now), jobs));
            }
            asked.insert(run, (now + late, jobs));
            let of_hour = |end: i64| -> u32 {
                let asked = asked.values().filter(|(at, _)| (end - 3_600..=end).contains(at));
                asked.map(|(_, jobs)| jobs).sum()
            };
            let most = asked.values().map(|(at, _)| of_hour(*at)).max().unwrap_or_default();
            prop_assert!(most <= limit, "{most} of {limit}: {asked:?}");
        }
    }

    #[test]
    fn whatever_waits_has_room_when_it_was_told_or_is_told_a_later_time(
        asks in prop::collection::vec((0_u64..9, 1_u32..30, 0_i64..900), 1..60),
    ) {
        let (mut now, mut spending) = (0, Spending::default());
        for (run, jobs, pause) in asks {
            now += pause;
            if let Answer::Over { until } = spending.take(run, jobs, now) {
                prop_assert!(until > at(now));
                let then = take(spending.0.as_ref(), wanted(&repository(), run, jobs), LIMIT, until);
                prop_assert!(matches!(then, Answer::Granted(_)), "{then:?}");
            } else {
                prop_assert!(spending.asks(run, jobs, now));
            }
        }
    }
}

/// A repository's record, as it is written.
#[derive(Debug, Default)]
struct Spending(Option<Budget>);

impl Spending {
    fn take(&self, run: u64, jobs: u32, now: i64) -> Answer {
        take(
            self.0.as_ref(),
            wanted(&repository(), run, jobs),
            LIMIT,
            at(now),
        )
    }

    /// Whether it may be asked for; what is granted is written.
    fn asks(&mut self, run: u64, jobs: u32, now: i64) -> bool {
        self.asks_of(LIMIT, run, jobs, now, None)
    }

    fn asks_of(
        &mut self,
        limit: u32,
        run: u64,
        jobs: u32,
        now: i64,
        paid: Option<(Timestamp, u32)>,
    ) -> bool {
        let repository = repository();
        let wanted = Wanted {
            paid,
            ..wanted(&repository, run, jobs)
        };
        match take(self.0.as_ref(), wanted, limit, at(now)) {
            Answer::Paid(_) => true,
            Answer::Granted(budget) => {
                self.0 = Some(budget);
                true
            }
            Answer::Over { .. } => false,
        }
    }

    fn over(&self, run: u64, jobs: u32, now: i64) -> Timestamp {
        self.over_of(LIMIT, run, jobs, now)
    }

    fn over_of(&self, limit: u32, run: u64, jobs: u32, now: i64) -> Timestamp {
        match take(
            self.0.as_ref(),
            wanted(&repository(), run, jobs),
            limit,
            at(now),
        ) {
            Answer::Over { until } => until,
            answer @ (Answer::Paid(_) | Answer::Granted(_)) => panic!("there is room: {answer:?}"),
        }
    }

    fn jobs(&self) -> u32 {
        self.0.as_ref().map_or(0, sum)
    }
}

fn wanted(repository: &Repository, run: u64, jobs: u32) -> Wanted<'_> {
    Wanted {
        repository,
        run: RunId(run),
        from: RunAttempt::FIRST,
        jobs,
        paid: None,
    }
}
