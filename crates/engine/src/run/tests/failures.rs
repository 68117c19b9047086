//! Jobs that come back because their policy re-runs failures, without any evidence.

use reprise_model::failure::{DecidedBy, FailureRule, FailureSign, FailureSource};

use super::*;

#[test]
fn a_failed_job_whose_policy_says_so_is_re_run_alone_and_others_stay_failed() {
    let mut world = World::with(&[job(1, "a"), job(2, "lint")]);
    world.retry_jobs(&[1], 0);
    assert_eq!(world.go(), ask(RerunTarget::Job(JobId(1)), &[1], &[]));
    let tracked = &world.entry.jobs[&JobId(1)];
    assert_eq!((tracked.why, tracked.evidence.len()), (Why::Failed, 0));
    assert_eq!(tracked.policy, Some(when_failed()));
}

#[test]
fn several_failed_jobs_come_back_in_one_attempt_with_those_that_were_interrupted() {
    let mut world = World::with(&[job(1, "a"), job(2, "b"), job(3, "c"), job(4, "lint")]);
    world.await_jobs(&[2]);
    world.retry_jobs(&[1, 3], 60);
    let step = world.go();
    let all = ask(RerunTarget::FailedJobs, &[1, 2, 3], &["lint"]);
    assert_eq!(step, all, "what was interrupted does not wait");
}

#[test]
fn a_policys_pause_begins_with_the_end_of_the_run_and_is_kept() {
    let mut world = World::with(&[job(1, "a"), job(2, "b")]);
    world.retry_jobs(&[1], 30);
    world.retry_jobs(&[2], 90);
    world.run.status = RunStatus::InProgress;
    world.now = at(NOW + 5);
    assert_eq!(world.go(), RunStep::Wait(WaitReason::RunActive));
    world.run.status = RunStatus::Completed;
    world.now = at(NOW + 60);
    assert_eq!(world.go(), RunStep::Wait(WaitReason::Delayed));
    assert_eq!(world.due(), at(NOW + 60 + 90), "for the longest of them");
    world.entry = woken(world.entry.clone(), at(NOW + 70)).expect("it is open");
    world.now = at(NOW + 70);
    assert_eq!(world.go(), RunStep::Wait(WaitReason::Delayed));
    assert_eq!(world.due(), at(NOW + 150), "an event does not cut it short");
    world.now = at(NOW + 150);
    let both = ask(RerunTarget::FailedJobs, &[1, 2], &[]);
    assert_eq!(world.go(), both);
}

#[test]
fn failures_are_re_run_only_where_the_run_ended_as_failed() {
    let mut world = World::with(&[job(1, "a"), cancelled(2, "b")]);
    world.retry_jobs(&[1], 0);
    world.run.conclusion = Some(Conclusion::Cancelled);
    assert_eq!(world.go(), RunStep::Done);
    assert_eq!(world.reason(1), SettleReason::RunNotFailed);
}

#[test]
fn a_persons_cancel_is_final_for_failures_too() {
    let mut world = World::with(&[job(1, "a"), cancelled(2, "b")]);
    world.retry_jobs(&[1], 0);
    world.causes.insert(JobId(2), CancelCause::Person);
    assert_eq!(world.go(), RunStep::Done);
    assert_eq!(world.reason(1), SettleReason::Cancelled);
}

#[test]
fn the_siblings_that_a_failure_cancelled_come_along() {
    let sibling = cancelled(2, "test (2)");
    let mut world = World::with(&[job(1, "test (1)"), sibling.clone()]);
    world.retry_jobs(&[1], 0);
    assert_eq!(world.go(), ask_all(&[1], &[], &[&sibling]));
}

#[test]
fn a_failed_job_that_somebody_re_ran_meanwhile_is_left_to_them() {
    let mut world = World::with(&[job(1, "a")]);
    world.retry_jobs(&[1], 600);
    assert_eq!(world.go(), RunStep::Wait(WaitReason::Delayed));
    world.next_attempt(vec![again(11, "a")]);
    assert_eq!(world.go(), RunStep::Done);
    assert_eq!(world.reason(1), SettleReason::AlreadyRerun);
}

