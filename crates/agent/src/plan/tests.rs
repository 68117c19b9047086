use super::*;
use crate::processes::tree::TreeEnd;
use crate::processes::{Process, SignalFailure};
use crate::remaining::NOTICE_SPAN;
use crate::settings::NoticeSpan;

fn secs(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

fn settings(end_job: EndJob) -> InterruptionSettings {
    InterruptionSettings {
        end_job,
        ..InterruptionSettings::default()
    }
}

/// A job that runs, in the middle of a notice that leaves two minutes; hooks are over.
fn facts(elapsed: i64) -> Facts<'static> {
    Facts {
        action: &Action::Terminate,
        remaining: Remaining {
            span: NOTICE_SPAN,
            standing: Standing::Ahead,
        },
        present: true,
        elapsed: secs(elapsed),
        hooks_begun: true,
    }
}

const BUSY: Stand = Stand {
    activity: Activity::Busy,
    step: Step::Untouched,
    told: false,
};

fn fail_step(facts: &Facts<'_>) -> Due {
    due(&settings(EndJob::FailStep), facts)
}

/// What is due for a runner with that stand, with usual settings.
fn of(facts: &Facts<'_>, stand: &Stand) -> RunnerDue {
    assert_eq!(fail_step(facts), Due::TendRunners);
    runner_due(&settings(EndJob::FailStep), facts, stand)
}

#[test]
fn hooks_run_first_and_have_the_time_until_the_job_is_ended() {
    let begin = Facts {
        hooks_begun: false,
        ..facts(1)
    };
    assert_eq!(fail_step(&begin), Due::RunHooks(secs(74)));
    let stop_runner = due(&settings(EndJob::StopRunner), &begin);
    assert_eq!(stop_runner, Due::RunHooks(secs(74)));
    let none = due(&settings(EndJob::None), &begin);
    assert_eq!(none, Due::RunHooks(secs(114)), "as long as a tag is tried");
    let late = Facts {
        hooks_begun: false,
        ..facts(80)
    };
    assert_eq!(fail_step(&late), Due::RunHooks(secs(0)));
}

#[test]
fn a_job_may_finish_until_45_seconds_before_the_end() {
    assert_eq!(of(&facts(1), &BUSY), RunnerDue::Wait(LOOK_EVERY));
    let just_before = Facts {
        elapsed: SignedDuration::from_millis(74_900),
        ..facts(0)
    };
    let rest = SignedDuration::from_millis(100);
    assert_eq!(of(&just_before, &BUSY), RunnerDue::Wait(rest));
    assert_eq!(of(&facts(75), &BUSY), RunnerDue::FailStep);
    let chosen = runner_due(&settings(EndJob::StopRunner), &facts(75), &BUSY);
    assert_eq!(chosen, RunnerDue::Stop(Stop::Chosen));
}

#[test]
fn the_deadlines_are_the_settings() {
    let settings = InterruptionSettings {
        finish_until: NoticeSpan::try_from(secs(90)).expect("a span"),
        stop_runner_at: NoticeSpan::try_from(secs(60)).expect("a span"),
        ..InterruptionSettings::default()
    };
    let at = |elapsed| runner_due(&settings, &facts(elapsed), &BUSY);
    assert_eq!(at(29), RunnerDue::Wait(LOOK_EVERY));
    assert_eq!(at(30), RunnerDue::FailStep);
    assert_eq!(at(60), RunnerDue::Stop(Stop::LastDeadline));
}

#[test]
fn a_step_is_ended_once_and_the_runner_20_seconds_before_the_end() {
    let ended = Stand {
        step: Step::Ended,
        ..BUSY
    };
    assert_eq!(of(&facts(76), &ended), RunnerDue::Wait(LOOK_EVERY));
    let last = RunnerDue::Stop(Stop::LastDeadline);
    assert_eq!(of(&facts(100), &ended), last);
    let told = Stand {
        told: true,
        ..ended
    };
    assert_eq!(of(&facts(101), &told), RunnerDue::Wait(LOOK_EVERY));
}

#[test]
fn a_step_that_is_left_to_its_runner_has_it_told_until_it_hears() {
    for why in [Stop::Unclear(Unclear::Container), Stop::Resumed] {
        let left = Stand {
            step: Step::LeftToRunner(why),
            ..BUSY
        };
        assert_eq!(of(&facts(76), &left), RunnerDue::Stop(why));
        assert_eq!(of(&facts(90), &left), RunnerDue::Stop(why));
    }
}

