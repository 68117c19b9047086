//! `evidence = "proof"`: the tag is a claim, and EC2 is the witness.

use super::*;

#[test]
fn a_tag_alone_is_no_proof_and_what_it_claims_is_looked_at_until_ec2_would_have_told() {
    let mut look = proving(tagged(view()));
    for (now, again_at) in [(205, 210), (240, 280), (280, 360), (378, 380)] {
        look.now = at(now);
        assert_eq!(look.verdict(), again_until(again_at, 380), "at {now}");
    }
    look.now = at(380);
    assert_eq!(
        look.verdict(),
        settled(
            SettleReason::Uncorroborated,
            Some(instance()),
            Some(instance())
        )
    );
    look.rules.evidence = EvidenceRule::Claim;
    let tag = evidence(EvidenceSource::Tag, 380);
    assert_eq!(look.verdict(), awaits(vec![tag]));
}

#[test]
fn each_of_the_three_other_sources_proves_what_the_tag_claims() {
    let tag = evidence(EvidenceSource::Tag, NOW);

    let mut warned = proving(tagged(view()));
    let warning = evidence(EvidenceSource::InterruptionWarning, 195);
    warned.remembered = Some(remembered(vec![warning.clone()]));
    assert_eq!(warned.verdict(), awaits(vec![tag.clone(), warning]));

    let mut taken = proving(tagged(view()));
    taken.seen = taken.seen.map(|seen| InstanceView {
        state_reason: Some("Server.SpotInstanceTermination".to_owned()),
        ..seen
    });
    let reason = evidence(EvidenceSource::StateReason, NOW);
    assert_eq!(taken.verdict(), awaits(vec![tag.clone(), reason]));

    let mut marked = proving(tagged(view()));
    marked.spot_request = Some(status("marked-for-termination", 198));
    let status = evidence(EvidenceSource::SpotRequest, 198);
    assert_eq!(marked.verdict(), awaits(vec![tag, status]));
}

#[test]
fn each_of_them_proves_it_without_a_tag_too() {
    let mut look = proving(view());
    let warning = evidence(EvidenceSource::InterruptionWarning, 195);
    look.remembered = Some(remembered(vec![warning.clone()]));
    assert_eq!(look.verdict(), awaits(vec![warning]));
}

#[test]
fn a_stop_proves_as_much_as_a_termination_does() {
    for code in ["marked-for-stop", "instance-stopped-no-capacity"] {
        let mut look = proving(tagged(view()));
        look.spot_request = Some(status(code, NOW));
        let tag = evidence(EvidenceSource::Tag, NOW);
        let status = evidence(EvidenceSource::SpotRequest, NOW);
        assert_eq!(look.verdict(), awaits(vec![tag, status]), "{code}");
    }
}

#[test]
fn a_spot_request_whose_instance_lives_or_was_ended_by_its_user_proves_nothing() {
    for code in ["fulfilled", "instance-terminated-by-user"] {
        let mut look = proving(tagged(view()));
        look.spot_request = Some(status(code, NOW));
        assert_eq!(look.verdict(), again_until(210, 380), "{code}");
    }
}

#[test]
fn proof_that_does_not_count_for_the_job_proves_nothing() {
    let mut look = proving(tagged(view()));
    // A notice to an earlier tenant of the instance, or one after the job had failed by itself.
    for seconds in [-30, 235] {
        let warning = evidence(EvidenceSource::InterruptionWarning, seconds);
        look.remembered = Some(remembered(vec![warning]));
        look.now = at(380);
        assert!(
            is_settled(&look.verdict(), &SettleReason::Uncorroborated),
            "{seconds}"
        );
    }
}

#[test]
fn a_mark_that_came_after_the_job_had_failed_by_itself_proves_nothing() {
    let mut look = proving(tagged(view()));
    look.now = at(379);
    look.spot_request = Some(status("marked-for-termination", 230));
    assert!(matches!(look.verdict(), JobVerdict::Await { .. }));
    look.spot_request = Some(status("marked-for-termination", 231));
    assert_eq!(look.verdict(), again_until(380, 380));
}

#[test]
fn the_spot_request_is_asked_for_only_where_it_can_matter() {
    let claimed = proving(tagged(view()));
    assert!(claimed.asks_for_spot_request());
    let mut forgotten = Look::absent(Some(remembered(vec![evidence(EvidenceSource::Tag, 190)])));
    forgotten.rules.evidence = EvidenceRule::Proof;
    assert!(forgotten.asks_for_spot_request());

    let not = |change: &dyn Fn(&mut Look)| {
        let mut look = claimed.clone();
        change(&mut look);
        !look.asks_for_spot_request()
    };
    assert!(not(&|look| look.rules.evidence = EvidenceRule::Claim));
    assert!(not(&|look| look.seen = Some(view())), "nothing claims it");
    assert!(not(&|look| look.job.conclusion = Some(Conclusion::Success)));
    assert!(not(&|look| look.job.runner_name = None));
    assert!(not(&|look| look.repository_allowed = false));
    assert!(not(&|look| {
        let warning = evidence(EvidenceSource::InterruptionWarning, 195);
        look.remembered = Some(remembered(vec![warning]));
    }));
    assert!(not(&|look| {
        look.seen = Some(InstanceView {
            capacity: Capacity::OnDemand,
            ..tagged(view())
        });
    }));
    assert!(not(&|look| {
        look.remembered = Some(remembered(vec![evidence(EvidenceSource::Tag, 94)]));
    }));
}

#[test]
fn what_proves_nothing_is_a_failure_for_a_policy_that_re_runs_failures() {
    let mut look = proving(tagged(view()));
    look.policy = "when-failed:3".parse().expect("a policy");
    look.now = at(380);
    assert!(matches!(look.verdict(), JobVerdict::Retry { .. }));
}

/// Proof is asked for.
fn proving(view: InstanceView) -> Look {
    let mut look = Look::at(view);
    look.rules.evidence = EvidenceRule::Proof;
    look
}

fn status(code: &str, since: i64) -> SpotStatus {
    SpotStatus {
        code: code.to_owned(),
        since: Some(at(since)),
    }
}
