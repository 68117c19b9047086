use super::*;
use crate::samples::at;

const RULES: RedeliverRules = RedeliverRules {
    every: SignedDuration::from_mins(5),
    within: SignedDuration::from_hours(72),
    tries: 2,
};

/// The n-th attempt to deliver `name`, `seconds` after the beginning.
fn attempt(name: &str, id: u64, seconds: i64, arrived: bool) -> HookAttempt {
    HookAttempt {
        id: HookAttemptId(id),
        delivery: DeliveryId::new(name),
        at: at(seconds),
        redelivery: false,
        arrived,
        event: HookEvent::JobCompleted,
    }
}

fn failed(name: &str, id: u64, seconds: i64) -> HookAttempt {
    attempt(name, id, seconds, false)
}

fn again(name: &str, id: u64, seconds: i64, arrived: bool) -> HookAttempt {
    HookAttempt {
        redelivery: true,
        ..attempt(name, id, seconds, arrived)
    }
}

/// The last page of a list, newest first.
fn page(attempts: Vec<HookAttempt>) -> HookPage {
    HookPage {
        attempts,
        next: None,
    }
}

/// What was read in one reading of a list with one page.
fn having_read(attempts: Vec<HookAttempt>, now: i64) -> Deliveries {
    let mut deliveries = Deliveries::default();
    read_again(&mut deliveries, attempts, now);
    deliveries
}

fn read_again(deliveries: &mut Deliveries, attempts: Vec<HookAttempt>, now: i64) {
    deliveries.begin(&RULES, at(now));
    assert_eq!(deliveries.next(&RULES, at(now)), Step::Read(None));
    deliveries.read(page(attempts), true);
}

/// Asks for everything that may be asked for, and tells what that was and why it rests.
fn ask_all(deliveries: &mut Deliveries, now: i64) -> (Vec<u64>, RestReason) {
    let mut asked = Vec::new();
    loop {
        match deliveries.next(&RULES, at(now)) {
            Step::Ask(order) => {
                asked.push(order.attempt.0);
                deliveries.asking(&order, at(now));
                deliveries.answered(&order, &RedeliveryAnswer::Accepted, None, at(now));
            }
            Step::Rest { why, .. } => return (asked, why),
            other @ (Step::Read(_) | Step::GiveUp(_)) => panic!("{other:?}"),
        }
    }
}

/// Something that arrived after all others: the address is up.
fn up(seconds: i64) -> HookAttempt {
    attempt(
        "up",
        1_000 + u64::try_from(seconds).expect("positive"),
        seconds,
        true,
    )
}

#[test]
fn what_failed_is_asked_for_once_and_what_arrived_is_not() {
    let list = vec![up(50), failed("b", 2, 20), attempt("a", 1, 10, true)];
    let mut deliveries = having_read(list, 60);
    assert_eq!(deliveries.open(), 1);
    assert_eq!(
        ask_all(&mut deliveries, 60),
        (vec![2], RestReason::TooEarly)
    );
    read_again(&mut deliveries, vec![again("b", 3, 70, true)], 360);
    assert_eq!(deliveries.open(), 0);
    assert_eq!(
        ask_all(&mut deliveries, 360),
        (vec![], RestReason::NothingOpen)
    );
}

#[test]
fn what_arrived_is_kept_in_mind_no_longer_than_the_list_is_read() {
    let list = vec![again("a", 2, 20, true), failed("a", 1, 10)];
    let mut deliveries = having_read(list.clone(), 60);
    assert_eq!(deliveries.stories.len(), 1);
    deliveries.begin(&RULES, at(360));
    assert!(deliveries.stories.is_empty());
    deliveries.read(page(list), true);
    assert_eq!(deliveries.open(), 0, "the next reading tells it again");
}

#[test]
fn a_failure_that_somebody_had_delivered_since_is_done_also_after_a_restart() {
    let list = vec![again("a", 2, 20, true), failed("a", 1, 10)];
    let mut deliveries = having_read(list, 60);
    assert_eq!(
        ask_all(&mut deliveries, 60),
        (vec![], RestReason::NothingOpen)
    );
}

#[test]
fn the_newest_attempt_is_what_is_asked_for() {
    let list = vec![up(900), again("a", 2, 20, false), failed("a", 1, 10)];
    let mut deliveries = having_read(list, 1_000);
    assert_eq!(ask_all(&mut deliveries, 1_000).0, [2]);
}

