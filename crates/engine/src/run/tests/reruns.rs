//! From the order of a re-run to what came back of it.

use super::*;

#[test]
fn an_order_is_written_down_before_it_is_asked_for() {
    let mut world = asked();
    let rerun = world.entry.reruns.last().expect("written down");
    assert_eq!(rerun.answer, RerunAnswer::Unclear);
    assert_eq!(rerun.decided_at, at(NOW));
    assert_eq!(world.due(), at(NOW + 45));
    assert_eq!(world.step(), RunStep::Wait(WaitReason::AnswerUnclear));
    assert_eq!(world.due(), at(NOW + 45));
}

#[test]
fn an_event_does_not_hasten_the_read_of_an_order_that_may_be_under_way() {
    let mut world = asked();
    world.entry = woken(world.entry.clone(), at(NOW + 1)).expect("it is open");
    world.now = at(NOW + 1);
    assert_eq!(world.step(), RunStep::Wait(WaitReason::AnswerUnclear));
    assert_eq!(world.due(), at(NOW + 45));
}

#[test]
fn an_accepted_re_run_is_watched() {
    let mut world = asked();
    world.answer(RerunAnswer::Accepted);
    assert_eq!(world.state(1), TrackedState::Asked { rerun: 0 });
    assert_eq!(world.due(), at(NOW + 90), "a machine has to start first");
    world.now = world.due();
    assert_eq!(world.step(), RunStep::Wait(WaitReason::RerunActive));
    world.run.run_attempt = attempt(2);
    world.run.status = RunStatus::InProgress;
    world.now = world.due();
    assert_eq!(world.step(), RunStep::Wait(WaitReason::RerunActive));
}

#[test]
fn a_final_no_settles_the_job_with_githubs_own_words() {
    let mut world = asked();
    let refusal = Refusal {
        kind: RefusalKind::NotRetryable,
        message: "This workflow run cannot be retried".to_owned(),
    };
    world.answer(RerunAnswer::Refused(refusal.clone()));
    assert_eq!(world.reason(1), SettleReason::Refused(refusal));
    assert_eq!(world.entry.due, None);
}

#[test]
fn a_no_that_may_pass_is_asked_again_later_and_longer_each_time() {
    let mut world = asked();
    world.answer(RerunAnswer::NotNow);
    assert_eq!(world.state(1), TrackedState::Awaiting);
    assert_eq!(world.due(), at(NOW + 10));
    world.now = world.due();
    assert!(matches!(world.go(), RunStep::Ask(_)));
    world.answer(RerunAnswer::NotNow);
    assert_eq!(world.due(), at(NOW + 10 + 30));
    assert_eq!(world.entry.reruns.len(), 1, "the record does not grow");
}

#[test]
fn github_is_not_asked_again_before_the_time_that_it_names() {
    let mut world = asked();
    world.entry = answered(
        world.entry.clone(),
        RerunAnswer::NotNow,
        Some(secs(60)),
        world.now,
        MIDDLE,
    );
    assert_eq!(world.due(), at(NOW + 60));
}

#[test]
fn a_lost_answer_is_a_yes_when_the_run_has_moved_on() {
    let mut world = asked();
    world.answer(RerunAnswer::Unclear);
    world.now = at(NOW + 45);
    world.next_attempt(vec![again(11, "a")]);
    assert_eq!(world.go(), RunStep::Done);
    assert_eq!(world.entry.reruns[0].answer, RerunAnswer::Accepted);
    assert_eq!(world.reason(1), SettleReason::Recovered);
}

#[test]
fn a_lost_answer_is_asked_again_when_the_run_has_not_moved_on() {
    let mut world = asked();
    world.now = at(NOW + 45);
    assert_eq!(world.go(), ask(RerunTarget::Job(JobId(1)), &[1], &[]));
    assert_eq!(world.entry.reruns[0].decided_at, at(NOW + 45));
}

#[test]
fn a_lost_answer_is_not_asked_again_while_the_run_is_active() {
    let mut world = asked();
    world.now = at(NOW + 45);
    world.run.status = RunStatus::Queued;
    assert_eq!(world.step(), RunStep::Wait(WaitReason::AnswerUnclear));
    assert_eq!(world.due(), at(NOW + 55));
    assert_eq!(world.entry.reruns[0].answer, RerunAnswer::Unclear);
}

#[test]
fn an_answer_that_comes_after_the_run_was_read_changes_nothing() {
    let mut world = asked();
    world.next_attempt(vec![again(11, "a")]);
    assert_eq!(world.go(), RunStep::Done);
    let before = world.entry.clone();
    world.answer(RerunAnswer::NotNow);
    assert_eq!(world.entry, before);
}

