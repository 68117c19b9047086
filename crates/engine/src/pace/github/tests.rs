use proptest::prelude::*;

use super::*;
use crate::samples::{at, secs};

/// A re-run or a new runner.
const POST: u32 = 5;

fn taken(pace: &mut GitHubPace, errand: Errand, points: u32, now: i64) -> usize {
    let mut taken = 0;
    while pace.take(errand, points, None, at(now)).is_ok() {
        pace.ended(GitHubAnswer::Answered, at(now));
        taken += 1;
    }
    taken
}

fn limited(pace: &mut GitHubPace, wait: i64, now: i64) {
    assert_eq!(pace.take(Errand::Rerun, POST, None, at(now)), Ok(()));
    pace.ended(GitHubAnswer::Limited(secs(wait)), at(now));
}

fn why(refused: Result<(), NotNow>) -> WaitReason {
    refused.expect_err("it is not to be made now").why
}

#[test]
fn a_minute_has_900_points_and_the_next_ones_come_a_minute_after_the_first() {
    let mut pace = GitHubPace::default();
    assert_eq!(taken(&mut pace, Errand::Rerun, POST, 0), 180);
    let refused = pace.take(Errand::Rerun, POST, None, at(1)).unwrap_err();
    assert_eq!((refused.until, refused.why), (at(60), WaitReason::Points));
    assert_eq!(taken(&mut pace, Errand::Rerun, POST, 60), 180);
}

#[test]
fn reads_leave_points_for_launches_and_launches_for_re_runs() {
    let mut pace = GitHubPace::default();
    assert_eq!(taken(&mut pace, Errand::Read, 1, 0), 600);
    assert_eq!(taken(&mut pace, Errand::Launch, POST, 0), 40);
    assert_eq!(taken(&mut pace, Errand::Rerun, POST, 0), 20);
}

#[test]
fn reads_leave_places_for_launches_and_launches_for_re_runs() {
    let mut pace = GitHubPace::default();
    let mut begun = |errand| {
        let mut begun = 0;
        while pace.take(errand, 1, None, at(0)).is_ok() {
            begun += 1;
        }
        begun
    };
    assert_eq!(begun(Errand::Read), 40);
    assert_eq!(begun(Errand::Launch), 10);
    assert_eq!(begun(Errand::Rerun), 10);
    assert_eq!(
        why(pace.take(Errand::Rerun, 1, None, at(0))),
        WaitReason::AtOnce
    );
    pace.ended(GitHubAnswer::Lost, at(0));
    assert_eq!(pace.take(Errand::Rerun, 1, None, at(0)), Ok(()));
}

#[test]
fn while_a_limit_is_in_force_nobody_asks_and_then_a_re_run_is_the_first() {
    let mut pace = GitHubPace::default();
    limited(&mut pace, 60, 0);
    assert_eq!(pace.rests_until(at(59)), Some(at(60)));
    assert_eq!(pace.rests_until(at(60)), None);
    for (errand, until) in [
        (Errand::Read, 64),
        (Errand::Launch, 62),
        (Errand::Rerun, 60),
    ] {
        let refused = pace.take(errand, 1, None, at(59)).unwrap_err();
        assert_eq!(
            (refused.until, refused.why),
            (at(until), WaitReason::Limited)
        );
    }
    assert_eq!(pace.take(Errand::Rerun, POST, None, at(60)), Ok(()));
    assert_eq!(
        why(pace.take(Errand::Rerun, POST, None, at(60))),
        WaitReason::Probing
    );
    assert_eq!(
        why(pace.take(Errand::Read, 1, None, at(65))),
        WaitReason::Probing
    );
    pace.ended(GitHubAnswer::Answered, at(65));
    assert_eq!(pace.take(Errand::Read, 1, None, at(65)), Ok(()));
}

#[test]
fn a_probe_that_finds_the_limit_in_force_shuts_again_and_one_that_is_lost_lets_the_next_try() {
    let mut pace = GitHubPace::default();
    limited(&mut pace, 60, 0);
    limited(&mut pace, 120, 60);
    assert_eq!(
        why(pace.take(Errand::Rerun, POST, None, at(179))),
        WaitReason::Limited
    );
    assert_eq!(pace.take(Errand::Rerun, POST, None, at(180)), Ok(()));
    pace.ended(GitHubAnswer::Lost, at(181));
    assert_eq!(pace.take(Errand::Rerun, POST, None, at(181)), Ok(()));
    // This one is never heard of.
    assert_eq!(
        why(pace.take(Errand::Rerun, POST, None, at(210))),
        WaitReason::Probing
    );
    assert_eq!(pace.take(Errand::Rerun, POST, None, at(211)), Ok(()));
}

#[test]
fn an_answer_that_was_on_its_way_before_the_limit_does_not_end_it() {
    let mut pace = GitHubPace::default();
    assert_eq!(pace.take(Errand::Read, 1, None, at(0)), Ok(()));
    limited(&mut pace, 60, 0);
    pace.ended(GitHubAnswer::Answered, at(1));
    assert_eq!(
        why(pace.take(Errand::Rerun, 1, None, at(2))),
        WaitReason::Limited
    );
}

