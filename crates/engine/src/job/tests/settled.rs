//! What becomes of a job of ours, by how it ended and how often it was executed.

use super::*;

#[test]
fn an_unsuccessful_job_of_a_later_attempt_has_its_earlier_executions_read_first() {
    let mut look = Look::at(tagged(view()));
    look.job.run_attempt = attempt(2);
    assert_eq!(look.verdict(), JobVerdict::ReadEarlier);
}

#[test]
fn a_job_that_passed_is_settled_and_its_instance_ended() {
    for conclusion in [
        Conclusion::Success,
        Conclusion::Skipped,
        Conclusion::Neutral,
    ] {
        let mut look = Look::at(view());
        look.job.conclusion = Some(conclusion);
        assert_eq!(
            look.verdict(),
            settled(SettleReason::Succeeded, Some(instance()), Some(instance()))
        );
    }
}

#[test]
fn a_job_that_passed_in_a_later_attempt_needs_no_read_of_the_earlier_ones() {
    let mut look = Look::at(view());
    look.job.conclusion = Some(Conclusion::Success);
    look.job.run_attempt = attempt(2);
    assert!(is_settled(&look.verdict(), &SettleReason::Succeeded));
}

#[test]
fn nothing_is_ended_on_a_foreign_fleet_or_when_it_ends_already() {
    let mut foreign = Look::at(view());
    foreign.fleet = FleetRule::Foreign;
    let mut ending = view();
    ending.state = InstanceState::ShuttingDown;
    let mut ended = view();
    ended.state = InstanceState::Terminated;
    for mut look in [foreign, Look::at(ending), Look::at(ended)] {
        look.job.conclusion = Some(Conclusion::Success);
        assert_eq!(
            look.verdict(),
            settled(SettleReason::Succeeded, None, Some(instance()))
        );
    }
}

#[test]
fn an_instance_that_ec2_takes_is_left_to_it_though_its_job_passed() {
    let mut look = Look::at(view());
    look.job.conclusion = Some(Conclusion::Success);
    let warning = evidence(EvidenceSource::InterruptionWarning, 150);
    look.remembered = Some(remembered(vec![warning.clone()]));
    assert_eq!(
        look.verdict(),
        JobVerdict::Settle {
            reason: SettleReason::Succeeded,
            end: None,
            ran_on: Some(instance()),
            evidence: vec![warning],
            given_up: None,
        }
    );
}

#[test]
fn a_job_that_passed_does_not_keep_its_instance_by_a_tag_that_it_set_itself() {
    let mut look = Look::at(tagged(view()));
    look.job.conclusion = Some(Conclusion::Success);
    assert_eq!(
        look.verdict(),
        settled(SettleReason::Succeeded, Some(instance()), Some(instance()))
    );
}

#[test]
fn a_failure_on_an_on_demand_instance_is_no_interruption() {
    let mut view = tagged(view());
    view.capacity = Capacity::OnDemand;
    assert_eq!(
        Look::at(view).verdict(),
        settled(SettleReason::NotSpot, Some(instance()), Some(instance()))
    );
}

#[test]
fn an_interrupted_job_with_retry_false_is_settled_with_its_evidence_and_its_instance_left_to_ec2() {
    let mut look = Look::at(view());
    look.policy = RetryPolicy::Never;
    let warning = evidence(EvidenceSource::InterruptionWarning, 150);
    look.remembered = Some(remembered(vec![warning.clone()]));
    assert_eq!(
        look.verdict(),
        JobVerdict::Settle {
            reason: SettleReason::OptedOut,
            end: None,
            ran_on: Some(instance()),
            evidence: vec![warning],
            given_up: None,
        }
    );
}

#[test]
fn an_execution_is_re_run_while_its_number_is_within_the_policys() {
    for (policy, executed, again) in [
        ("when-interrupted", 0, true),
        ("when-interrupted", 1, false),
        ("1", 1, false),
        ("2", 1, true),
        ("when-interrupted:2", 2, false),
        ("5", 4, true),
        ("5", 5, false),
    ] {
        let mut look = Look::at(tagged(view()));
        look.policy = policy.parse().expect("a policy");
        look.job.run_attempt = attempt(executed + 1);
        let earlier = (0..executed).map(|number| execution_on(&format!("runner-{number}")));
        look.earlier = Some(earlier.collect());
        let verdict = look.verdict();
        let is_again = matches!(verdict, JobVerdict::Await { .. });
        assert_eq!(is_again, again, "{policy} after {executed}");
        let limit = SettleReason::AttemptLimit;
        let is_over = matches!(verdict, JobVerdict::Settle { reason, .. } if reason == limit);
        assert_eq!(is_over, !again, "{policy} after {executed}");
    }
}

