//! Each row of the decision: what was seen, when, and what is done.

use super::*;

const LIMITS: Limits = Limits {
    idle: SignedDuration::from_mins(10),
    linger: SignedDuration::from_mins(3),
};

fn at(seconds: i64) -> Timestamp {
    after(Timestamp::UNIX_EPOCH, SignedDuration::from_secs(seconds))
}

/// Goes on as a caretaker does: `seen` tells what each look shows. Ends at the first thing that is not looking
/// and waiting, with the second at which it came and the number of looks.
fn until_something(tenure: &mut Tenure, from: i64, seen: impl Fn(i64) -> Sight) -> (Due, i64, u32) {
    let (mut second, mut looks) = (from, 0);
    loop {
        match tenure.due(at(second)) {
            Due::Look => {
                looks += 1;
                tenure.see(seen(second), at(second));
            }
            Due::Wait(until) => {
                assert!(until > at(second), "it makes no progress");
                second = until.duration_since(at(0)).as_secs();
            }
            other @ (Due::WaitForEnd | Due::End(_) | Due::Leave(_)) => {
                return (other, second, looks);
            }
        }
    }
}

#[test]
fn a_runner_that_never_comes_is_left_after_the_idle_limit() {
    let mut tenure = Tenure::started(LIMITS, at(0));
    let (due, second, _) = until_something(&mut tenure, 0, |_| Sight::Nothing);
    assert_eq!((due, second), (Due::Leave(Why::NeverSeen), 600));
}

#[test]
fn an_idle_runner_is_asked_to_end_after_the_limit_and_left_when_it_is_gone() {
    let mut tenure = Tenure::started(LIMITS, at(0));
    let (due, second, looks) = until_something(&mut tenure, 0, |_| Sight::Idle);
    assert_eq!((due, second), (Due::End(Manner::Ask), 600));
    assert!(looks <= 42, "{looks} looks cost CPU");
    tenure.asked(at(600));
    let ending = |second| {
        if second < 605 {
            Sight::Idle
        } else {
            Sight::Nothing
        }
    };
    let (due, second, _) = until_something(&mut tenure, 600, ending);
    assert_eq!((due, second), (Due::Leave(Why::NoJob), 605));
}

#[test]
fn a_runner_that_does_not_end_is_asked_each_minute_then_killed_and_never_left() {
    let mut tenure = Tenure::started(LIMITS, at(0));
    let (first, mut second, _) = until_something(&mut tenure, 0, |_| Sight::Idle);
    let mut manners = vec![first];
    for _ in 0..6 {
        tenure.asked(at(second));
        let (due, next, _) = until_something(&mut tenure, second, |_| Sight::Idle);
        assert_eq!(next - second, 60);
        manners.push(due);
        second = next;
    }
    let (ask, kill) = (Due::End(Manner::Ask), Due::End(Manner::Kill));
    assert_eq!(manners, [ask, ask, ask, ask, ask, kill, kill]);
}

#[test]
fn a_job_that_began_at_the_last_moment_is_waited_for() {
    let mut tenure = Tenure::started(LIMITS, at(0));
    let late = |second| {
        if second < 600 {
            Sight::Idle
        } else {
            Sight::Busy
        }
    };
    let (due, ..) = until_something(&mut tenure, 0, late);
    assert_eq!(due, Due::WaitForEnd);
    let mut tenure = Tenure::started(LIMITS, at(0));
    let _ = until_something(&mut tenure, 0, |_| Sight::Idle);
    tenure.asked(at(600));
    let (due, ..) = until_something(&mut tenure, 600, |_| Sight::Busy);
    assert_eq!(due, Due::WaitForEnd);
}

#[test]
fn nobody_looks_while_a_job_runs() {
    let mut tenure = Tenure::started(LIMITS, at(0));
    tenure.see(Sight::Busy, at(30));
    for hour in 0..100 {
        assert_eq!(tenure.due(at(hour * 3600)), Due::WaitForEnd);
    }
    // Its Listener outlives its Worker by a moment.
    tenure.see(Sight::Idle, at(400_000));
    assert_eq!(tenure.due(at(400_000)), Due::WaitForEnd);
}

#[test]
fn a_runner_that_is_gone_is_left_after_the_controller_had_its_time() {
    for (before, why) in [(Sight::Busy, Why::AfterJob), (Sight::Idle, Why::EndedIdle)] {
        let mut tenure = Tenure::started(LIMITS, at(0));
        tenure.see(before, at(10));
        tenure.see(Sight::Nothing, at(100));
        let (due, second, _) = until_something(&mut tenure, 100, |_| Sight::Nothing);
        assert_eq!((due, second), (Due::Leave(why), 280));
    }
}

#[test]
fn a_runner_that_comes_back_after_its_update_is_no_runner_that_is_gone() {
    let mut tenure = Tenure::started(LIMITS, at(0));
    tenure.see(Sight::Idle, at(10));
    tenure.see(Sight::Nothing, at(25));
    let back = |second| {
        if second < 60 {
            Sight::Nothing
        } else {
            Sight::Busy
        }
    };
    let (due, second, _) = until_something(&mut tenure, 25, back);
    assert_eq!(due, Due::WaitForEnd);
    assert!(second <= 75);
}

#[test]
fn without_a_runner_there_is_nothing_to_wait_for_but_somebody_looks() {
    let mut tenure = Tenure::never_started(LIMITS, at(0));
    let (due, second, looks) = until_something(&mut tenure, 0, |_| Sight::Nothing);
    assert_eq!((due, second, looks), (Due::Leave(Why::NotStarted), 0, 1));
    let mut tenure = Tenure::never_started(LIMITS, at(0));
    let (due, ..) = until_something(&mut tenure, 0, |_| Sight::Busy);
    assert_eq!(due, Due::WaitForEnd);
}

#[test]
fn a_runner_elsewhere_keeps_the_machine_and_is_looked_at_now_and_again() {
    let until = |end| {
        move |second| {
            if second < end {
                Sight::Elsewhere
            } else {
                Sight::Nothing
            }
        }
    };
    let mut tenure = Tenure::started(LIMITS, at(0));
    let (due, second, looks) = until_something(&mut tenure, 0, until(4000));
    assert_eq!(due, Due::Leave(Why::NeverSeen));
    assert!((4180..=4195).contains(&second), "{second}");
    assert!(looks <= 121 + 240, "{looks} looks cost CPU");
    let mut tenure = Tenure::never_started(LIMITS, at(0));
    let (due, second, _) = until_something(&mut tenure, 0, until(90));
    assert_eq!((due, second), (Due::Leave(Why::NotStarted), 270));
}

#[test]
fn nothing_is_left_without_a_last_look_that_showed_nothing() {
    // The look at the deadline itself finds a job.
    let mut tenure = Tenure::started(LIMITS, at(0));
    let late = |second| {
        if second < 600 {
            Sight::Nothing
        } else {
            Sight::Busy
        }
    };
    let (due, second, _) = until_something(&mut tenure, 0, late);
    assert_eq!((due, second), (Due::WaitForEnd, 600));
}