#[test]
fn what_was_asked_for_and_does_not_show_yet_is_not_asked_for_again_for_ten_minutes() {
    let mut deliveries = having_read(vec![up(50), failed("a", 1, 10)], 60);
    assert_eq!(ask_all(&mut deliveries, 60).0, [1]);
    read_again(&mut deliveries, vec![up(50), failed("a", 1, 10)], 360);
    assert_eq!(ask_all(&mut deliveries, 360).0, [0; 0]);
    assert_eq!(ask_all(&mut deliveries, 659).0, [0; 0]);
    assert_eq!(ask_all(&mut deliveries, 660).0, [1]);
}

#[test]
fn after_its_tries_a_delivery_is_given_up_once() {
    let list = vec![
        up(9_000),
        again("a", 3, 3_000, false),
        again("a", 2, 20, false),
        failed("a", 1, 10),
    ];
    let mut deliveries = having_read(list, 9_060);
    let given_up = GivenUp {
        delivery: DeliveryId::new("a"),
        event: HookEvent::JobCompleted,
        tries: 2,
        why: GiveUpReason::TriesUsedUp,
    };
    assert_eq!(
        deliveries.next(&RULES, at(9_060)),
        Step::GiveUp(given_up.clone())
    );
    deliveries.gave_up(&given_up);
    assert_eq!(
        ask_all(&mut deliveries, 9_060),
        (vec![], RestReason::NothingOpen)
    );
}

#[test]
fn a_refusal_gives_a_delivery_up() {
    let mut deliveries = having_read(vec![up(50), failed("a", 1, 10)], 60);
    let Step::Ask(order) = deliveries.next(&RULES, at(60)) else {
        panic!("it failed");
    };
    let message = "Not Found".to_owned();
    deliveries.asking(&order, at(60));
    deliveries.answered(&order, &RedeliveryAnswer::Refused { message }, None, at(60));
    let Step::GiveUp(given_up) = deliveries.next(&RULES, at(60)) else {
        panic!("it is refused");
    };
    assert_eq!(given_up.why, GiveUpReason::Refused);
}

#[test]
fn what_becomes_too_old_is_given_up_and_not_forgotten_silently() {
    let mut deliveries = having_read(vec![failed("b", 2, 20), failed("a", 1, 10)], 60);
    assert_eq!(
        ask_all(&mut deliveries, 60),
        (vec![1], RestReason::AddressDown)
    );
    let late = 72 * 3_600 + 30;
    deliveries.begin(&RULES, at(late));
    deliveries.read(page(Vec::new()), true);
    let Step::GiveUp(given_up) = deliveries.next(&RULES, at(late)) else {
        panic!("it is too old");
    };
    assert_eq!(given_up.why, GiveUpReason::TooOld);
}

#[test]
fn while_the_address_is_down_one_delivery_at_a_time_tries_it() {
    let list = vec![failed("c", 3, 30), failed("b", 2, 20), failed("a", 1, 10)];
    let mut deliveries = having_read(list, 60);
    assert_eq!(
        ask_all(&mut deliveries, 60),
        (vec![1], RestReason::AddressDown)
    );
    read_again(&mut deliveries, vec![again("a", 4, 65, false)], 360);
    assert_eq!(
        ask_all(&mut deliveries, 360),
        (vec![2], RestReason::AddressDown)
    );
    read_again(&mut deliveries, vec![again("b", 5, 365, true)], 660);
    assert_eq!(
        ask_all(&mut deliveries, 660),
        (vec![3, 4], RestReason::TooEarly)
    );
}

#[test]
fn redeliveries_that_fail_are_asked_for_after_ever_longer_pauses() {
    let rules = RedeliverRules { tries: 9, ..RULES };
    let mut deliveries = having_read(vec![up(5), failed("a", 1, 0)], 10);
    let mut waits = Vec::new();
    let (mut asked_at, mut last) = (10, 1);
    for now in (10..20_000).step_by(30) {
        deliveries.begin(&rules, at(now));
        let list = vec![up(now), again("a", last, asked_at, false)];
        deliveries.read(page(if last == 1 { vec![up(now)] } else { list }), true);
        if let Step::Ask(order) = deliveries.next(&rules, at(now)) {
            deliveries.asking(&order, at(now));
            deliveries.answered(&order, &RedeliveryAnswer::Accepted, None, at(now));
            waits.push((now - asked_at) / 60);
            (asked_at, last) = (now, last + 1);
        }
    }
    assert_eq!(waits[..5], [0, 5, 15, 45, 60]);
}