#[test]
fn evidence_that_comes_late_turns_a_failure_into_an_interruption() {
    let mut world = World::with(&[job(1, "a"), cancelled(2, "b")]);
    world.retry_jobs(&[1], 600);
    assert_eq!(world.go(), RunStep::Wait(WaitReason::Delayed));
    let mut given_up = world.clone();
    world.await_jobs(&[1]);
    assert_eq!(world.go(), ask(RerunTarget::Job(JobId(1)), &[1], &[]));
    given_up.run.conclusion = Some(Conclusion::Cancelled);
    given_up.jobs = Some(vec![job(1, "a")]);
    assert_eq!(given_up.go(), RunStep::Done);
    given_up.await_jobs(&[1]);
    assert_eq!(given_up.go(), ask(RerunTarget::Job(JobId(1)), &[1], &[]));
}

#[test]
fn a_failed_job_whose_event_was_lost_is_found_beside_another_one() {
    let mut world = World::with(&[job(1, "a"), job(2, "b")]);
    world.retry_jobs(&[1], 0);
    world.verdicts.insert(JobId(2), retried(0));
    let both = ask(RerunTarget::FailedJobs, &[1, 2], &[]);
    assert_eq!(world.go(), both);
}

#[test]
fn a_failed_run_of_which_nothing_is_known_is_looked_into() {
    let mut world = World::with(&[job(1, "a"), job(2, "lint")]);
    world.entry = failed(None, run_key(), at(NOW)).expect("it is new");
    let jobs = world.jobs.take();
    world.run.status = RunStatus::InProgress;
    assert_eq!(world.step(), RunStep::Wait(WaitReason::RunActive));
    world.run.status = RunStatus::Completed;
    assert_eq!(world.step(), RunStep::ReadJobs);
    world.jobs = jobs;
    let mut nothing_found = world.clone();
    assert_eq!(nothing_found.go(), RunStep::Done);
    assert_eq!(nothing_found.entry.due, None);
    let looking = JobVerdict::LookAgain {
        at: at(NOW + 5),
        until: at(NOW + 30),
    };
    world.verdicts.insert(JobId(1), looking);
    assert_eq!(world.go(), RunStep::Wait(WaitReason::JobLooking));
    world.verdicts.insert(JobId(1), retried(0));
    assert_eq!(world.go(), ask(RerunTarget::Job(JobId(1)), &[1], &[]));
    assert_eq!(failed(Some(world.entry), run_key(), at(NOW)), None);
}

#[test]
fn a_job_that_its_runs_list_lacks_for_an_hour_is_given_up() {
    let mut world = World::with(&[job(1, "a"), job(2, "b")]);
    world.retry_jobs(&[1, 2], 0);
    world.jobs = Some(vec![job(2, "b")]);
    assert_eq!(world.go(), RunStep::Wait(WaitReason::RunActive));
    world.now = job(1, "a").completed_at.expect("it ended") + secs(3_601);
    assert_eq!(world.go(), ask(RerunTarget::Job(JobId(2)), &[2], &[]));
    assert!(is_refused(&world.reason(1), RefusalKind::NotFound));
}

#[test]
fn a_job_that_the_next_attempt_does_not_have_is_given_up_after_an_hour() {
    let mut world = World::with(&[job(1, "a"), job(2, "b")]);
    world.retry_jobs(&[1], 0);
    assert!(matches!(world.go(), RunStep::Ask(_)));
    world.answer(RerunAnswer::Accepted);
    world.next_attempt(vec![passed(12, "b")]);
    assert_eq!(world.go(), RunStep::Wait(WaitReason::RerunActive));
    world.now += secs(3_601);
    assert_eq!(world.go(), RunStep::Done);
    assert!(is_refused(&world.reason(1), RefusalKind::NotFound));
}

