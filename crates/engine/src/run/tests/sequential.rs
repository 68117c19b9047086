//! `mixed = "sequential"`: real failures stay failed, and what is to come back does so one by one.

use super::*;

#[test]
fn beside_real_failures_several_jobs_come_back_one_after_the_other() {
    let mut world = sequential(&[job(1, "a"), job(2, "b"), job(3, "c"), job(4, "real")]);
    world.await_jobs(&[1, 2, 3]);
    assert_eq!(world.go(), ask(RerunTarget::Job(JobId(1)), &[1, 2, 3], &[]));
    world.answer(RerunAnswer::Accepted);

    let real = |id| job(id, "real");
    world.next_attempt(vec![again(11, "a"), job(12, "b"), job(13, "c"), real(14)]);
    assert_eq!(world.go(), alone(2, 12, 2));
    assert_eq!(world.reason(1), SettleReason::Recovered);
    world.answer(RerunAnswer::Accepted);

    world.next_attempt(vec![again(21, "a"), again(22, "b"), job(23, "c"), real(24)]);
    assert_eq!(world.go(), alone(3, 23, 3));
    world.answer(RerunAnswer::Accepted);

    world.next_attempt(vec![
        again(31, "a"),
        again(32, "b"),
        again(33, "c"),
        real(34),
    ]);
    assert_eq!(world.go(), RunStep::Done);
    for id in [1, 2, 3] {
        assert_eq!(world.reason(id), SettleReason::Recovered, "{id}");
    }
}

#[test]
fn a_job_that_fails_again_holds_up_none_that_comes_after_it() {
    let mut world = sequential(&[job(1, "a"), job(2, "b"), job(3, "real")]);
    world.await_jobs(&[1, 2]);
    assert!(matches!(world.go(), RunStep::Ask(_)));
    world.answer(RerunAnswer::Accepted);
    let failed_again = Job {
        conclusion: Some(Conclusion::Failure),
        ..again(11, "a")
    };
    world.next_attempt(vec![failed_again, job(12, "b"), job(13, "real")]);
    assert_eq!(world.go(), alone(2, 12, 2));
    assert_eq!(world.reason(1), SettleReason::FailedAgain);
}

#[test]
fn siblings_that_were_cancelled_with_one_follow_it_and_the_real_failure_stays() {
    let mut world = sequential(&[job(1, "test (1)"), cancelled(2, "test (2)"), job(3, "lint")]);
    world.await_jobs(&[1]);
    world.causes.insert(JobId(2), CancelCause::FailFast);
    let RunStep::Ask(first) = world.go() else {
        panic!("it is asked for");
    };
    assert_eq!(first.target, RerunTarget::Job(JobId(1)));
    assert_eq!((first.along.len(), first.siblings.len()), (0, 1));
    assert_eq!(rule(&first), "one-by-one");
    world.answer(RerunAnswer::Accepted);
    world.next_attempt(vec![
        again(11, "test (1)"),
        cancelled(12, "test (2)"),
        job(13, "lint"),
    ]);
    assert_eq!(world.go(), alone(2, 12, 12));
}

#[test]
fn where_nothing_else_failed_all_come_back_in_one_attempt() {
    let mut world = sequential(&[job(1, "a"), job(2, "b"), passed(3, "c")]);
    world.await_jobs(&[1, 2]);
    assert_eq!(world.go(), ask(RerunTarget::FailedJobs, &[1, 2], &[]));
}

#[test]
fn a_no_to_one_is_none_to_those_that_wait_their_turn() {
    let mut world = sequential(&[job(1, "a"), job(2, "b"), job(3, "lint")]);
    world.await_jobs(&[1, 2]);
    let first = RunStep::Ask(order(1, RerunTarget::Job(JobId(1)), &[1, 2], &[]));
    assert_eq!(world.go(), first);
    world.answer(RerunAnswer::Refused(Refusal {
        kind: RefusalKind::Unknown,
        message: "Not this one".to_owned(),
    }));
    let is_refused = matches!(world.reason(1), SettleReason::Refused(_));
    assert!(is_refused, "{:?}", world.state(1));
    assert_eq!(world.state(2), TrackedState::Awaiting);
}

#[test]
fn who_waits_for_another_ones_attempt_is_not_said_to_be_re_run() {
    let mut world = sequential(&[job(1, "a"), job(2, "b"), job(3, "lint")]);
    world.await_jobs(&[1, 2]);
    let _ = world.go();
    world.answer(RerunAnswer::Accepted);
    let waits = |id| ledger::waits_its_turn(&world.entry, JobId(id), &world.entry.jobs[&JobId(id)]);
    assert!(!waits(1));
    assert!(waits(2));
}

/// The call for a job by its id in that attempt, for one that is tracked under another id.
fn alone(from: u32, id: u64, tracked: u64) -> RunStep {
    RunStep::Ask(order(from, RerunTarget::Job(JobId(id)), &[tracked], &[]))
}

fn sequential(jobs: &[Job]) -> World {
    let mut world = World::with(jobs);
    world.rules.mixed = MixedReruns::Sequential;
    world
}
