//! A re-run clones the whole run.

use super::*;
use crate::github::Rerun;
use reprise_model::ids::RunAttempt;

/// `lint` passed, `build` failed, `test` needs `build`, `audit` passed.
fn one_failed(github: &mut GitHub) -> RunId {
    let jobs = vec![
        job("lint"),
        job("build"),
        job("test").needs(["build"]),
        job("audit"),
    ];
    let run = push(github, jobs);
    work_off(github, at(1), &[("build", Conclusion::Failure)]);
    github.take_deliveries();
    run
}

fn second() -> RunAttempt {
    RunAttempt::FIRST.next()
}

#[test]
fn every_job_gets_a_new_record_and_a_new_id_also_those_that_do_not_execute_again() {
    let mut github = github();
    let run = one_failed(&mut github);
    let old: Vec<JobId> = github
        .run(run)
        .expect("known")
        .current()
        .jobs
        .keys()
        .copied()
        .collect();
    let asked = Rerun::FailedJobs(run);
    assert_eq!(github.rerun(at(100), asked, "bob"), Ok(second()));
    work_off(&mut github, at(110), &[]);

    let attempt = github.run(run).expect("known").current();
    assert_eq!(attempt.number, second());
    assert_eq!(attempt.jobs.len(), 4);
    assert!(attempt.jobs.keys().all(|id| !old.contains(id)));
}

#[test]
fn a_carried_over_job_keeps_its_name_runner_and_times() {
    let mut github = github();
    let run = one_failed(&mut github);
    let old = named(&github, run, "lint").clone();
    github
        .rerun(at(100), Rerun::FailedJobs(run), "bob")
        .expect("accepted");

    let new = named(&github, run, "lint");
    assert_ne!(new.id, old.id);
    assert_eq!(new.carried_over_from, Some(old.id));
    assert_eq!((&new.name, &new.runner), (&old.name, &old.runner));
    assert_eq!(
        (new.started_at, new.completed_at),
        (old.started_at, old.completed_at)
    );
    let executions = github.run(run).expect("known").executions("lint").count();
    assert_eq!(executions, 1);
}

#[test]
fn carried_over_jobs_fire_completed_again_with_new_ids_and_no_queued() {
    let mut github = github();
    let run = one_failed(&mut github);
    github
        .rerun(at(100), Rerun::FailedJobs(run), "bob")
        .expect("accepted");
    let deliveries = github.take_deliveries();
    assert_eq!(
        told(&deliveries),
        [
            "completed lint: success",
            "completed audit: success",
            "queued build: -"
        ]
    );
    for delivery in deliveries {
        let body: Value = serde_json::from_str(&delivery.body).expect("JSON");
        assert_eq!(body["workflow_job"]["run_attempt"], 2);
        let id = JobId(body["workflow_job"]["id"].as_u64().expect("an id"));
        assert_eq!(github.job(id).expect("known").1.number, second());
    }
}

#[test]
fn requested_does_not_fire_on_a_rerun_but_completed_does() {
    let mut github = github();
    let run = one_failed(&mut github);
    github
        .rerun(at(100), Rerun::FailedJobs(run), "bob")
        .expect("accepted");
    work_off(&mut github, at(110), &[]);
    let runs: Vec<String> = told(&github.take_deliveries())
        .into_iter()
        .filter(|line| line.contains(" run: "))
        .collect();
    assert_eq!(runs, ["in_progress run: -", "completed run: success"]);
}

#[test]
fn each_attempt_keeps_its_own_conclusion_and_start() {
    let mut github = github();
    let run = one_failed(&mut github);
    github
        .rerun(at(100), Rerun::FailedJobs(run), "bob")
        .expect("accepted");
    work_off(&mut github, at(110), &[]);

    let run = github.run(run).expect("known");
    let ends: Vec<_> = run
        .attempts()
        .map(|attempt| attempt.conclusion.clone())
        .collect();
    assert_eq!(ends, [Some(Conclusion::Failure), Some(Conclusion::Success)]);
    let starts: Vec<_> = run.attempts().map(|attempt| attempt.started_at).collect();
    assert_eq!(starts, [at(0), at(100)]);
    assert_eq!(run.created_at, at(0));
    let actors: Vec<_> = run
        .attempts()
        .map(|a| a.triggering_actor.as_str())
        .collect();
    assert_eq!(actors, ["alice", "bob"]);
}

