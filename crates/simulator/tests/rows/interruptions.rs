//! One job that is interrupted, in each way in which GitHub and EC2 may tell of it.

use reprise_model::job::Conclusion;
use reprise_model::policy::EvidenceRule;
use reprise_simulator::plan::{Action, Chance, Plan};
use reprise_world::ec2::{CarriedOut, Interruption, InterruptionAction};
use reprise_world::fate::{Fate, Stroke};
use reprise_world::machine::WhenTaken;

use super::stage::*;

const COMES_BACK: [&str; 2] = ["failure: build failure", "success: build success"];
const RECOVERED: [&str; 1] = ["build (1): recovered"];

fn build(fate: Fate) -> Plan {
    one(vec![(job("build"), at_first(fate))])
}

#[test]
fn an_interrupted_job_comes_back_and_passes() {
    becomes(&build(interrupted()), &COMES_BACK, &RECOVERED);
}

#[test]
fn a_conclusion_of_cancelled_with_evidence_is_an_interruption() {
    let mut plan = build(interrupted());
    plan.world.when_taken = WhenTaken::IsCancelled;
    let attempts = ["cancelled: build cancelled", "success: build success"];
    becomes(&plan, &attempts, &RECOVERED);
}

#[test]
fn a_host_that_died_without_a_word_comes_back_once_github_has_noticed() {
    let mut plan = build(interrupted());
    plan.world.when_taken = WhenTaken::IsLost;
    becomes(&plan, &COMES_BACK, &RECOVERED);
}

#[test]
fn a_job_that_github_never_ends_is_given_up_by_what_ec2_tells() {
    let mut plan = build(interrupted());
    plan.world.when_taken = WhenTaken::IsNeverEnded;
    // So long the world is watched.
    plan.steps.push(step(3_600, Action::Ping));
    becomes(
        &plan,
        &["open: build open"],
        &["build (1): never-completed"],
    );
}

#[test]
fn a_machine_that_is_stopped_is_one_that_is_terminated() {
    for action in [InterruptionAction::Stop, InterruptionAction::Hibernate] {
        let stopped = taken(Interruption {
            action,
            ..Interruption::terminate(secs(120))
        });
        becomes(&build(stopped), &COMES_BACK, &RECOVERED);
    }
}

#[test]
fn an_interruption_without_any_notice_is_told_by_ec2_alone() {
    let unannounced = taken(Interruption {
        notice: None,
        ..Interruption::terminate(secs(120))
    });
    becomes(&build(unannounced), &COMES_BACK, &RECOVERED);
}

#[test]
fn an_interruption_that_comes_later_than_it_was_told_is_one_still() {
    let late = Fate {
        takes: secs(900),
        ..taken(Interruption {
            carried_out: CarriedOut::After(secs(240)),
            ..Interruption::terminate(secs(120))
        })
    };
    becomes(&build(late), &COMES_BACK, &RECOVERED);
}

#[test]
fn a_job_that_outlives_its_notice_and_passes_is_left_alone() {
    becomes(
        &build(taken(empty_threat())),
        &["success: build success"],
        &[],
    );
}

#[test]
fn a_job_that_fails_long_after_a_notice_that_was_not_carried_out_failed_by_itself() {
    let survivor = Fate {
        takes: secs(30 + 20 * 60),
        ends: Conclusion::Failure,
        ..taken(empty_threat())
    };
    becomes(&build(survivor), &["failure: build failure"], &[]);
}

#[test]
fn a_job_that_runs_into_its_time_limit_is_left_alone() {
    let slow = ends(Conclusion::TimedOut);
    becomes(&build(slow), &["failure: build timed_out"], &[]);
}

#[test]
fn a_host_that_dies_without_an_interruption_explains_nothing() {
    let dead = interrupted().by(Stroke::HostDies);
    becomes(&build(dead), &["failure: build failure"], &[]);
}

#[test]
fn a_tag_that_the_job_wrote_itself_is_believed_unless_proof_is_asked_for() {
    let liar = Fate {
        forges_after: Some(secs(20)),
        ..fails()
    };
    let mut plan = build(liar);
    becomes(&plan, &COMES_BACK, &RECOVERED);
    plan.world.mandate.evidence = EvidenceRule::Proof;
    let (attempts, _) = only(&plan);
    assert_eq!(attempts, ["failure: build failure"]);
}

#[test]
fn what_ec2_itself_tells_is_proof() {
    let mut plan = build(interrupted());
    plan.world.mandate.evidence = EvidenceRule::Proof;
    becomes(&plan, &COMES_BACK, &RECOVERED);
    plan.post.ec2_lost_for_good = Chance(1_000);
    plan.calm_after = secs(3_600);
    becomes(&plan, &COMES_BACK, &RECOVERED);
}

#[test]
fn the_usual_policy_re_runs_a_first_attempt_alone() {
    let plan = one(vec![(job("build"), vec![interrupted(), fails()])]);
    let attempts = ["failure: build failure", "failure: build failure"];
    becomes(&plan, &attempts, &["build (1): failed-again"]);
}

#[test]
fn evidence_of_which_the_event_was_lost_is_found() {
    let mut plan = build(interrupted());
    plan.post.ec2_lost_for_good = Chance(1_000);
    plan.agents.missing = Chance(1_000);
    plan.calm_after = secs(3_600);
    becomes(&plan, &COMES_BACK, &RECOVERED);
}
