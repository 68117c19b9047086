//! Matrix siblings that fail-fast cancelled: which of them come back, and how.

use super::*;

#[test]
fn the_siblings_that_fail_fast_cancelled_come_back_with_the_interrupted_job() {
    for cause in [CancelCause::FailFast, CancelCause::Unreadable] {
        let mut world =
            World::with(&[job(1, "test (1)"), cancelled(2, "test (2)"), job(3, "lint")]);
        world.await_jobs(&[1]);
        world.causes.insert(JobId(2), cause);
        let sibling = cancelled(2, "test (2)");
        assert_eq!(world.go(), ask_all(&[1], &["lint"], &[&sibling]));
    }
}

#[test]
fn siblings_that_a_real_failure_cancelled_do_not_come_back_with_another_job() {
    let mut world = World::with(&[
        job(1, "build"),
        job(2, "test (1)"),
        cancelled(3, "test (2)"),
    ]);
    world.await_jobs(&[1]);
    world.causes.insert(JobId(3), CancelCause::FailFast);
    assert_eq!(world.go(), ask(RerunTarget::Job(JobId(1)), &[1], &[]));
}

#[test]
fn a_sibling_that_an_earlier_attempt_left_is_no_victim_of_this_ones_interruption() {
    let mut world = World::with(&[job(1, "test (1)"), cancelled(2, "test (2)")]);
    world.run.run_attempt = attempt(2);
    let jobs = world.jobs.iter_mut().flatten();
    jobs.for_each(|job| job.run_attempt = attempt(2));
    world.await_jobs(&[1]);
    world.causes.insert(JobId(2), CancelCause::FailFast);
    let carried_over = JobVerdict::Ignore(IgnoreReason::CarriedOver);
    world.verdicts.insert(JobId(2), carried_over);
    let alone = order(2, RerunTarget::Job(JobId(1)), &[1], &[]);
    assert_eq!(world.go(), RunStep::Ask(alone));
}

#[test]
fn with_no_real_failure_the_siblings_come_back_with_the_interrupted_job_in_one_attempt() {
    let sibling = cancelled(2, "test (2)");
    let mut world = World::with(&[job(1, "test (1)"), sibling.clone(), passed(3, "lint")]);
    world.await_jobs(&[1]);
    world.causes.insert(JobId(2), CancelCause::FailFast);
    assert_eq!(world.go(), ask_all(&[1], &[], &[&sibling]));
}

#[test]
fn several_interrupted_jobs_and_their_siblings_come_back_with_the_real_failures_named() {
    let sibling = cancelled(3, "test (3)");
    let mut world = World::with(&[
        job(1, "test (1)"),
        job(2, "test (2)"),
        sibling.clone(),
        job(4, "lint"),
    ]);
    world.await_jobs(&[1, 2]);
    world.causes.insert(JobId(3), CancelCause::FailFast);
    assert_eq!(world.go(), ask_all(&[1, 2], &["lint"], &[&sibling]));
}

#[test]
fn siblings_that_came_back_are_not_asked_for() {
    let mut world = cancelled_siblings();
    world.next_attempt(vec![
        again(11, "test (1)"),
        again(12, "test (2)"),
        again(13, "test (3)"),
    ]);
    assert_eq!(world.go(), RunStep::Done);
    assert_eq!(world.reason(1), SettleReason::Recovered);
    assert_eq!(world.entry.jobs.len(), 1);
}

#[test]
fn siblings_that_were_left_behind_are_asked_for_once_each_by_their_new_ids() {
    let mut world = cancelled_siblings();
    world.next_attempt(vec![
        again(11, "test (1)"),
        cancelled(12, "test (2)"),
        cancelled(13, "test (3)"),
    ]);
    let second = order(2, RerunTarget::Job(JobId(12)), &[12], &[]);
    assert_eq!(world.go(), RunStep::Ask(second));
    assert_eq!(world.reason(1), SettleReason::Recovered);
    world.answer(RerunAnswer::Accepted);

    world.next_attempt(vec![
        again(21, "test (1)"),
        again(22, "test (2)"),
        cancelled(23, "test (3)"),
    ]);
    let third = order(3, RerunTarget::Job(JobId(23)), &[13], &[]);
    assert_eq!(world.go(), RunStep::Ask(third));
    assert_eq!(world.reason(12), SettleReason::Recovered);
    world.answer(RerunAnswer::Accepted);

    world.next_attempt(vec![
        again(31, "test (1)"),
        again(32, "test (2)"),
        cancelled(33, "test (3)"),
    ]);
    assert_eq!(world.go(), RunStep::Done);
    assert!(is_refused(&world.reason(13), RefusalKind::Unknown));
}

#[test]
fn a_list_that_lacks_a_sibling_is_read_again_before_anything_is_settled() {
    let mut world = cancelled_siblings();
    world.next_attempt(vec![again(11, "test (1)"), again(12, "test (2)")]);
    assert_eq!(world.go(), RunStep::Wait(WaitReason::RerunActive));
    assert_eq!(world.state(1), TrackedState::Asked { rerun: 0 });
}

