//! The doors without HTTP answer what a client reads out of the REST answers.

use reprise_model::ids::RunAttempt;
use reprise_model::run::CancelCause;
use reprise_model::webhook::wire::{WireJob, WireRun};
use serde_json::Value;

use super::*;
use crate::github::{Concurrency, Refusal, Rerun, RerunPosted};

const FIRST: RunAttempt = RunAttempt::FIRST;

/// A run with a job in each state, at a time that is no whole second.
fn some_run(github: &mut GitHub) -> RunId {
    let odd = at(3) + SignedDuration::from_millis(700);
    let run = push(github, vec![job("build"), job("lint"), job("docs")]);
    let first = take(github, odd, "reprise--i-0123456789abcdef0--a");
    finish(github, odd, first, Conclusion::Failure);
    take(github, odd, "reprise--i-0123456789abcdef1--b");
    run
}

fn get(github: &mut GitHub, path: &str) -> Value {
    Client::of(github).get(github, path).1
}

#[test]
fn a_run_and_its_jobs_are_read_as_over_rest() {
    let mut github = github();
    let run = some_run(&mut github);
    let base = format!("/repos/acme/shop/actions/runs/{run}");
    let wire: WireRun = serde_json::from_value(get(&mut github, &base)).expect("a run");
    assert_eq!(
        github.read_run(at(9), &shop(), run),
        Some(wire.into_run(shop()))
    );
    let listed = get(&mut github, &format!("{base}/attempts/1/jobs"));
    let wire: Vec<WireJob> = serde_json::from_value(listed["jobs"].clone()).expect("jobs");
    let jobs = wire.into_iter().map(WireJob::into_job).collect();
    assert_eq!(github.read_jobs(at(9), &shop(), run, FIRST), Some(jobs));
}

#[test]
fn what_is_of_another_repository_is_not_there() {
    let mut github = github();
    let run = some_run(&mut github);
    let other: Repository = "acme/site".parse().expect("valid");
    assert_eq!(github.read_run(at(9), &other, run), None);
    assert_eq!(github.read_jobs(at(9), &other, run, FIRST), None);
    let failed = Rerun::FailedJobs(run);
    assert_eq!(
        github.post_rerun(at(9), &other, failed),
        RerunPosted::Refused(Refusal::NotFound)
    );
}

#[test]
fn a_re_run_is_refused_in_githubs_words_audited_and_accepted_in_the_end() {
    let mut github = github();
    let run = some_run(&mut github);
    let failed = Rerun::FailedJobs(run);
    assert_eq!(
        github.post_rerun(at(9), &shop(), failed),
        RerunPosted::Refused(Refusal::RunActive)
    );
    github.cancel_run(at(10), run, "mona");
    github.advance(at(60));
    github.read_run(at(60), &shop(), run);
    github.faults_mut().fail_after_acting = 1;
    assert_eq!(
        github.post_rerun(at(60), &shop(), failed),
        RerunPosted::ServerError
    );
    let acted: Vec<bool> = github.mutations().iter().map(|it| it.acted).collect();
    assert_eq!(acted, [false, true]);
    let reads: Vec<u64> = github
        .mutations()
        .iter()
        .map(|it| it.reads_before)
        .collect();
    assert_eq!(reads, [0, 1]);
}

#[test]
fn the_cause_of_a_cancel_and_a_newer_run_are_read() {
    let mut github = github();
    let run = some_run(&mut github);
    github.cancel_run(at(10), run, "mona");
    github.advance(at(60));
    let docs = named(&github, run, "docs").check_run();
    assert_eq!(
        github.read_cancel_cause(at(60), &shop(), docs),
        Some(CancelCause::Person)
    );
    let older = github.read_run(at(60), &shop(), run).expect("a run");
    assert_eq!(github.read_newer_run(at(60), &older), None);
    let newer = github.push(at(70), RunSpec::new(shop(), vec![job("build")]));
    assert_eq!(github.read_newer_run(at(70), &older), Some(newer));
}

#[test]
fn a_run_of_another_branch_that_has_the_concurrency_group_is_read_until_it_is_over() {
    let mut github = github();
    let deploy = |branch: &str| {
        let mut spec = RunSpec::new(shop(), vec![job("deploy")]);
        spec.head_branch = Some(branch.to_owned());
        spec.concurrency = Some(Concurrency {
            group: "deploy".to_owned(),
            cancel_in_progress: false,
        });
        spec
    };
    let first = github.push(at(0), deploy("main"));
    github.cancel_run(at(5), first, "mona");
    github.advance(at(60));
    let first = github.read_run(at(60), &shop(), first).expect("a run");
    assert_eq!(github.read_newer_run(at(60), &first), None);

    let other = github.push(at(70), deploy("hotfix"));
    assert_eq!(github.read_newer_run(at(70), &first), Some(other));
    github.cancel_run(at(80), other, "mona");
    github.advance(at(120));
    assert_eq!(github.read_newer_run(at(120), &first), None);
}