#[test]
fn a_job_that_is_not_re_run_does_not_keep_its_instance_by_a_tag_that_it_set_itself() {
    let mut opted_out = Look::at(tagged(view()));
    opted_out.policy = RetryPolicy::Never;
    let mut at_the_limit = Look::at(tagged(view()));
    at_the_limit.job.run_attempt = attempt(2);
    at_the_limit.earlier = Some(vec![execution_on("first")]);
    let tag = evidence(EvidenceSource::Tag, NOW);
    for (look, reason, given_up) in [
        (opted_out, SettleReason::OptedOut, None),
        (
            at_the_limit,
            SettleReason::AttemptLimit,
            had_its_re_runs(&tag),
        ),
    ] {
        assert_eq!(
            look.verdict(),
            JobVerdict::Settle {
                reason,
                end: Some(instance()),
                ran_on: Some(instance()),
                evidence: vec![tag.clone()],
                given_up,
            }
        );
    }
}

#[test]
fn an_interrupted_second_execution_is_not_re_run_again() {
    let mut look = Look::at(view());
    look.job.run_attempt = attempt(2);
    look.earlier = Some(vec![execution_on("first")]);
    let warning = evidence(EvidenceSource::InterruptionWarning, 150);
    look.remembered = Some(remembered(vec![warning.clone()]));
    assert_eq!(
        look.verdict(),
        JobVerdict::Settle {
            reason: SettleReason::AttemptLimit,
            end: None,
            ran_on: Some(instance()),
            given_up: had_its_re_runs(&warning),
            evidence: vec![warning],
        }
    );
}

#[test]
fn a_dependent_that_executes_first_in_a_later_attempt_has_its_own_first_execution() {
    let mut look = Look::at(tagged(view()));
    look.job.run_attempt = attempt(2);
    look.earlier = Some(vec![Execution {
        runner_name: None,
        ..execution_on("none, it was skipped")
    }]);
    assert!(matches!(look.verdict(), JobVerdict::Await { .. }));
}

#[test]
fn an_interrupted_first_execution_awaits_its_re_run() {
    assert_eq!(
        Look::at(tagged(view())).verdict(),
        awaits(vec![evidence(EvidenceSource::Tag, NOW)])
    );
}

#[test]
fn a_run_that_github_does_not_show_any_more_settles_its_job_with_that_and_keeps_the_evidence() {
    let warning = evidence(EvidenceSource::InterruptionWarning, 150);
    let claimed = Look::unreadable(tagged(view()));
    let mut warned = Look::unreadable(view());
    warned.remembered = Some(remembered(vec![warning.clone()]));
    let bare = Look::unreadable(view());
    let tag = evidence(EvidenceSource::Tag, NOW);
    for (look, end, evidence) in [
        (claimed, Some(instance()), vec![tag]),
        (warned, None, vec![warning]),
        (bare, Some(instance()), Vec::new()),
    ] {
        assert_eq!(
            look.verdict(),
            JobVerdict::Settle {
                reason: SettleReason::Refused(refusal()),
                end,
                ran_on: Some(instance()),
                evidence,
                given_up: None,
            }
        );
    }
}

#[test]
fn what_is_certain_without_the_earlier_attempts_is_said_without_them() {
    let mut on_demand = Look::unreadable(view());
    on_demand.seen.as_mut().expect("seen").capacity = Capacity::OnDemand;
    assert!(is_settled(&on_demand.verdict(), &SettleReason::NotSpot));
    let mut carried_over = Look::unreadable(view());
    carried_over.job.created_at = Some(at(201));
    assert_eq!(
        carried_over.verdict(),
        JobVerdict::Ignore(IgnoreReason::CarriedOver)
    );
}

/// What is kept of it.
fn had_its_re_runs(evidence: &Evidence) -> Option<Box<Grounds>> {
    let grounds = awaits(vec![evidence.clone()]).grounds();
    grounds.map(Box::new)
}
