//! A person's cancel, fail-fast, concurrency groups.

use super::*;
use crate::github::{Concurrency, Rerun};
use reprise_model::run::{CancelCause, RunStatus};

fn cause(job: &Job) -> CancelCause {
    CancelCause::from_annotations(job.annotations.iter().map(|it| it.message.as_str()))
}

fn grouped(github: &mut GitHub, now: Timestamp, cancel_in_progress: bool) -> RunId {
    let mut spec = RunSpec::new(shop(), vec![job("build")]);
    spec.concurrency = Some(Concurrency {
        group: "deploy".to_owned(),
        cancel_in_progress,
    });
    github.push(now, spec)
}

fn status(github: &GitHub, run: RunId) -> RunStatus {
    github.run(run).expect("known").current().status.clone()
}

#[test]
fn a_persons_cancel_ends_queued_jobs_at_once_and_running_ones_when_they_stop() {
    let mut github = github();
    let jobs = vec![
        job("a"),
        job("b"),
        job("c").needs(["b"]),
        job("d").needs(["b"]).always(),
    ];
    let run = push(&mut github, jobs);
    let running = take(&mut github, at(1), "runner");
    assert!(github.cancel_run(at(10), run, "alice"));
    assert_eq!(
        ends(&github, run),
        ["a: -", "b: cancelled", "c: skipped", "d: -"]
    );
    assert!(named(&github, run, "a").is_told_to_stop());

    finish(&mut github, at(12), running, Conclusion::Failure);
    work_off(&mut github, at(13), &[]);
    assert_eq!(
        ends(&github, run),
        ["a: cancelled", "b: cancelled", "c: skipped", "d: success"]
    );
    assert_eq!(conclusion(&github, run), Some(Conclusion::Cancelled));
    assert_eq!(cause(named(&github, run, "a")), CancelCause::Person);
    assert_eq!(cause(named(&github, run, "b")), CancelCause::Person);
}

#[test]
fn a_job_told_to_stop_ends_by_itself_after_its_time() {
    let mut github = github();
    let run = push(&mut github, vec![job("a")]);
    take(&mut github, at(1), "runner");
    github.cancel_run(at(10), run, "alice");
    assert_eq!(github.next_due(), Some(at(20)));
    github.advance(at(20));
    assert_eq!(conclusion(&github, run), Some(Conclusion::Cancelled));
    assert!(!github.cancel_run(at(21), run, "alice"));
}

#[test]
fn a_failed_shard_cancels_its_siblings_with_fail_fast_and_says_why() {
    let mut github = github();
    let jobs = vec![
        job("test (1)").matrix("test", true),
        job("test (2)").matrix("test", true),
        job("test (3)").matrix("test", true),
        job("lint"),
    ];
    let run = push(&mut github, jobs);
    let first = take(&mut github, at(1), "runner-1");
    take(&mut github, at(1), "runner-2");
    finish(&mut github, at(5), first, Conclusion::Failure);
    github.advance(at(30));
    assert_eq!(
        ends(&github, run),
        [
            "test (1): failure",
            "test (2): cancelled",
            "test (3): cancelled",
            "lint: -"
        ]
    );
    assert_eq!(
        cause(named(&github, run, "test (2)")),
        CancelCause::FailFast
    );
    assert_eq!(
        named(&github, run, "test (3)").annotations[0].message,
        "The job was canceled because \"test (1)\" failed."
    );
    work_off(&mut github, at(31), &[]);
    assert_eq!(conclusion(&github, run), Some(Conclusion::Failure));
}

#[test]
fn without_fail_fast_the_siblings_go_on() {
    let mut github = github();
    let jobs = vec![
        job("test (1)").matrix("test", false),
        job("test (2)").matrix("test", false),
    ];
    let run = push(&mut github, jobs);
    work_off(&mut github, at(1), &[("test (1)", Conclusion::Failure)]);
    assert_eq!(
        ends(&github, run),
        ["test (1): failure", "test (2): success"]
    );
}

#[test]
fn a_concurrency_group_runs_one_and_keeps_the_newest_waiting() {
    let mut github = github();
    let first = grouped(&mut github, at(0), false);
    let second = grouped(&mut github, at(1), false);
    let third = grouped(&mut github, at(2), false);
    assert_eq!(conclusion(&github, second), Some(Conclusion::Cancelled));
    assert_eq!(status(&github, third), RunStatus::Pending);
    assert_eq!(github.queued_jobs(None).len(), 1);

    work_off(&mut github, at(3), &[]);
    assert_eq!(conclusion(&github, first), Some(Conclusion::Success));
    assert_eq!(conclusion(&github, third), Some(Conclusion::Success));
    let refused = github.rerun(at(9), Rerun::WholeRun(second), "bob");
    assert_eq!(refused, Err(crate::github::Refusal::CannotBeRetried));
}

#[test]
fn rerunning_a_superseded_run_can_cancel_the_newer_one() {
    let mut github = github();
    let older = grouped(&mut github, at(0), true);
    let newer = grouped(&mut github, at(1), true);
    assert_eq!(
        cause(named(&github, older, "build")),
        CancelCause::Superseded
    );
    assert_eq!(status(&github, newer), RunStatus::Queued);

    github
        .rerun(at(5), Rerun::WholeRun(older), "bob")
        .expect("accepted");
    assert_eq!(conclusion(&github, newer), Some(Conclusion::Cancelled));
    assert_eq!(
        cause(named(&github, newer, "build")),
        CancelCause::Superseded
    );
    assert_eq!(status(&github, older), RunStatus::Queued);
}