#[test]
fn what_becomes_of_a_step_says_what_is_to_come() {
    let unclear = |why| Some(Step::LeftToRunner(Stop::Unclear(why)));
    let after = |end: StepEnd, lives, seconds| after_try(&end, lives, secs(seconds));
    let tree = |left: &[Process], failure| {
        StepEnd::Ended(TreeEnd {
            processes: 1,
            killed: 0,
            left: left.to_vec(),
            failure,
        })
    };
    let denied = Some(SignalFailure {
        pid: 7,
        errno: rustix::io::Errno::PERM,
    });
    let process = Process { pid: 7, started: 1 };
    assert_eq!(after(tree(&[], None), true, 0), Some(Step::Ended));
    let not_allowed = after(tree(&[process], denied), true, 0);
    assert_eq!(not_allowed, unclear(Unclear::NotAllowed));
    let container = after(StepEnd::Unclear(Unclear::Container), true, 0);
    assert_eq!(container, unclear(Unclear::Container));
    assert_eq!(after(StepEnd::NoStep, false, 0), Some(Step::Ended));
    assert_eq!(after(StepEnd::NoStep, true, 2), None);
    assert_eq!(after(StepEnd::NoStep, true, 3), unclear(Unclear::NoStep));
}

#[test]
fn a_hook_has_its_own_limit_and_what_is_left_for_all() {
    let time = |left| hook_time(&InterruptionSettings::default(), secs(left));
    assert_eq!(time(74), Some(secs(30)));
    assert_eq!(time(10), Some(secs(10)));
    assert_eq!(time(0), None);
    assert_eq!(time(-5), None);
}

#[test]
fn a_notice_that_is_seen_late_ends_the_job_at_once() {
    let late = |span, elapsed| Facts {
        remaining: Remaining {
            span: secs(span),
            standing: Standing::Ahead,
        },
        ..facts(elapsed)
    };
    assert_eq!(of(&late(40, 0), &BUSY), RunnerDue::FailStep);
    assert_eq!(of(&late(90, 0), &BUSY), RunnerDue::Wait(LOOK_EVERY));
    let last = RunnerDue::Stop(Stop::LastDeadline);
    assert_eq!(of(&late(15, 0), &BUSY), last);
}

#[test]
fn a_time_that_nobody_knows_never_ends_a_job_before_the_promised_two_minutes() {
    let unknown = |elapsed| Facts {
        remaining: Remaining {
            span: NOTICE_SPAN,
            standing: Standing::Unknown,
        },
        ..facts(elapsed)
    };
    assert_eq!(of(&unknown(74), &BUSY), RunnerDue::Wait(LOOK_EVERY));
    assert_eq!(of(&unknown(75), &BUSY), RunnerDue::FailStep);
}

#[test]
fn a_machine_that_outlives_its_notice_is_left_alone() {
    assert_eq!(fail_step(&facts(719)), Due::TendRunners);
    assert_eq!(fail_step(&facts(720)), Due::Leave(Leave::Stale));
}

#[test]
fn a_stale_notice_ends_no_job_and_runs_no_hooks() {
    for elapsed in [0, 75, 119, 5000] {
        let stale = Facts {
            remaining: Remaining {
                span: NOTICE_SPAN,
                standing: Standing::Stale,
            },
            hooks_begun: false,
            ..facts(elapsed)
        };
        assert_eq!(fail_step(&stale), Due::Leave(Leave::Stale));
    }
}

#[test]
fn a_notice_that_is_gone_ends_no_job() {
    let gone = Facts {
        present: false,
        ..facts(80)
    };
    assert_eq!(fail_step(&gone), Due::Leave(Leave::Gone));
}

#[test]
fn a_hibernation_leaves_everything_alone() {
    for elapsed in [0, 75, 110] {
        let hibernates = Facts {
            action: &Action::Hibernate,
            hooks_begun: false,
            ..facts(elapsed)
        };
        assert_eq!(fail_step(&hibernates), Due::Leave(Leave::Hibernates));
    }
}

#[test]
fn a_stop_and_an_action_of_tomorrow_are_like_a_termination() {
    for action in [Action::Stop, Action::Other("evict".to_owned())] {
        let facts = Facts {
            action: &action,
            ..facts(75)
        };
        assert_eq!(of(&facts, &BUSY), RunnerDue::FailStep);
    }
}

#[test]
fn with_none_the_job_is_left_to_its_fate() {
    for elapsed in [0, 75, 110] {
        let due = due(&settings(EndJob::None), &facts(elapsed));
        assert_eq!(due, Due::Leave(Leave::Chosen));
    }
}

#[test]
fn a_runner_without_a_job_is_stopped_before_it_takes_one() {
    let idle = |seconds| Stand {
        activity: Activity::Idle(secs(seconds)),
        ..BUSY
    };
    assert_eq!(of(&facts(5), &idle(0)), RunnerDue::Wait(LOOK_EVERY));
    assert_eq!(of(&facts(5), &idle(2)), RunnerDue::Stop(Stop::Idle));
}

#[test]
fn what_a_step_has_started_does_not_hold_up_the_last_deadline() {
    let mut settings = settings(EndJob::FailStep);
    assert_eq!(step_grace(&settings, &facts(75)), secs(3));
    settings.step_grace = secs(60).try_into().expect("a time");
    // The runner is told to stop at 100 s, and the killed may take two to be gone.
    assert_eq!(step_grace(&settings, &facts(75)), secs(23));
    assert_eq!(step_grace(&settings, &facts(99)), secs(0));
}
