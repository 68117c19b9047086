//! A run from its push to its end.

use super::*;
use crate::github::{HappeningKind, JobError};
use reprise_model::job::JobStatus;
use reprise_model::run::RunStatus;

#[test]
fn a_job_is_queued_taken_and_finished_and_the_run_ends_green() {
    let mut github = github();
    let run = push(&mut github, vec![job("build")]);
    let taken = take(&mut github, at(10), "runner-1");
    finish(&mut github, at(20), taken, Conclusion::Success);

    assert_eq!(conclusion(&github, run), Some(Conclusion::Success));
    let record = named(&github, run, "build");
    assert_eq!(record.started_at, Some(at(10)));
    assert_eq!(record.completed_at, Some(at(20)));
    assert_eq!(
        record.runner.as_ref().map(|r| r.name.as_str()),
        Some("runner-1")
    );
}

#[test]
fn any_runner_that_has_every_label_may_take_a_job_and_no_other() {
    let mut github = github();
    push(
        &mut github,
        vec![JobSpec::new("build", ["runs-on=1/spot=true", "linux"])],
    );
    let runner = RunnerName::new("runner");
    let labels = |labels: &[&str]| labels.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>();

    assert_eq!(github.take_job(at(1), &runner, &labels(&["linux"])), None);
    let more = labels(&["LINUX", "other", "runs-on=1/spot=true"]);
    assert!(github.take_job(at(1), &runner, &more).is_some());
    assert_eq!(github.take_job(at(1), &runner, &more), None);
}

#[test]
fn the_oldest_queued_job_is_taken_first() {
    let mut github = github();
    let older = push(&mut github, vec![job("older")]);
    push(&mut github, vec![job("newer")]);
    let taken = take(&mut github, at(1), "runner");
    assert_eq!(taken, named(&github, older, "older").id);
}

#[test]
fn a_dependent_gets_a_record_when_its_needs_succeeded() {
    let mut github = github();
    let run = push(
        &mut github,
        vec![job("build"), job("test").needs(["build"])],
    );
    assert_eq!(ends(&github, run), ["build: -"]);
    let build = take(&mut github, at(1), "runner");
    finish(&mut github, at(2), build, Conclusion::Success);
    assert_eq!(ends(&github, run), ["build: success", "test: -"]);
    assert_eq!(named(&github, run, "test").created_at, at(2));
}

#[test]
fn everything_after_a_failed_need_is_skipped_unless_it_always_runs() {
    let mut github = github();
    let jobs = vec![
        job("build"),
        job("test").needs(["build"]),
        job("report").needs(["test"]).always(),
        job("deploy").needs(["report"]),
    ];
    let run = push(&mut github, jobs);
    work_off(&mut github, at(1), &[("build", Conclusion::Failure)]);
    assert_eq!(
        ends(&github, run),
        [
            "build: failure",
            "test: skipped",
            "report: success",
            "deploy: skipped"
        ]
    );
    assert_eq!(conclusion(&github, run), Some(Conclusion::Failure));
}

#[test]
fn a_need_on_a_matrix_waits_for_all_of_it() {
    let mut github = github();
    let jobs = vec![
        job("test (1)").matrix("test", false),
        job("test (2)").matrix("test", false),
        job("deploy").needs(["test"]),
    ];
    let run = push(&mut github, jobs);
    let first = take(&mut github, at(1), "runner-1");
    finish(&mut github, at(2), first, Conclusion::Success);
    assert_eq!(ends(&github, run).len(), 2);
    work_off(&mut github, at(3), &[]);
    assert_eq!(ends(&github, run).len(), 3);
}

#[test]
fn a_workflow_with_an_unknown_need_or_a_circle_is_a_startup_failure() {
    for jobs in [
        vec![],
        vec![job("a").needs(["nobody"])],
        vec![job("a").needs(["b"]), job("b").needs(["a"])],
    ] {
        let mut github = github();
        let run = push(&mut github, jobs);
        assert_eq!(conclusion(&github, run), Some(Conclusion::StartupFailure));
        assert!(github.queued_jobs(None).is_empty());
    }
}