#[test]
fn a_limit_halves_the_points_which_grow_back_in_minutes() {
    let mut pace = GitHubPace::default();
    limited(&mut pace, 60, 0);
    assert_eq!(pace.points_a_minute(at(0)), 450);
    assert_eq!(pace.points_a_minute(at(60)), 540);
    assert_eq!(pace.points_a_minute(at(300)), 900);
    for now in (1_000..10_000).step_by(61) {
        limited(&mut pace, 60, now);
    }
    assert!(pace.points_a_minute(at(10_000)) >= LEAST_POINTS);
}

#[test]
fn limits_told_to_requests_that_were_under_way_together_count_once() {
    let mut pace = GitHubPace::default();
    for _ in 0..10 {
        assert_eq!(pace.take(Errand::Rerun, POST, None, at(0)), Ok(()));
    }
    for _ in 0..10 {
        pace.ended(GitHubAnswer::Limited(secs(60)), at(1));
    }
    assert_eq!(pace.points_a_minute(at(1)), 450);
}

#[test]
fn what_is_left_of_the_hour_is_for_re_runs_and_one_request_a_minute_finds_out() {
    let mut pace = GitHubPace::default();
    assert_eq!(pace.take(Errand::Read, 1, Some(299), at(0)), Ok(()));
    let refused = pace.take(Errand::Read, 1, Some(298), at(1)).unwrap_err();
    assert_eq!((refused.until, refused.why), (at(60), WaitReason::Hour));
    assert_eq!(pace.take(Errand::Launch, POST, Some(298), at(1)), Ok(()));
    assert_eq!(
        why(pace.take(Errand::Launch, POST, Some(99), at(1))),
        WaitReason::Hour
    );
    assert_eq!(pace.take(Errand::Rerun, POST, Some(1), at(1)), Ok(()));
    assert_eq!(pace.take(Errand::Read, 1, Some(298), at(60)), Ok(()));
}

#[test]
fn a_request_that_costs_more_than_the_allowance_passes_when_nothing_else_was_spent() {
    let mut pace = GitHubPace::default();
    assert_eq!(pace.take(Errand::Read, 2_000, None, at(0)), Ok(()));
    pace.ended(GitHubAnswer::Answered, at(0));
    let refused = pace.take(Errand::Read, 2_000, None, at(1)).unwrap_err();
    assert_eq!((refused.until, refused.why), (at(60), WaitReason::Points));
}

fn errand() -> impl Strategy<Value = Errand> {
    prop::sample::select(&Errand::ALL[..])
}

fn answer() -> impl Strategy<Value = GitHubAnswer> {
    prop_oneof![
        20 => Just(GitHubAnswer::Answered),
        1 => (0..200_i64).prop_map(|wait| GitHubAnswer::Limited(secs(wait))),
        2 => Just(GitHubAnswer::Lost),
    ]
}

proptest! {
    #[test]
    fn no_minute_sees_more_points_than_github_allows(
        asked in prop::collection::vec((0..3_i64, errand(), 1..6_u32, answer()), 1..2_000),
    ) {
        let mut pace = GitHubPace::default();
        let mut now = 0;
        let mut spent: Vec<(i64, u32)> = Vec::new();
        for (pause, errand, points, answer) in asked {
            now += pause;
            if pace.take(errand, points, None, at(now)).is_ok() {
                spent.push((now, points));
                pace.ended(answer, at(now));
            }
            let minute = spent.iter().filter(|(at, _)| now - at < 60);
            prop_assert!(minute.map(|(_, points)| points).sum::<u32>() <= POINTS_A_MINUTE);
        }
    }

    #[test]
    fn whoever_comes_again_when_told_to_is_let_through_before_long(
        asked in prop::collection::vec((0..3_i64, errand(), 1..6_u32, answer()), 1..500),
        errand in errand(),
    ) {
        let mut pace = GitHubPace::default();
        let mut now = at(0);
        for (pause, errand, points, answer) in asked {
            now = after(now, secs(pause));
            if pace.take(errand, points, None, now).is_ok() {
                pace.ended(answer, now);
            }
        }
        let mut tries = 0;
        while let Err(refused) = pace.take(errand, POST, None, now) {
            prop_assert!(refused.until > now);
            now = refused.until;
            tries += 1;
            prop_assert!(tries < 5);
        }
    }

    #[test]
    fn whatever_a_later_errand_may_do_an_earlier_one_may_too(
        asked in prop::collection::vec((0..3_i64, errand(), 1..6_u32, answer()), 1..500),
        left in prop::option::of(0..1_000_u64),
    ) {
        let mut pace = GitHubPace::default();
        let mut now = 0;
        for (pause, errand, points, answer) in asked {
            now += pause;
            let may = Errand::ALL.map(|one| pace.clone().take(one, points, left, at(now)).is_ok());
            prop_assert!(may.is_sorted_by(|earlier, later| earlier >= later), "{may:?}");
            if pace.take(errand, points, left, at(now)).is_ok() {
                pace.ended(answer, at(now));
            }
        }
    }
}
