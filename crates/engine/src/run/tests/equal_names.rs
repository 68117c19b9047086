//! Jobs of equal name, and one execution under many ids.

use reprise_model::ids::RunnerName;

use super::*;

#[test]
fn late_evidence_of_one_of_two_equal_names_asks_for_that_one() {
    let one = on_runner("one", job(1, "test"));
    let two = job(2, "test");
    let mut world = World::with(&[one, two.clone()]);
    world.await_jobs(&[1]);
    assert_eq!(world.go(), ask(RerunTarget::Job(JobId(1)), &[1], &[]));
    world.answer(RerunAnswer::Accepted);
    world.await_jobs(&[2]);

    world.next_attempt(vec![again(11, "test"), carried_over(12, &two)]);
    let by_its_new_id = order(2, RerunTarget::Job(JobId(12)), &[2], &[]);
    assert_eq!(world.go(), RunStep::Ask(by_its_new_id));
    assert_eq!(world.reason(1), SettleReason::Recovered);
}

#[test]
fn a_job_whose_place_was_never_learned_does_not_take_the_record_of_another() {
    let one = on_runner("one", job(1, "test"));
    let mut world = World::with(&[one, job(2, "test")]);
    world.await_jobs(&[1]);
    assert!(matches!(world.go(), RunStep::Ask(_)));
    world.answer(RerunAnswer::Accepted);
    world.await_jobs(&[2]);

    world.next_attempt(vec![again(11, "test")]);
    assert_eq!(world.go(), RunStep::Wait(WaitReason::RerunActive));
    assert_eq!(world.state(2), TrackedState::Asked { rerun: 0 });

    let second = on_runner("two", failed_again(12, "test"));
    world.jobs = Some(vec![again(11, "test"), second]);
    world.now = world.due();
    assert_eq!(world.go(), RunStep::Done);
    assert_eq!(world.reason(2), SettleReason::FailedAgain);
}

#[test]
fn equal_names_whose_ids_come_in_another_order_are_told_apart_by_their_executions() {
    let one = job(1, "test");
    let mut two = passed(2, "test");
    two.completed_at = Some(at(150));
    let mut world = World::with(&[one.clone(), two.clone()]);
    world.await_jobs(&[1]);
    assert!(matches!(world.go(), RunStep::Ask(_)));
    world.answer(RerunAnswer::Accepted);
    let mut executed = world.clone();

    world.next_attempt(vec![carried_over(11, &two), carried_over(12, &one)]);
    let by_its_new_id = order(2, RerunTarget::Job(JobId(12)), &[1], &[]);
    assert_eq!(world.go(), RunStep::Ask(by_its_new_id));

    executed.next_attempt(vec![carried_over(11, &two), failed_again(12, "test")]);
    assert_eq!(executed.go(), RunStep::Done);
    assert_eq!(executed.reason(1), SettleReason::FailedAgain);
}

#[test]
fn of_two_interrupted_jobs_of_equal_name_only_the_one_left_behind_is_asked_for_again() {
    for left_behind in [1_u64, 2] {
        for ids in [[11, 12], [12, 11]] {
            let one = on_runner("one", job(1, "test"));
            let two = on_runner("two", job(2, "test"));
            let mut world = World::with(&[one.clone(), two.clone()]);
            world.await_jobs(&[1, 2]);
            assert_eq!(world.go(), ask(RerunTarget::FailedJobs, &[1, 2], &[]));
            world.answer(RerunAnswer::Accepted);
            let stayed = if left_behind == 1 { &one } else { &two };
            world.next_attempt(vec![carried_over(ids[0], stayed), again(ids[1], "test")]);
            let by_its_new_id = order(2, RerunTarget::Job(JobId(ids[0])), &[left_behind], &[]);
            assert_eq!(world.go(), RunStep::Ask(by_its_new_id));
            assert_eq!(world.reason(3 - left_behind), SettleReason::Recovered);
        }
    }
}

#[test]
fn a_list_that_lacks_one_of_two_equal_names_settles_neither() {
    let one = on_runner("one", job(1, "test"));
    let two = on_runner("two", job(2, "test"));
    let mut world = World::with(&[one, two]);
    world.await_jobs(&[1, 2]);
    assert!(matches!(world.go(), RunStep::Ask(_)));
    world.answer(RerunAnswer::Accepted);
    world.next_attempt(vec![failed_again(12, "test")]);
    assert_eq!(world.go(), RunStep::Wait(WaitReason::RerunActive));
    world.jobs = Some(vec![again(11, "test"), failed_again(12, "test")]);
    world.now = world.due();
    assert_eq!(world.go(), RunStep::Done);
    assert_eq!(world.reason(1), SettleReason::Recovered);
    assert_eq!(world.reason(2), SettleReason::FailedAgain);
}

#[test]
fn an_execution_that_is_told_of_under_another_id_is_tracked_once() {
    let mut world = World::with(&[job(1, "a")]);
    world.await_jobs(&[1]);
    assert!(matches!(world.go(), RunStep::Ask(_)));
    world.answer(RerunAnswer::Accepted);
    world.next_attempt(vec![carried_over(11, &job(1, "a"))]);
    assert!(matches!(world.go(), RunStep::Ask(_)));
    world.answer(RerunAnswer::Accepted);

    world.next_attempt(vec![carried_over(21, &job(1, "a"))]);
    world.await_jobs(&[21]);
    world.verdicts.insert(JobId(21), awaits());
    assert_eq!(world.go(), RunStep::Done);
    assert_eq!(world.entry.jobs.len(), 1);
    assert!(is_refused(&world.reason(1), RefusalKind::Unknown));
}

fn on_runner(name: &str, job: Job) -> Job {
    Job {
        runner_name: Some(RunnerName::new(name)),
        ..job
    }
}

fn failed_again(id: u64, name: &str) -> Job {
    Job {
        conclusion: Some(Conclusion::Failure),
        ..again(id, name)
    }
}

/// The record of the same execution in the next attempt.
fn carried_over(id: u64, job: &Job) -> Job {
    Job {
        id: JobId(id),
        run_attempt: job.run_attempt.next(),
        ..job.clone()
    }
}