#[test]
fn a_host_that_is_gone_is_noticed_ten_minutes_later() {
    let mut github = github();
    let run = push(&mut github, vec![job("build")]);
    let taken = take(&mut github, at(10), "i-1");
    github.lose_runner(at(60), taken).expect("in progress");
    assert_eq!(github.next_due(), Some(at(660)));

    github.advance(at(659));
    assert_eq!(conclusion(&github, run), None);
    github.advance(at(1_000));
    let record = named(&github, run, "build");
    assert_eq!(record.conclusion, Some(Conclusion::Failure));
    assert_eq!(record.completed_at, Some(at(660)));
    assert!(record.annotations[0].message.contains("lost communication"));
    assert_eq!(github.next_due(), None);
}

#[test]
fn a_host_that_comes_back_within_its_lease_ends_its_job_as_usual() {
    let mut github = github();
    let run = push(&mut github, vec![job("build")]);
    let taken = take(&mut github, at(10), "i-1");
    github.lose_runner(at(60), taken).expect("in progress");
    finish(&mut github, at(300), taken, Conclusion::Success);
    assert_eq!(github.next_due(), None);
    assert_eq!(conclusion(&github, run), Some(Conclusion::Success));
}

#[test]
fn a_lost_job_can_be_made_to_stay_in_progress_for_ever() {
    let mut github = github();
    let run = push(&mut github, vec![job("build")]);
    github.faults_mut().lost_jobs_never_end = true;
    let taken = take(&mut github, at(10), "i-1");
    github.lose_runner(at(60), taken).expect("in progress");
    github.advance(at(1_000_000));
    assert_eq!(named(&github, run, "build").status, JobStatus::InProgress);
}

#[test]
fn a_job_that_no_runner_takes_fails_after_a_day() {
    let mut github = github();
    let run = push(&mut github, vec![job("build")]);
    assert_eq!(github.next_due(), Some(at(24 * 3_600)));
    github.advance(at(24 * 3_600));
    assert_eq!(conclusion(&github, run), Some(Conclusion::Failure));
    assert!(github.queued_jobs(None).is_empty());
}

#[test]
fn only_the_runner_of_a_job_ends_it_and_only_once() {
    let mut github = github();
    let run = push(&mut github, vec![job("build")]);
    let id = named(&github, run, "build").id;
    let again = |github: &mut GitHub| github.finish_job(at(1), id, Conclusion::Success, vec![]);
    assert_eq!(again(&mut github), Err(JobError::NotInProgress(id)));
    let taken = take(&mut github, at(1), "runner");
    assert_eq!(
        github.job_of_runner(&RunnerName::new("runner")),
        Some(taken)
    );
    assert_eq!(again(&mut github), Ok(()));
    assert_eq!(again(&mut github), Err(JobError::NotInProgress(id)));
    assert_eq!(github.job_of_runner(&RunnerName::new("runner")), None);
}

#[test]
fn a_run_is_in_progress_from_its_first_job_on() {
    let mut github = github();
    let run = push(&mut github, vec![job("build")]);
    let status = |github: &GitHub| github.run(run).expect("known").current().status.clone();
    assert_eq!(status(&github), RunStatus::Queued);
    take(&mut github, at(1), "runner");
    assert_eq!(status(&github), RunStatus::InProgress);
}

#[test]
fn what_happened_is_told_in_order() {
    let mut github = github();
    push(&mut github, vec![job("build")]);
    work_off(&mut github, at(1), &[]);
    let kinds: Vec<_> = github
        .take_happenings()
        .into_iter()
        .map(|happening| match happening.what {
            HappeningKind::RunStarted => "started",
            HappeningKind::JobQueued { .. } => "queued",
            HappeningKind::JobStarted { .. } => "taken",
            HappeningKind::JobCompleted { .. } => "ended",
            HappeningKind::RunCompleted { .. } => "completed",
            HappeningKind::CheckWritten { .. } => "check written",
            HappeningKind::CancelAccepted { .. }
            | HappeningKind::RerunAccepted { .. }
            | HappeningKind::RerunRefused { .. } => "else",
        })
        .collect();
    assert_eq!(kinds, ["started", "queued", "taken", "ended", "completed"]);
    assert!(github.take_happenings().is_empty());
}