#[test]
fn queued_jobs_go_first_and_runs_last_and_each_kind_by_age() {
    let of = |event, attempt| HookAttempt { event, ..attempt };
    let list = vec![
        up(50),
        of(HookEvent::JobQueued, failed("e", 5, 40)),
        of(HookEvent::Other, failed("d", 4, 35)),
        of(HookEvent::JobCompleted, failed("c", 3, 30)),
        of(HookEvent::JobCompleted, failed("b", 2, 20)),
        of(HookEvent::RunCompleted, failed("a", 1, 10)),
    ];
    let mut deliveries = having_read(list.clone(), 60);
    assert_eq!(ask_all(&mut deliveries, 60).0, [5, 2, 3, 1]);

    let mut foreign = Deliveries::default();
    foreign.begin(&RULES, at(60));
    foreign.read(page(list), false);
    assert_eq!(
        ask_all(&mut foreign, 60).0,
        [2, 3, 1],
        "without a fleet a queued job is nobody's"
    );
}

#[test]
fn thirty_are_asked_for_at_once_and_the_rest_follows_soon() {
    let many = (1..=40).rev().map(|id| failed(&format!("n{id}"), id, 10));
    let list = std::iter::once(up(50)).chain(many).collect();
    let mut deliveries = having_read(list, 60);
    let (asked, why) = ask_all(&mut deliveries, 60);
    assert_eq!((asked.len(), why), (30, RestReason::AskedEnough));
    let rest = deliveries.next(&RULES, at(60));
    assert_eq!(
        rest,
        Step::Rest {
            why: RestReason::AskedEnough,
            until: at(60)
        }
    );
    deliveries.begin(&RULES, at(120));
    let (asked, why) = ask_all(&mut deliveries, 120);
    assert_eq!((asked.len(), why), (10, RestReason::TooEarly));
}

#[test]
fn a_limit_ends_the_asking_for_now() {
    let list = vec![up(50), failed("b", 2, 20), failed("a", 1, 10)];
    let mut deliveries = having_read(list, 60);
    let Step::Ask(order) = deliveries.next(&RULES, at(60)) else {
        panic!("it failed");
    };
    let wait = Some(SignedDuration::from_secs(90));
    deliveries.asking(&order, at(60));
    deliveries.answered(&order, &RedeliveryAnswer::NotNow, wait, at(60));
    let why = RestReason::Limited;
    let until = at(150);
    assert_eq!(deliveries.next(&RULES, at(60)), Step::Rest { why, until });
    deliveries.begin(&RULES, at(150));
    assert_eq!(ask_all(&mut deliveries, 150).0, [1, 2]);
}

#[test]
fn the_list_is_read_back_to_ten_minutes_before_the_last_reading_began() {
    let mut deliveries = having_read(vec![up(50)], 1_000);
    deliveries.begin(&RULES, at(1_300));
    let next = |n: u64| HookPage {
        attempts: vec![up(1_300 - i64::try_from(n * 300).expect("small"))],
        next: Some(HookCursor::new(n.to_string())),
    };
    let mut cursors = Vec::new();
    while let Step::Read(cursor) = deliveries.next(&RULES, at(1_300)) {
        cursors.push(cursor.map(|cursor| cursor.to_string()));
        deliveries.read(next(u64::try_from(cursors.len()).expect("small")), true);
    }
    let named = |name: &str| Some(name.to_owned());
    assert_eq!(cursors, [None, named("1"), named("2"), named("3")]);
}

#[test]
fn a_long_list_is_read_over_several_turns_its_newest_part_first() {
    let mut deliveries = Deliveries::default();
    deliveries.begin(&RULES, at(100_000));
    let page = |oldest, next: &str| HookPage {
        attempts: vec![up(oldest)],
        next: Some(HookCursor::new(next)),
    };
    let mut read = 0;
    while let Step::Read(_) = deliveries.next(&RULES, at(100_000)) {
        read += 1;
        deliveries.read(page(100_000 - read, &format!("first {read}")), true);
    }
    assert_eq!(read, 30);
    assert_eq!(ask_all(&mut deliveries, 100_000).1, RestReason::ReadEnough);
    deliveries.begin(&RULES, at(100_300));
    assert_eq!(deliveries.next(&RULES, at(100_300)), Step::Read(None));
    deliveries.read(page(90_000, "newer"), true);
    let older = Some(HookCursor::new("first 30"));
    assert_eq!(deliveries.next(&RULES, at(100_300)), Step::Read(older));
}

#[test]
fn a_server_that_never_gets_on_is_not_followed() {
    let mut deliveries = Deliveries::default();
    deliveries.begin(&RULES, at(60));
    let same = || HookPage {
        attempts: vec![up(50)],
        next: Some(HookCursor::new("same")),
    };
    deliveries.read(same(), true);
    deliveries.read(same(), true);
    assert_eq!(ask_all(&mut deliveries, 60).1, RestReason::NothingOpen);
}
