//! Runs of several jobs: which of them come back, and by which call.

use reprise_model::policy::MixedReruns;
use reprise_world::fate::Fate;

use super::stage::*;

#[test]
fn one_interrupted_job_comes_back_and_a_real_failure_stays() {
    let plan = one(vec![
        (job("build"), at_first(interrupted())),
        (job("lint"), vec![fails()]),
    ]);
    let attempts = [
        "failure: build failure, lint failure",
        "failure: build success",
    ];
    becomes(&plan, &attempts, &["build (1): recovered"]);
}

#[test]
fn several_interrupted_jobs_come_back_in_one_attempt() {
    let plan = one(vec![
        (job("build"), at_first(interrupted())),
        (job("test"), at_first(interrupted())),
        (job("lint"), vec![passes()]),
    ]);
    let attempts = [
        "failure: build failure, test failure, lint success",
        "success: build success, test success",
    ];
    let ledger = ["build (1): recovered", "test (1): recovered"];
    becomes(&plan, &attempts, &ledger);
}

#[test]
fn several_interrupted_jobs_take_a_real_failure_along() {
    let plan = one(vec![
        (job("build"), at_first(interrupted())),
        (job("test"), at_first(interrupted())),
        (job("lint"), vec![fails()]),
    ]);
    let attempts = [
        "failure: build failure, test failure, lint failure",
        "failure: build success, test success, lint failure",
    ];
    let ledger = ["build (1): recovered", "test (1): recovered"];
    becomes(&plan, &attempts, &ledger);
}

#[test]
fn one_by_one_a_real_failure_stays_as_it_is() {
    let mut plan = one(vec![
        (job("build"), at_first(interrupted())),
        (job("test"), at_first(interrupted())),
        (job("lint"), vec![fails()]),
    ]);
    plan.world.mandate.mixed = MixedReruns::Sequential;
    let attempts = [
        "failure: build failure, test failure, lint failure",
        "failure: build success",
        "failure: test success",
    ];
    let ledger = ["build (1): recovered", "test (1): recovered"];
    becomes(&plan, &attempts, &ledger);
}

#[test]
fn siblings_that_fail_fast_cancelled_come_back_whether_or_not_github_takes_them_along() {
    for takes_cancelled in [true, false] {
        let part = |name: &str| job(name).matrix("test", true);
        let mut plan = one(vec![
            (part("one"), at_first(interrupted())),
            (part("two"), vec![Fate::passes(secs(600)), passes()]),
        ]);
        plan.world.rerun_failed_takes_cancelled = takes_cancelled;
        let (attempts, ledger) = only(&plan);
        assert_eq!(attempts[0], "failure: one failure, two cancelled");
        if takes_cancelled {
            assert_eq!(attempts[1..], ["success: one success, two success"]);
            assert_eq!(ledger, ["one (1): recovered"]);
        } else {
            assert_eq!(attempts[2..], ["success: two success"]);
            assert_eq!(ledger, ["one (1): recovered", "two (1): recovered"]);
        }
    }
}

#[test]
fn what_needs_an_interrupted_job_runs_with_it() {
    let plan = one(vec![
        (job("build"), at_first(interrupted())),
        (job("test").needs(["build"]), vec![passes()]),
    ]);
    let attempts = [
        "failure: build failure, test skipped",
        "success: build success, test success",
    ];
    becomes(&plan, &attempts, &["build (1): recovered"]);
}

#[test]
fn a_gate_that_failed_after_the_interruption_runs_again_with_it() {
    let plan = one(vec![
        (job("build"), at_first(interrupted())),
        (job("gate").needs(["build"]).always(), at_first(fails())),
    ]);
    let (attempts, ledger) = only(&plan);
    assert_eq!(
        attempts.last().map(String::as_str),
        Some("success: build success, gate success")
    );
    assert_eq!(ledger, ["build (1): recovered"]);
}

#[test]
fn a_job_of_a_reusable_workflow_comes_back_by_its_full_name() {
    let called = |name: &str| {
        let mut called = job("called");
        called.name = name.to_owned();
        called
    };
    let plan = one(vec![
        (called("ci / build"), at_first(interrupted())),
        (job("lint"), vec![passes()]),
    ]);
    let attempts = [
        "failure: ci / build failure, lint success",
        "success: ci / build success",
    ];
    becomes(&plan, &attempts, &["ci / build (1): recovered"]);
}

#[test]
fn two_jobs_of_one_name_are_told_apart() {
    let twin = |labels: &str| {
        let mut twin = job(labels);
        twin.name = "test".to_owned();
        twin
    };
    let plan = one(vec![
        (twin("one"), at_first(interrupted())),
        (twin("two"), vec![passes()]),
    ]);
    let attempts = [
        "failure: test failure, test success",
        "success: test success",
    ];
    becomes(&plan, &attempts, &["test (1): recovered"]);
}
