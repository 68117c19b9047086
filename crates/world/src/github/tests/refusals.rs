//! Each 403, with GitHub's own words.

use super::*;

/// A run whose only failed job is `build`, and the paths that re-run it.
fn failed(github: &mut GitHub) -> (RunId, [String; 3]) {
    let run = push(github, vec![job("build"), job("lint")]);
    work_off(github, at(1), &[("build", Conclusion::Failure)]);
    (run, paths(github, run))
}

fn paths(github: &GitHub, run: RunId) -> [String; 3] {
    let job = named(github, run, "build").id;
    [
        format!("/repos/acme/shop/actions/jobs/{job}/rerun"),
        format!("/repos/acme/shop/actions/runs/{run}/rerun-failed-jobs"),
        format!("/repos/acme/shop/actions/runs/{run}/rerun"),
    ]
}

fn messages(github: &mut GitHub, now: Timestamp, paths: &[String]) -> Vec<(u16, String)> {
    let client = Client::of(github);
    let answer = |path: &String| {
        let (status, body) = client.post(github, now, path);
        let message = body["message"].as_str().unwrap_or_default();
        (status.as_u16(), message.to_owned())
    };
    paths.iter().map(answer).collect()
}

fn forbidden(message: &str) -> (u16, String) {
    (403, message.to_owned())
}

#[test]
fn a_run_that_is_still_active_is_already_running() {
    let mut github = github();
    let run = push(&mut github, vec![job("build"), job("lint")]);
    let build = take(&mut github, at(1), "runner");
    finish(&mut github, at(2), build, Conclusion::Failure);
    let paths = paths(&github, run);
    assert_eq!(
        messages(&mut github, at(3), &paths),
        [
            forbidden("The workflow run containing this job is already running"),
            forbidden("This workflow is already running"),
            forbidden("This workflow is already running"),
        ]
    );
}

#[test]
fn an_id_of_an_earlier_attempt_is_refused_also_while_the_run_is_active() {
    let mut github = github();
    let (_, [job, failed_jobs, _]) = failed(&mut github);
    let words = "Only jobs from the current attempt can be re-run";
    let first = messages(&mut github, at(100), &[failed_jobs, job.clone()]);
    assert_eq!(first, [(201, String::new()), forbidden(words)]);
    work_off(&mut github, at(110), &[]);
    assert_eq!(messages(&mut github, at(200), &[job]), [forbidden(words)]);
}

#[test]
fn a_run_older_than_thirty_days_is_over() {
    let mut github = GitHub::new(Settings {
        tokens_expire_at: Some(Timestamp::MAX),
        ..settings()
    })
    .expect("valid");
    let (_, paths) = failed(&mut github);
    let words = "Unable to retry this workflow run because it was created over a month ago";
    let late = at(30 * 24 * 3_600 + 1);
    assert_eq!(
        messages(&mut github, late, &paths),
        vec![forbidden(words); 3]
    );
    let in_time = at(30 * 24 * 3_600);
    assert_eq!(messages(&mut github, in_time, &paths[..1])[0].0, 201);
}

#[test]
fn a_startup_failure_and_a_run_without_failed_jobs_cannot_be_retried() {
    let mut github = github();
    let broken = push(&mut github, vec![]);
    let green = push(&mut github, vec![job("build")]);
    work_off(&mut github, at(1), &[]);
    let paths = [
        format!("/repos/acme/shop/actions/runs/{broken}/rerun"),
        format!("/repos/acme/shop/actions/runs/{broken}/rerun-failed-jobs"),
        format!("/repos/acme/shop/actions/runs/{green}/rerun-failed-jobs"),
    ];
    let words = "This workflow run cannot be retried";
    assert_eq!(
        messages(&mut github, at(9), &paths),
        vec![forbidden(words); 3]
    );
}

#[test]
fn without_the_permission_nothing_is_accessible() {
    let mut github = github();
    let (run, paths) = failed(&mut github);
    github.faults_mut().no_actions_write = true;
    let words = "Resource not accessible by integration";
    assert_eq!(
        messages(&mut github, at(9), &paths),
        vec![forbidden(words); 3]
    );
    assert_eq!(github.run(run).expect("known").attempts().count(), 1);
}

#[test]
fn an_unknown_run_and_a_run_of_another_repository_are_not_found() {
    let mut github = github();
    let (run, _) = failed(&mut github);
    let paths = [
        "/repos/acme/shop/actions/runs/1/rerun".to_owned(),
        "/repos/acme/shop/actions/jobs/1/rerun".to_owned(),
        format!("/repos/acme/other/actions/runs/{run}/rerun"),
    ];
    let answers = messages(&mut github, at(9), &paths);
    assert_eq!(answers, vec![(404, "Not Found".to_owned()); 3]);
}

#[test]
fn an_accepted_rerun_answers_an_empty_object_and_is_recorded_with_its_reads() {
    let mut github = github();
    let (run, [path, ..]) = failed(&mut github);
    let client = Client::of(&mut github);
    client.get(&mut github, &format!("/repos/acme/shop/actions/runs/{run}"));
    let answer = client.post(&mut github, at(9), &path);
    assert_eq!(answer, (StatusCode::CREATED, json!({})));
    client.post(&mut github, at(10), &path);

    let log = github.mutations();
    let seen: Vec<_> = log
        .iter()
        .map(|m| (m.answer, m.acted, m.reads_before))
        .collect();
    assert_eq!(seen, [(201, true, 1), (403, false, 1)]);
    let attempts: Vec<_> = log.iter().filter_map(|m| Some(m.attempt?.get())).collect();
    assert_eq!(attempts, [1, 2]);
}

#[test]
fn a_server_error_may_come_before_or_after_acting() {
    let mut github = github();
    let (run, [path, ..]) = failed(&mut github);
    github.faults_mut().fail_before_acting = 1;
    assert_eq!(
        messages(&mut github, at(9), std::slice::from_ref(&path))[0].0,
        500
    );
    assert_eq!(github.run(run).expect("known").attempts().count(), 1);

    github.faults_mut().fail_after_acting = 1;
    assert_eq!(messages(&mut github, at(10), &[path])[0].0, 500);
    assert_eq!(github.run(run).expect("known").attempts().count(), 2);
    let acted: Vec<bool> = github.mutations().iter().map(|m| m.acted).collect();
    assert_eq!(acted, [false, true]);
}
