//! What `retry=` says of a job.

use reprise_simulator::plan::{Action, Chance, Plan};
use reprise_world::fate::Fate;
use reprise_world::github::JobSpec;

use super::stage::*;

const RESET: &str = "curl: (56) Recv failure: Connection reset by peer";

fn labelled(retry: &str, fates: Vec<Fate>) -> Plan {
    let labels = format!("/retry={retry}");
    let mut plan = one(vec![(job_with("build", &labels), fates)]);
    plan.world.mandate.labels_may_name_failures = true;
    plan
}

#[test]
fn who_opted_out_is_left_alone() {
    let plan = labelled("false", at_first(interrupted()));
    becomes(&plan, &["failure: build failure"], &[]);
}

#[test]
fn a_job_on_demand_is_left_alone() {
    let mut on_demand = job("build");
    on_demand.labels = vec!["runs-on={run}-build/family=c7a/spot=false".to_owned()];
    // On spot its tag would bring it back.
    let tagged = Fate {
        forges_after: Some(secs(20)),
        ..fails()
    };
    let plan = one(vec![(on_demand, vec![tagged])]);
    becomes(&plan, &["failure: build failure"], &[]);
}

#[test]
fn failed_jobs_are_re_run_while_the_attempt_is_below_the_number() {
    let plan = labelled("when-failed:3", vec![fails(), fails(), passes()]);
    let attempts = [
        "failure: build failure",
        "failure: build failure",
        "success: build success",
    ];
    becomes(
        &plan,
        &attempts,
        &["build (1): failed-again", "build (2): recovered"],
    );
    let plan = labelled("when-failed:2", vec![fails()]);
    let attempts = ["failure: build failure", "failure: build failure"];
    becomes(
        &plan,
        &attempts,
        &["build (1): failed-again", "build (2): attempt-limit"],
    );
}

#[test]
fn a_failure_that_looks_transient_is_re_run_and_one_that_does_not_is_not() {
    let retried = |job: JobSpec| {
        let mut plan = one(vec![(job, at_first(fails()))]);
        plan.world.mandate.labels_may_name_failures = true;
        only(&plan)
    };
    let build = || job_with("build", "/retry=when-transient");
    let (attempts, ledger) = retried(build().fails_in_passing("Run make", RESET));
    assert_eq!(
        attempts,
        ["failure: build failure", "success: build success"]
    );
    assert_eq!(ledger, ["build (1): recovered"]);
    for (prints, reason) in [
        (
            "error: 401 Unauthorized, connection reset",
            "permanent-failure",
        ),
        ("it did not work out", "unknown-failure"),
    ] {
        let (attempts, ledger) = retried(build().fails_with("Run make", prints));
        assert_eq!(attempts, ["failure: build failure"]);
        assert_eq!(ledger, [format!("build (1): {reason}")]);
    }
}

#[test]
fn a_failure_in_a_run_that_was_cancelled_is_none_of_its_policys() {
    let long = Fate::passes(secs(600));
    let mut plan = Plan::calm(vec![
        pushed(
            0,
            spec([job_with("build", "/retry=when-failed"), job("slow")]),
            vec![vec![fails()], vec![long]],
        ),
        step(300, Action::CancelByPerson { run: 0 }),
    ]);
    plan.world.mandate.labels_may_name_failures = true;
    let (attempts, ledger) = only(&plan);
    assert_eq!(attempts.len(), 1, "{attempts:?}");
    assert_eq!(ledger, ["build (1): run-not-failed"]);
}

#[test]
fn an_endpoint_has_its_say_and_where_it_is_silent_no_failure_comes_back() {
    let asked = |hangs| {
        let mut plan = one(vec![
            (job_with("build", "/retry=ask:judge"), vec![fails()]),
            (job_with("test", "/retry=ask:judge"), vec![fails()]),
        ]);
        plan.world.mandate.labels_may_ask = true;
        plan.rates.asks.hangs = Chance(hangs);
        plan.calm_after = secs(3_600);
        only(&plan).1
    };
    let heard: Vec<String> = asked(0);
    assert!(
        heard
            .iter()
            .all(|line| !line.ends_with("endpoint-unanswered")),
        "{heard:?}"
    );
    assert!(!heard.is_empty());
    let silent = asked(1_000);
    assert_eq!(
        silent,
        [
            "build (1): endpoint-unanswered",
            "test (1): endpoint-unanswered"
        ]
    );
}

#[test]
fn labels_name_failures_only_where_that_is_allowed() {
    let mut plan = labelled("when-failed", vec![fails()]);
    plan.world.mandate.labels_may_name_failures = false;
    becomes(&plan, &["failure: build failure"], &[]);
}
