//! Who cancelled a job, and what that forbids.

use super::*;

#[test]
fn a_persons_cancel_of_any_job_of_the_attempt_ends_it_for_all() {
    let mut world = World::with(&[job(1, "a"), job(2, "b"), cancelled(3, "c")]);
    world.await_jobs(&[1, 2]);
    world.causes.insert(JobId(3), CancelCause::Person);
    assert_eq!(world.go(), RunStep::Done);
    assert_eq!(world.reason(1), SettleReason::Cancelled);
    assert_eq!(world.reason(2), SettleReason::Cancelled);
    assert_eq!(world.entry.due, None);
}

#[test]
fn a_cancel_of_our_own_ends_it_for_all_too_and_says_that_it_was_no_person() {
    let mut world = World::with(&[job(1, "a"), cancelled(2, "never-began")]);
    world.await_jobs(&[1]);
    world.causes.insert(JobId(2), CancelCause::Ours);
    assert_eq!(world.go(), RunStep::Done);
    assert_eq!(world.reason(1), SettleReason::CancelledByUs);
}

#[test]
fn a_cancel_by_the_concurrency_group_supersedes_the_run() {
    let mut world = World::with(&[cancelled(1, "a")]);
    world.await_jobs(&[1]);
    world.causes.insert(JobId(1), CancelCause::Superseded);
    assert_eq!(world.go(), RunStep::Done);
    assert_eq!(world.reason(1), SettleReason::Superseded);
}

#[test]
fn a_newer_run_of_the_same_workflow_and_branch_supersedes_this_one() {
    let mut world = World::with(&[job(1, "a")]);
    world.await_jobs(&[1]);
    world.rival = Rival::Run(RunId(901));
    assert_eq!(world.go(), RunStep::Done);
    assert_eq!(world.reason(1), SettleReason::Superseded);
}

#[test]
fn a_cancelled_job_with_evidence_and_an_unreadable_cause_was_interrupted() {
    let mut world = World::with(&[cancelled(1, "a")]);
    world.await_jobs(&[1]);
    assert_eq!(world.go(), ask(RerunTarget::Job(JobId(1)), &[1], &[]));
}

#[test]
fn a_record_that_an_earlier_cancel_left_does_not_speak_for_this_attempt() {
    let mut world = World::with(&[job(1, "a"), cancelled(2, "b")]);
    world.run.run_attempt = attempt(2);
    let jobs = world.jobs.iter_mut().flatten();
    jobs.for_each(|job| job.run_attempt = attempt(2));
    world.await_jobs(&[1]);
    world.causes.insert(JobId(2), CancelCause::Person);
    world
        .verdicts
        .insert(JobId(2), JobVerdict::Ignore(IgnoreReason::CarriedOver));
    assert!(matches!(world.go(), RunStep::Ask(_)));
}

#[test]
fn a_cancel_that_somebody_has_since_answered_by_a_re_run_speaks_of_no_later_attempt() {
    let never_began = Job {
        runner_name: None,
        started_at: None,
        completed_at: Some(at(50)),
        ..cancelled(2, "b")
    };
    let mut world = World::with(&[job(1, "a"), never_began]);
    world.run.run_attempt = attempt(2);
    world.run.run_started_at = Some(at(60));
    let jobs = world.jobs.iter_mut().flatten();
    jobs.for_each(|job| job.run_attempt = attempt(2));
    world.await_jobs(&[1]);
    world.causes.insert(JobId(2), CancelCause::Person);
    let no_runner = JobVerdict::Ignore(IgnoreReason::NoRunner);
    world.verdicts.insert(JobId(2), no_runner);
    assert!(matches!(world.clone().go(), RunStep::Ask(_)));

    world.run.run_started_at = Some(at(40));
    assert_eq!(world.go(), RunStep::Done, "cancelled in this attempt");
    assert_eq!(world.reason(1), SettleReason::Cancelled);
}

#[test]
fn a_run_that_was_cancelled_as_a_whole_by_nobody_knows_whom_is_left_alone() {
    let mut world = World::with(&[cancelled(1, "a"), cancelled(2, "b"), cancelled(3, "c")]);
    world.run.conclusion = Some(Conclusion::Cancelled);
    world.await_jobs(&[1]);
    assert_eq!(world.go(), RunStep::Done);
    assert_eq!(world.reason(1), SettleReason::CancelledUnknown);
}

#[test]
fn a_cancelled_run_whose_every_cancel_an_interruption_explains_is_re_run() {
    let mut world = World::with(&[cancelled(1, "test (1)"), cancelled(2, "test (2)")]);
    world.run.conclusion = Some(Conclusion::Cancelled);
    world.await_jobs(&[1]);
    let sibling = cancelled(2, "test (2)");
    assert_eq!(world.go(), ask_all(&[1], &[], &[&sibling]));
}

#[test]
fn a_cancelled_run_beside_a_job_that_was_interrupted_and_opted_out_is_re_run() {
    let mut world = World::with(&[cancelled(1, "a"), cancelled(2, "b")]);
    world.run.conclusion = Some(Conclusion::Cancelled);
    world.await_jobs(&[1]);
    let opted_out = JobVerdict::Settle {
        reason: SettleReason::OptedOut,
        end: None,
        ran_on: Some(instance()),
        evidence: vec![tag()],
        given_up: None,
    };
    world.verdicts.insert(JobId(2), opted_out);
    assert_eq!(world.go(), ask(RerunTarget::Job(JobId(1)), &[1], &[]));
}