#[test]
fn a_sibling_that_the_next_attempt_does_not_have_is_not_waited_for_for_ever() {
    let mut world = cancelled_siblings();
    world.next_attempt(vec![again(11, "test (1)"), again(12, "test (2)")]);
    world.now += secs(3_600);
    assert_eq!(world.go(), RunStep::Wait(WaitReason::RerunActive));
    world.now += secs(1);
    assert_eq!(world.go(), RunStep::Done);
    assert_eq!(world.reason(1), SettleReason::Recovered);
}

#[test]
fn a_sibling_that_came_back_later_is_not_taken_for_a_job_that_never_was_one_of_the_run() {
    let sibling = cancelled(12, "test (2)");
    let never_listed = Job {
        started_at: Some(at(150)),
        ..job(5, "test (2)")
    };
    let mut world = World::with(&[never_listed, job(11, "test (1)"), sibling.clone()]);
    world.await_jobs(&[5, 11]);
    world.jobs = Some(vec![job(11, "test (1)"), sibling.clone()]);
    world.causes.insert(JobId(12), CancelCause::FailFast);
    world.now = at(NOW + 3_601);
    assert_eq!(world.go(), ask_all(&[11], &[], &[&sibling]));
    assert!(is_refused(&world.reason(5), RefusalKind::NotFound));
    world.answer(RerunAnswer::Accepted);

    world.next_attempt(vec![again(21, "test (1)"), cancelled(22, "test (2)")]);
    let second = order(2, RerunTarget::Job(JobId(22)), &[22], &[]);
    assert_eq!(world.go(), RunStep::Ask(second));
    world.answer(RerunAnswer::Accepted);

    world.next_attempt(vec![again(31, "test (1)"), again(32, "test (2)")]);
    assert_eq!(world.go(), RunStep::Done);
    assert_eq!(world.reason(22), SettleReason::Recovered);
}

#[test]
fn siblings_that_were_left_behind_are_not_asked_for_against_a_newer_run() {
    let mut world = cancelled_siblings();
    world.rival = Rival::Run(RunId(901));
    world.next_attempt(vec![
        again(11, "test (1)"),
        cancelled(12, "test (2)"),
        again(13, "test (3)"),
    ]);
    assert_eq!(world.go(), RunStep::Done);
    assert_eq!(world.reason(12), SettleReason::Superseded);
}

/// An accepted re-run for one interrupted job whose two siblings fail-fast cancelled.
fn cancelled_siblings() -> World {
    let mut world = World::with(&[
        job(1, "test (1)"),
        cancelled(2, "test (2)"),
        cancelled(3, "test (3)"),
    ]);
    world.await_jobs(&[1]);
    world.causes.insert(JobId(2), CancelCause::FailFast);
    world.causes.insert(JobId(3), CancelCause::FailFast);
    assert!(matches!(world.go(), RunStep::Ask(_)));
    world.answer(RerunAnswer::Accepted);
    world
}

/// GitHub does not always count cancelled jobs among the failed ones, and then finds none.
fn nothing_failed() -> RerunAnswer {
    RerunAnswer::Refused(Refusal {
        kind: RefusalKind::NotRetryable,
        message: "This workflow run cannot be retried".to_owned(),
    })
}

#[test]
fn where_github_finds_no_failed_job_an_interrupted_one_is_asked_for_by_itself() {
    let (victim, sibling) = (cancelled(1, "test (1)"), cancelled(2, "test (2)"));
    let mut world = World::with(&[victim, sibling.clone()]);
    world.await_jobs(&[1]);
    world.causes.insert(JobId(1), CancelCause::Unreadable);
    world.causes.insert(JobId(2), CancelCause::FailFast);
    let together = ask_all(&[1], &[], &[&sibling]);
    assert_eq!(world.go(), together);
    world.answer(nothing_failed());
    assert_eq!(world.state(1), TrackedState::Awaiting);
    let (RunStep::Ask(together), RunStep::Ask(alone)) = (together, world.go()) else {
        panic!("it is asked for again");
    };
    let target = RerunTarget::Job(JobId(1));
    assert_eq!(alone, RerunOrder { target, ..together });
    world.answer(nothing_failed());
    assert!(is_refused(&world.reason(1), RefusalKind::NotRetryable));
}

#[test]
fn a_sibling_that_was_interrupted_itself_and_opted_out_is_no_victim_of_another_interruption() {
    let opted_out = JobVerdict::Settle {
        reason: SettleReason::OptedOut,
        end: None,
        ran_on: None,
        evidence: vec![evidence(EvidenceSource::Tag, 200)],
        given_up: None,
    };
    let mut world = World::with(&[job(1, "test (1)"), cancelled(2, "test (2)")]);
    world.await_jobs(&[1]);
    world.causes.insert(JobId(2), CancelCause::Unreadable);
    world.verdicts.insert(JobId(2), opted_out);
    assert_eq!(world.go(), ask(RerunTarget::Job(JobId(1)), &[1], &[]));
}