#[test]
fn dependents_of_a_rerun_job_execute_again_even_if_they_had_passed() {
    let mut github = github();
    let jobs = vec![job("build"), job("test").needs(["build"]), job("lint")];
    let run = push(&mut github, jobs);
    work_off(&mut github, at(1), &[("lint", Conclusion::Failure)]);
    let build = named(&github, run, "build").id;
    github
        .rerun(at(100), Rerun::Job(build), "bob")
        .expect("accepted");
    work_off(&mut github, at(110), &[]);

    let executions = |name| github.run(run).expect("known").executions(name).count();
    assert_eq!(
        (executions("build"), executions("test"), executions("lint")),
        (2, 2, 1)
    );
    assert_eq!(conclusion(&github, run), Some(Conclusion::Failure));
}

#[test]
fn a_dependent_that_runs_for_the_first_time_also_has_attempt_two() {
    let mut github = github();
    let run = one_failed(&mut github);
    assert_eq!(
        named(&github, run, "test").conclusion,
        Some(Conclusion::Skipped)
    );
    let build = named(&github, run, "build").id;
    github
        .rerun(at(100), Rerun::Job(build), "bob")
        .expect("accepted");
    work_off(&mut github, at(110), &[]);
    let test = named(&github, run, "test").id;
    assert_eq!(github.job(test).expect("known").1.number, second());
    assert_eq!(
        github.run(run).expect("known").executions("test").count(),
        1
    );
}

#[test]
fn one_call_brings_all_failed_jobs_back_in_one_attempt() {
    let mut github = github();
    let run = push(&mut github, vec![job("a"), job("b"), job("c")]);
    let failed = [("a", Conclusion::Failure), ("c", Conclusion::TimedOut)];
    work_off(&mut github, at(1), &failed);
    github
        .rerun(at(100), Rerun::FailedJobs(run), "bob")
        .expect("accepted");
    let back: Vec<&str> = github
        .queued_jobs(None)
        .iter()
        .map(|j| j.name.as_str())
        .collect();
    assert_eq!(back, ["a", "c"]);
}

#[test]
fn rerunning_the_whole_run_executes_everything() {
    let mut github = github();
    let run = one_failed(&mut github);
    github
        .rerun(at(100), Rerun::WholeRun(run), "bob")
        .expect("accepted");
    work_off(&mut github, at(110), &[]);
    let run = github.run(run).expect("known");
    assert!(
        run.current()
            .jobs
            .values()
            .all(|job| !job.is_carried_over())
    );
}

#[test]
fn cancelled_jobs_come_along_with_failed_ones_or_not_as_switched() {
    for (takes, back) in [(true, vec!["a", "b"]), (false, vec!["a"])] {
        let mut github = GitHub::new(Settings {
            rerun_failed_takes_cancelled: takes,
            ..settings()
        })
        .expect("valid");
        let run = push(&mut github, vec![job("a"), job("b")]);
        let failed = [("a", Conclusion::Failure), ("b", Conclusion::Cancelled)];
        work_off(&mut github, at(1), &failed);
        github
            .rerun(at(100), Rerun::FailedJobs(run), "bob")
            .expect("accepted");
        let queued: Vec<&str> = github
            .queued_jobs(None)
            .iter()
            .map(|j| j.name.as_str())
            .collect();
        assert_eq!(queued, back);
    }
}

#[test]
fn jobs_of_equal_name_keep_their_order_of_ids_in_every_attempt() {
    let mut github = github();
    let run = push(&mut github, vec![job("same"), job("same"), job("other")]);
    let first = take(&mut github, at(1), "runner-1");
    finish(&mut github, at(2), first, Conclusion::Failure);
    work_off(&mut github, at(3), &[]);
    github
        .rerun(at(100), Rerun::Job(first), "bob")
        .expect("accepted");
    let jobs: Vec<&Job> = github
        .run(run)
        .expect("known")
        .current()
        .jobs
        .values()
        .collect();
    assert_eq!(jobs[0].conclusion, None);
    assert_eq!(jobs[1].conclusion, Some(Conclusion::Success));
}

#[test]
fn past_fifty_reruns_github_accepts_and_no_attempt_appears() {
    let mut github = github();
    let run = push(&mut github, vec![job("a")]);
    for round in 0..51 {
        work_off(&mut github, at(round * 10), &[]);
        github
            .rerun(at(round * 10 + 9), Rerun::WholeRun(run), "bob")
            .expect("accepted");
    }
    assert_eq!(github.run(run).expect("known").attempts().count(), 51);
}
