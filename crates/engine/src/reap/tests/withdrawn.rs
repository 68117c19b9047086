//! Whose runner is taken out of GitHub before it is ended, and what is ended whatever nobody can tell.

use reprise_model::reason::EndReason;

use super::*;

const DAY: i64 = 24 * HOUR;

/// Any run's job may take it, its own was cancelled before it began, and its run goes on.
fn unbound() -> House {
    let mut house = House::read();
    house.list(1, vec![never_ran(job(1, "build"))]);
    let mut claim = claim();
    claim.runner_labels = vec!["runs-on=linux/family=c7a".to_owned()];
    house.claim = Some(claim);
    house.run = Some(Run {
        status: RunStatus::InProgress,
        ..run()
    });
    house.runner = RunnerWords::Unasked;
    house
}

fn with(house: &House, runner: RunnerWords) -> House {
    House {
        runner,
        ..house.clone()
    }
}

#[test]
fn an_idle_instance_of_any_runs_is_ended_once_its_runner_is_out_of_github() {
    let house = unbound();
    let idle = LAUNCHED + 15 * MINUTE;
    assert_eq!(
        house.at(idle - 1),
        Reap::Keep(KeepReason::MayServeAnotherRun)
    );
    assert_eq!(house.at(idle), Reap::Ask(Question::Withdraw));
    let said = |runner| with(&house, runner).at(idle);
    assert_eq!(said(RunnerWords::Gone), Reap::End(EndReason::NeverNeeded));
    assert_eq!(said(RunnerWords::Busy), Reap::Keep(KeepReason::RunnerBusy));
    assert_eq!(
        said(RunnerWords::NotNow),
        Reap::Keep(KeepReason::RunnerNotAsked)
    );
    assert_eq!(
        said(RunnerWords::Unknown),
        Reap::Keep(KeepReason::MayServeAnotherRun)
    );
}

#[test]
fn one_of_any_runs_whose_job_another_runner_has_is_ended_likewise() {
    let mut house = unbound();
    house.list(1, vec![running_elsewhere(job(1, "build"))]);
    let idle = LAUNCHED + 15 * MINUTE;
    assert_eq!(house.at(idle), Reap::Ask(Question::Withdraw));
    house.runner = RunnerWords::Gone;
    assert_eq!(house.at(idle), Reap::End(EndReason::JobTakenElsewhere));
}

#[test]
fn one_of_any_runs_is_left_to_its_own_job_for_an_hour() {
    let mut house = unbound();
    let mut own = waiting(job(1, "build"));
    own.labels = vec!["runs-on=linux/family=c7a".to_owned()];
    house.list(1, vec![own]);
    assert_eq!(house.at(90 + HOUR - 1), Reap::Keep(KeepReason::JobWaits));
    assert_eq!(house.at(90 + HOUR), Reap::Ask(Question::Withdraw));
    house.runner = RunnerWords::Gone;
    assert_eq!(house.at(90 + HOUR), Reap::End(EndReason::NeverRan));
}

#[test]
fn a_runner_that_took_a_job_between_the_read_and_the_end_keeps_its_instance() {
    let mut house = House::read();
    house.list(1, vec![elsewhere(job(1, "build"))]);
    house.runner = RunnerWords::Unasked;
    assert_eq!(house.at(HOUR), Reap::Ask(Question::Withdraw));
    house.runner = RunnerWords::Busy;
    assert_eq!(house.at(HOUR), Reap::Keep(KeepReason::RunnerBusy));
    house.runner = RunnerWords::Gone;
    assert_eq!(house.at(HOUR), Reap::End(EndReason::JobTakenElsewhere));
}

#[test]
fn one_whose_job_has_ended_is_ended_without_asking_for_its_runner() {
    let house = with(&House::read(), RunnerWords::Unasked);
    assert_eq!(house.at(HOUR), Reap::End(EndReason::JobEnded));
}

