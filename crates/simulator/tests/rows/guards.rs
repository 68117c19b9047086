//! Whatever forbids a re-run.

use reprise_simulator::plan::{Action, Plan};
use reprise_world::fate::Fate;
use reprise_world::github::{Concurrency, RunSpec};
use reprise_world::world::{ByHand, Deed, When};

use super::stage::*;

/// A job that is interrupted at about a minute, beside one that keeps its run active for ten.
fn slow_run() -> (RunSpec, Vec<Vec<Fate>>) {
    let long = Fate::passes(secs(600));
    let fates = vec![at_first(interrupted()), vec![long]];
    (spec([job("build"), job("slow")]), fates)
}

#[test]
fn what_a_person_cancelled_stays_cancelled() {
    let (spec, fates) = slow_run();
    let plan = Plan::calm(vec![
        pushed(0, spec, fates),
        step(300, Action::CancelByPerson { run: 0 }),
    ]);
    let (attempts, ledger) = only(&plan);
    assert_eq!(attempts.len(), 1, "{attempts:?}");
    assert_eq!(ledger, ["build (1): cancelled"]);
}

#[test]
fn what_a_person_re_ran_is_theirs() {
    let plan = Plan::calm(vec![
        pushed(0, spec([job("build")]), vec![at_first(interrupted())]),
        step(
            1,
            Action::PersonWaits {
                run: 0,
                when: When::RunCompletes,
                then_after: secs(0),
                deed: Deed::Rerun(ByHand::WholeRun),
            },
        ),
    ]);
    let (attempts, ledger) = only(&plan);
    assert_eq!(attempts.len(), 2, "{attempts:?}");
    assert_eq!(ledger, ["build (1): already-rerun"]);
}

#[test]
fn a_newer_run_of_the_branch_takes_the_place() {
    let (old, fates) = slow_run();
    let newer = spec([job("build")]);
    let plan = Plan::calm(vec![
        pushed(0, old, fates),
        pushed(120, newer, vec![vec![passes()]]),
    ]);
    let outcomes = ended(&plan);
    assert_eq!(outcomes[0].attempts.len(), 1);
    assert_eq!(outcomes[0].ledger, ["build (1): superseded"]);
}

#[test]
fn a_run_of_another_branch_that_has_the_concurrency_group_takes_the_place() {
    let deploy = |branch: &str, job| {
        let mut spec = spec([job]);
        spec.head_branch = Some(branch.to_owned());
        spec.concurrency = Some(Concurrency {
            group: "deploy".to_owned(),
            cancel_in_progress: false,
        });
        spec
    };
    let long = Fate::passes(secs(1_200));
    let plan = Plan::calm(vec![
        pushed(
            0,
            deploy("main", job("build")),
            vec![at_first(interrupted())],
        ),
        pushed(60, deploy("hotfix", job("slow")), vec![vec![long]]),
    ]);
    let outcomes = ended(&plan);
    assert_eq!(outcomes[0].attempts, ["failure: build failure"]);
    assert_eq!(outcomes[0].ledger, ["build (1): superseded"]);
    assert_eq!(outcomes[1].attempts, ["success: slow success"]);
}

#[test]
fn without_the_permission_the_job_is_given_up() {
    let mut plan = one(vec![(job("build"), at_first(interrupted()))]);
    plan.world.no_actions_write = true;
    plan.calm_after = secs(3_600);
    becomes(
        &plan,
        &["failure: build failure"],
        &["build (1): refused-missing-permission"],
    );
}

#[test]
fn what_github_cannot_retry_any_more_is_given_up() {
    let mut plan = one(vec![(job("build"), at_first(interrupted()))]);
    plan.world.logs_are_gone = true;
    plan.calm_after = secs(3_600);
    becomes(
        &plan,
        &["failure: build failure"],
        &["build (1): refused-not-retryable"],
    );
}

#[test]
fn a_run_of_a_disabled_workflow_is_given_up_with_that_reason() {
    let mut plan = one(vec![(job("build"), at_first(interrupted()))]);
    plan.world.workflows_are_disabled = true;
    plan.calm_after = secs(3_600);
    becomes(
        &plan,
        &["failure: build failure"],
        &["build (1): refused-workflow-disabled"],
    );
}

#[test]
fn what_is_over_the_hours_budget_is_parked_and_comes_back_later() {
    let on = |branch: &str| {
        let mut spec = spec([job("build")]);
        spec.head_branch = Some(branch.to_owned());
        spec
    };
    let mut plan = Plan::calm(vec![
        pushed(0, on("one"), vec![at_first(interrupted())]),
        pushed(0, on("two"), vec![at_first(interrupted())]),
    ]);
    plan.world.mandate.most_an_hour = Some(1);
    let comes_back = ["failure: build failure", "success: build success"];
    for outcome in ended(&plan) {
        assert_eq!(outcome.attempts, comes_back);
        assert_eq!(outcome.ledger, ["build (1): recovered"]);
    }
}

#[test]
fn an_exhausted_job_gets_one_fresh_chance_wherever_the_replica_dies() {
    for (calls, after_effect) in (0..30).flat_map(|calls| [(calls, false), (calls, true)]) {
        let plan = Plan::calm(vec![
            pushed(
                0,
                spec([job("build")]),
                vec![vec![interrupted(), fails(), passes()]],
            ),
            step(
                1_199,
                Action::Crash {
                    replica: 0,
                    calls,
                    after_effect,
                },
            ),
            step(1_200, Action::Requeue { run: 0 }),
        ]);
        let (attempts, ledger) = only(&plan);
        assert_eq!(
            attempts,
            [
                "failure: build failure",
                "failure: build failure",
                "success: build success"
            ],
            "a death at call {calls}, {after_effect}"
        );
        assert_eq!(ledger, ["build (1): failed-again", "build (2): recovered"]);
    }
}
