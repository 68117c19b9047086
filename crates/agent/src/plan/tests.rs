use super::*;
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
        job_ended: None,
        runner: Activity::Busy,
    }
}

fn fail_step(facts: &Facts<'_>) -> Due {
    due(&settings(EndJob::FailStep), facts)
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
    assert_eq!(fail_step(&facts(1)), Due::Wait(LOOK_EVERY));
    let just_before = Facts {
        elapsed: SignedDuration::from_millis(74_900),
        ..facts(0)
    };
    let rest = SignedDuration::from_millis(100);
    assert_eq!(fail_step(&just_before), Due::Wait(rest));
    assert_eq!(fail_step(&facts(75)), Due::FailStep);
    let chosen = due(&settings(EndJob::StopRunner), &facts(75));
    assert_eq!(chosen, Due::StopRunner(Stop::Chosen));
}

#[test]
fn the_deadlines_are_the_settings() {
    let settings = InterruptionSettings {
        finish_until: NoticeSpan::try_from(secs(90)).expect("a span"),
        stop_runner_at: NoticeSpan::try_from(secs(60)).expect("a span"),
        ..InterruptionSettings::default()
    };
    assert_eq!(due(&settings, &facts(29)), Due::Wait(LOOK_EVERY));
    assert_eq!(due(&settings, &facts(30)), Due::FailStep);
    assert_eq!(
        due(&settings, &facts(60)),
        Due::StopRunner(Stop::LastDeadline)
    );
}

#[test]
fn a_step_is_ended_once_and_the_runner_20_seconds_before_the_end() {
    let ended = |elapsed| Facts {
        job_ended: Some(Ending::FailStep),
        ..facts(elapsed)
    };
    assert_eq!(fail_step(&ended(76)), Due::Wait(LOOK_EVERY));
    assert_eq!(fail_step(&ended(100)), Due::StopRunner(Stop::LastDeadline));
    let stopped = Facts {
        job_ended: Some(Ending::StopRunner),
        ..facts(101)
    };
    assert_eq!(fail_step(&stopped), Due::Leave(Leave::Stopped));
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
    assert_eq!(fail_step(&late(40, 0)), Due::FailStep);
    assert_eq!(fail_step(&late(90, 0)), Due::Wait(LOOK_EVERY));
    assert_eq!(fail_step(&late(15, 0)), Due::StopRunner(Stop::LastDeadline));
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
    assert_eq!(fail_step(&unknown(74)), Due::Wait(LOOK_EVERY));
    assert_eq!(fail_step(&unknown(75)), Due::FailStep);
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
        assert_eq!(fail_step(&facts), Due::FailStep);
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
fn with_nothing_running_there_is_nothing_to_end() {
    for elapsed in [0, 75, 110] {
        let absent = Facts {
            runner: Activity::Absent,
            ..facts(elapsed)
        };
        assert_eq!(fail_step(&absent), Due::Wait(LOOK_EVERY));
    }
}

#[test]
fn a_runner_without_a_job_is_stopped_before_it_takes_one() {
    let idle = |seconds| Facts {
        runner: Activity::Idle(secs(seconds)),
        ..facts(5)
    };
    assert_eq!(fail_step(&idle(0)), Due::Wait(LOOK_EVERY));
    assert_eq!(fail_step(&idle(2)), Due::StopRunner(Stop::Idle));
}