#[test]
fn a_job_whose_re_run_passed_is_recovered() {
    for conclusion in [
        Conclusion::Success,
        Conclusion::Skipped,
        Conclusion::Neutral,
    ] {
        let mut world = accepted();
        let mut back = again(11, "a");
        back.conclusion = Some(conclusion);
        world.next_attempt(vec![back]);
        assert_eq!(world.go(), RunStep::Done);
        assert_eq!(world.reason(1), SettleReason::Recovered);
        assert_eq!(world.entry.due, None);
    }
}

#[test]
fn a_job_whose_re_run_failed_is_not_re_run_again() {
    let mut world = accepted();
    let mut back = again(11, "a");
    back.conclusion = Some(Conclusion::Failure);
    world.next_attempt(vec![back]);
    assert_eq!(world.go(), RunStep::Done);
    assert_eq!(world.reason(1), SettleReason::FailedAgain);
}

#[test]
fn a_new_execution_that_its_policy_lets_return_awaits_as_a_job_of_its_own() {
    let mut world = accepted();
    let mut back = again(11, "a");
    back.conclusion = Some(Conclusion::Failure);
    world.next_attempt(vec![back]);
    world.verdicts.insert(JobId(11), awaits());
    assert_eq!(
        world.go(),
        RunStep::Ask(order(2, RerunTarget::Job(JobId(11)), &[11], &[]))
    );
    assert_eq!(world.reason(1), SettleReason::FailedAgain);
}

#[test]
fn the_new_attempt_is_waited_for_while_its_list_is_incomplete() {
    let mut world = accepted();
    world.next_attempt(Vec::new());
    assert_eq!(world.go(), RunStep::Wait(WaitReason::RerunActive));
    let mut unfinished = again(11, "a");
    unfinished.status = JobStatus::InProgress;
    world.jobs = Some(vec![unfinished]);
    world.now = world.due();
    assert_eq!(world.go(), RunStep::Wait(WaitReason::RerunActive));
}

#[test]
fn a_job_that_was_left_behind_is_asked_for_once_by_its_new_id() {
    let mut world = accepted();
    world.next_attempt(vec![job(11, "a")]);
    assert_eq!(
        world.go(),
        RunStep::Ask(order(2, RerunTarget::Job(JobId(11)), &[1], &[]))
    );
    world.answer(RerunAnswer::Accepted);
    assert_eq!(world.state(1), TrackedState::Asked { rerun: 1 });

    world.next_attempt(vec![job(21, "a")]);
    assert_eq!(world.go(), RunStep::Done);
    assert!(is_refused(&world.reason(1), RefusalKind::Unknown));
}

#[test]
fn several_that_were_left_behind_are_asked_for_one_after_the_other() {
    let mut world = World::with(&[cancelled(1, "a"), cancelled(2, "b")]);
    world.await_jobs(&[1, 2]);
    assert!(matches!(world.go(), RunStep::Ask(_)));
    world.answer(RerunAnswer::Accepted);

    world.next_attempt(vec![cancelled(11, "a"), cancelled(12, "b")]);
    assert_eq!(
        world.go(),
        RunStep::Ask(order(2, RerunTarget::Job(JobId(11)), &[1], &[]))
    );
    world.answer(RerunAnswer::Accepted);

    world.next_attempt(vec![again(21, "a"), cancelled(22, "b")]);
    assert_eq!(
        world.go(),
        RunStep::Ask(order(3, RerunTarget::Job(JobId(22)), &[2], &[]))
    );
    assert_eq!(world.reason(1), SettleReason::Recovered);
    world.answer(RerunAnswer::Accepted);

    world.next_attempt(vec![again(31, "a"), again(32, "b")]);
    assert_eq!(world.go(), RunStep::Done);
    assert_eq!(world.reason(2), SettleReason::Recovered);
}

#[test]
fn a_job_that_is_found_interrupted_after_the_re_run_of_another_is_watched_and_then_asked_for() {
    let mut world = World::with(&[job(1, "a"), job(2, "b")]);
    world.await_jobs(&[1]);
    assert_eq!(world.go(), ask(RerunTarget::Job(JobId(1)), &[1], &[]));
    world.answer(RerunAnswer::Accepted);
    world.await_jobs(&[2]);

    world.next_attempt(vec![again(11, "a"), job(12, "b")]);
    assert_eq!(
        world.go(),
        RunStep::Ask(order(2, RerunTarget::Job(JobId(12)), &[2], &[]))
    );
    assert_eq!(world.reason(1), SettleReason::Recovered);
}

#[test]
fn an_event_does_not_hasten_what_github_asked_to_wait_for() {
    let mut world = asked();
    let wait = Some(secs(60));
    world.entry = answered(
        world.entry.clone(),
        RerunAnswer::NotNow,
        wait,
        world.now,
        MIDDLE,
    );
    world.entry = woken(world.entry.clone(), at(NOW + 1)).expect("it is open");
    world.now = at(NOW + 1);
    assert_eq!(world.go(), RunStep::Wait(WaitReason::AnswerUnclear));
    assert_eq!(world.due(), at(NOW + 60));
    world.now = world.due();
    assert!(matches!(world.go(), RunStep::Ask(_)));
}