#[test]
fn what_an_earlier_attempt_left_over_is_ended_at_once_also_beside_a_job_that_waits() {
    let mut house = House::read();
    house.list(1, vec![never_ran(job(1, "build"))]);
    house.run = Some(Run {
        run_attempt: attempt(2),
        status: RunStatus::Queued,
        ..run()
    });
    house.list(
        2,
        vec![Job {
            run_attempt: attempt(2),
            ..waiting(job(11, "build"))
        }],
    );
    let grace = LAUNCHED + 10 * MINUTE;
    assert_eq!(house.at(grace), Reap::Keep(KeepReason::JobWaits));
    house.runner = RunnerWords::Unasked;
    assert_eq!(house.at(grace), Reap::Ask(Question::Withdraw));
    house.runner = RunnerWords::Gone;
    assert_eq!(house.at(grace), Reap::End(EndReason::NeverNeeded));
}

#[test]
fn what_a_run_that_has_completed_left_over_is_ended_before_it_is_run_again() {
    let mut house = House::read();
    let just_ended = Job {
        completed_at: Some(at(HOUR)),
        ..never_ran(job(1, "build"))
    };
    house.list(1, vec![just_ended]);
    house.runner = RunnerWords::Gone;
    assert_eq!(house.at(HOUR), Reap::End(EndReason::NeverNeeded));
    house.runner = RunnerWords::NotNow;
    assert_eq!(house.at(HOUR), Reap::Keep(KeepReason::RunGoesOn));
}

/// Instances of which nobody can tell what for they run, or that do not run at all.
fn doubtful() -> Vec<House> {
    let mut without_claim = House::read();
    without_claim.claim = None;
    let mut unlisted = House::read();
    unlisted.list(1, vec![elsewhere(job(2, "test"))]);
    let mut unreadable = House::read();
    unreadable.refused = true;
    let mut held = House::read();
    held.list(
        1,
        vec![Job {
            status: JobStatus::Waiting,
            ..waiting(job(1, "build"))
        }],
    );
    let mut all = vec![without_claim, unlisted, unreadable, held, unbound()];
    for state in [
        InstanceState::Pending,
        InstanceState::Stopping,
        InstanceState::Unknown,
    ] {
        let mut house = House::read();
        house.view.state = state;
        all.push(house);
    }
    all
}

#[test]
fn past_its_maximum_run_time_an_instance_is_ended_whatever_doubt_there_is() {
    let past = LAUNCHED + 7 * DAY;
    for house in doubtful() {
        let kept = with(&house, RunnerWords::Unknown).at(past - 1);
        assert!(matches!(kept, Reap::Keep(_)), "{kept:?}");
        let said = |runner| with(&house, runner).at(past);
        assert_eq!(said(RunnerWords::Unasked), Reap::Ask(Question::Withdraw));
        assert_eq!(
            said(RunnerWords::Unknown),
            Reap::End(EndReason::PastMaxRunTime)
        );
        assert_eq!(said(RunnerWords::Busy), Reap::Keep(KeepReason::RunnerBusy));
        assert_eq!(
            said(RunnerWords::NotNow),
            Reap::Keep(KeepReason::RunnerNotAsked)
        );
    }
}

#[test]
fn past_its_maximum_run_time_an_instance_at_work_is_kept() {
    let mut house = House::read();
    let running = Job {
        status: JobStatus::InProgress,
        conclusion: None,
        completed_at: None,
        ..job(1, "build")
    };
    house.list(1, vec![running]);
    assert_eq!(house.at(30 * DAY), Reap::Keep(KeepReason::JobRuns));
}

#[test]
fn a_stopped_instance_is_ended_once_what_it_shows_has_been_used() {
    let mut house = House::read();
    house.view.state = InstanceState::Stopped;
    let old = LAUNCHED + HOUR;
    assert_eq!(house.at(old - 1), Reap::Keep(KeepReason::NotRunning));
    assert_eq!(house.at(old), Reap::End(EndReason::Stopped));
    house.evidence = vec![evidence(EvidenceSource::StateReason, old)];
    assert_eq!(house.at(old + HOUR), Reap::Keep(KeepReason::MayBeTaken));
    assert_eq!(house.at(old + HOUR + 1), Reap::End(EndReason::Stopped));
}