#[test]
fn a_job_that_its_policy_gives_up_is_kept_and_neither_judged_again_nor_in_the_way() {
    let mut world = World::with(&[job(1, "a"), job(2, "b")]);
    let given_up = given_up(SettleReason::PermanentFailure);
    let (first, key) = (job(1, "a"), run_key);
    let kept = bury(None, key(), &first, &given_up, at(NOW)).expect("it is new");
    assert_eq!(kept.due, None);
    assert_eq!(
        bury(Some(kept.clone()), key(), &first, &given_up, at(NOW)),
        None
    );
    world.entry = failed(Some(kept), key(), at(NOW)).expect("nothing is known of the others");
    let jobs = world.jobs.take();
    assert_eq!(world.step(), RunStep::ReadJobs);
    world.jobs = jobs;
    world.verdicts.insert(JobId(2), retried(0));
    assert_eq!(world.go(), ask(RerunTarget::Job(JobId(2)), &[2], &[]));
    let tracked = &world.entry.jobs[&JobId(1)];
    assert_eq!(tracked.policy, Some(when_failed()));
    assert_eq!(world.reason(1), SettleReason::PermanentFailure);
}

#[test]
fn evidence_that_comes_late_brings_back_a_job_that_its_policy_had_given_up() {
    let mut world = World::with(&[job(1, "a")]);
    let given_up = given_up(SettleReason::AttemptLimit);
    world.verdicts.insert(JobId(1), given_up);
    assert_eq!(world.go(), RunStep::Done, "its event was lost");
    assert_eq!(world.reason(1), SettleReason::AttemptLimit);
    world.verdicts.clear();
    world.await_jobs(&[1]);
    assert_eq!(world.go(), ask(RerunTarget::Job(JobId(1)), &[1], &[]));
}

#[test]
fn a_record_keeps_no_more_of_what_is_given_up_than_a_store_takes() {
    let verdict = given_up(SettleReason::UnknownFailure);
    let mut entry = opened(run_key(), at(NOW));
    for id in 1..=200 {
        let job = job(id, &format!("test ({id})"));
        entry = bury(Some(entry.clone()), run_key(), &job, &verdict, at(NOW)).unwrap_or(entry);
    }
    let told = entry.jobs.values().filter(|job| job.told.is_some());
    assert_eq!((entry.jobs.len(), told.count()), (100, 50));
}

impl World {
    /// They failed, and their policy waits so many seconds.
    pub(super) fn retry_jobs(&mut self, ids: &[u64], pause: i64) {
        let jobs = self.jobs.clone().unwrap_or_default();
        for job in jobs.iter().filter(|job| ids.contains(&job.id.0)) {
            let grounds = retried(pause).grounds().expect("it is to come back");
            let entry = Some(self.entry.clone());
            self.entry = await_job(entry, run_key(), job, grounds, self.now);
        }
    }
}

pub(super) fn retried(pause: i64) -> JobVerdict {
    JobVerdict::Retry {
        why: Why::Failed,
        policy: when_failed(),
        pause: secs(pause),
        end: None,
        ran_on: None,
        told: None,
        advice: None,
    }
}

/// Its policy had the last word.
fn given_up(reason: SettleReason) -> JobVerdict {
    let grounds = retried(0).grounds().expect("it would come back");
    let told = DecidedBy {
        rule: FailureRule::Sign(FailureSign::CodeAnnotated),
        source: FailureSource::Annotation,
        line: "src/main.rs: unused".to_owned(),
    };
    JobVerdict::Settle {
        reason,
        end: None,
        ran_on: None,
        evidence: Vec::new(),
        given_up: Some(Box::new(Grounds {
            told: Some(told),
            ..grounds
        })),
    }
}

fn when_failed() -> RetryPolicy {
    "when-failed".parse().expect("a policy")
}