#[test]
fn an_event_hastens_a_re_run_that_was_put_off_without_a_time() {
    let mut world = asked();
    world.answer(RerunAnswer::NotNow);
    world.entry = woken(world.entry.clone(), at(NOW + 1)).expect("it is open");
    world.now = at(NOW + 1);
    assert!(matches!(world.go(), RunStep::Ask(_)));
}

#[test]
fn a_re_run_that_a_lagging_read_hid_is_still_ours() {
    let mut world = asked();
    world.answer(RerunAnswer::Unclear);
    world.now = at(NOW + 45);
    assert!(matches!(world.go(), RunStep::Ask(_)), "a stale read");
    world.answer(RerunAnswer::NotNow);
    let mut other = world.clone();

    world.next_attempt(vec![again(11, "a")]);
    assert_eq!(world.go(), RunStep::Done);
    assert_eq!(world.reason(1), SettleReason::Recovered);

    other.next_attempt(vec![job(11, "a")]);
    let by_its_new_id = order(2, RerunTarget::Job(JobId(11)), &[1], &[]);
    assert_eq!(other.go(), RunStep::Ask(by_its_new_id));
}

#[test]
fn a_re_run_that_was_accepted_and_does_not_begin_in_a_day_is_given_up() {
    let mut world = accepted();
    let begun = world.now;
    while world.step() != RunStep::Done {
        assert!(world.now.duration_since(begun) <= secs(24 * 3600 + 300));
        world.now = world.due();
    }
    assert!(is_refused(&world.reason(1), RefusalKind::Unknown));
    assert!(world.now.duration_since(begun) > secs(24 * 3600));
}

#[test]
fn a_job_that_its_re_run_skipped_is_not_recovered() {
    let mut world = accepted();
    let mut back = again(11, "a");
    back.conclusion = Some(Conclusion::Skipped);
    back.runner_name = None;
    world.next_attempt(vec![back]);
    assert_eq!(world.go(), RunStep::Done);
    assert_eq!(world.reason(1), SettleReason::FailedAgain);
}

#[test]
fn the_ledger_counts_a_chain_of_re_runs_as_one_retry() {
    let mut world = accepted();
    world.next_attempt(vec![job(11, "a")]);
    assert!(matches!(world.go(), RunStep::Ask(_)));
    world.answer(RerunAnswer::Accepted);
    world.next_attempt(vec![again(21, "a")]);
    assert_eq!(world.go(), RunStep::Done);
    assert_eq!(world.entry.reruns.len(), 2);
    let jobs: Vec<(&JobId, &TrackedState)> = world
        .entry
        .jobs
        .iter()
        .map(|(id, job)| (id, &job.state))
        .collect();
    let recovered = TrackedState::Settled {
        reason: SettleReason::Recovered,
        at: world.now,
    };
    assert_eq!(jobs, [(&JobId(1), &recovered)]);
}

#[test]
fn an_attempt_is_ours_unless_github_refused_the_re_run_for_good() {
    let world = asked();
    assert!(
        asked_for(&world.entry, attempt(2)),
        "the answer may be lost"
    );
    assert!(!asked_for(&world.entry, attempt(1)));
    assert!(!asked_for(&world.entry, attempt(3)));
    for (answer, is_ours) in [
        (RerunAnswer::Accepted, true),
        (RerunAnswer::NotNow, true),
        (RerunAnswer::Refused(gone()), false),
    ] {
        let mut world = world.clone();
        world.answer(answer.clone());
        assert_eq!(asked_for(&world.entry, attempt(2)), is_ours, "{answer:?}");
    }
}

/// A run whose only failed job's re-run was written down.
fn asked() -> World {
    let mut world = World::with(&[job(1, "a")]);
    world.await_jobs(&[1]);
    assert!(matches!(world.go(), RunStep::Ask(_)));
    world
}

fn accepted() -> World {
    let mut world = asked();
    world.answer(RerunAnswer::Accepted);
    world
}

#[test]
fn a_job_that_github_ends_after_all_comes_back() {
    let mut world = World::with(&[job(1, "build")]);
    world.await_jobs(&[1]);
    let never = SettleReason::NeverCompleted;
    ledger::settle(&mut world.entry, &[JobId(1)], &never, world.now);
    world.await_jobs(&[1]);
    assert_eq!(world.state(1), TrackedState::Awaiting);
    ledger::settle(&mut world.entry, &[JobId(1)], &never, world.now);
    world.retry_jobs(&[1], 0);
    assert_eq!(world.state(1), TrackedState::Awaiting, "its failure, too");
}
