//! Which evidence counts for a job, and how long it is looked for.

use super::*;

#[test]
fn without_evidence_the_instance_is_looked_at_again_until_the_window_ends() {
    let mut look = Look::at(view());
    assert_eq!(look.verdict(), again(210));
    look.now = at(258);
    assert_eq!(look.verdict(), again(260));
}

#[test]
fn without_evidence_at_the_windows_end_the_job_was_not_interrupted_and_its_instance_is_ended() {
    let mut look = Look::at(view());
    look.now = at(260);
    assert_eq!(
        look.verdict(),
        settled(
            SettleReason::NotInterrupted,
            Some(instance()),
            Some(instance())
        )
    );
}

#[test]
fn an_instance_that_ec2_has_forgotten_leaves_the_evidence_expired_after_the_window() {
    for fleet in [OURS, FleetRule::Foreign] {
        let mut look = Look::absent(None);
        look.fleet = fleet;
        assert_eq!(look.verdict(), again(210));
        look.now = at(260);
        assert_eq!(
            look.verdict(),
            settled(SettleReason::EvidenceExpired, None, None)
        );
    }
}

#[test]
fn a_job_without_an_end_time_is_not_looked_at_for_ever() {
    let mut look = Look::at(view());
    look.job.completed_at = None;
    look.now = at(160);
    assert!(is_settled(&look.verdict(), &SettleReason::NotInterrupted));
    look.job.started_at = None;
    look.job.created_at = None;
    assert!(is_settled(&look.verdict(), &SettleReason::NotInterrupted));
}

#[test]
fn a_warning_from_just_before_the_job_began_explains_its_end() {
    let mut look = Look::at(view());
    look.job.completed_at = Some(at(130));
    let warning = evidence(EvidenceSource::InterruptionWarning, 95);
    look.remembered = Some(remembered(vec![warning.clone()]));
    look.now = at(190);
    assert_eq!(look.verdict(), awaits(vec![warning]));
}

#[test]
fn a_warning_that_came_long_after_the_jobs_end_is_another_jobs() {
    let mut look = Look::at(view());
    look.fleet = FleetRule::Foreign;
    look.now = at(200 + 600);
    let warning = evidence(EvidenceSource::InterruptionWarning, 200 + 540);
    look.remembered = Some(remembered(vec![warning]));
    assert!(is_settled(&look.verdict(), &SettleReason::NotInterrupted));
}

#[test]
fn the_evidence_decides_and_not_the_word_for_the_end() {
    for conclusion in [
        Some(Conclusion::Failure),
        Some(Conclusion::Cancelled),
        Some(Conclusion::TimedOut),
        Some(Conclusion::Stale),
        Some(Conclusion::Unknown("lost".to_owned())),
        None,
    ] {
        let mut look = Look::at(tagged(view()));
        look.job.conclusion = conclusion.clone();
        let verdict = look.verdict();
        assert!(
            matches!(verdict, JobVerdict::Await { .. }),
            "{conclusion:?}: {verdict:?}"
        );
    }
}

#[test]
fn ec2s_state_reason_is_evidence() {
    let mut view = view();
    view.state = InstanceState::Terminated;
    view.state_reason = Some("Server.SpotInstanceTermination".to_owned());
    assert_eq!(
        Look::at(view).verdict(),
        awaits(vec![evidence(EvidenceSource::StateReason, NOW)])
    );
}

#[test]
fn what_the_store_remembers_is_enough_when_ec2_has_forgotten_the_instance() {
    let warning = evidence(EvidenceSource::InterruptionWarning, 150);
    let look = Look::absent(Some(remembered(vec![warning.clone()])));
    assert_eq!(look.verdict(), awaits(vec![warning]));
}

#[test]
fn each_source_counts_once_with_its_earliest_word() {
    let mut look = Look::at(tagged(view()));
    look.remembered = Some(remembered(vec![
        evidence(EvidenceSource::InterruptionWarning, 150),
        evidence(EvidenceSource::Tag, 160),
    ]));
    assert_eq!(
        look.verdict(),
        awaits(vec![
            evidence(EvidenceSource::Tag, 160),
            evidence(EvidenceSource::InterruptionWarning, 150),
        ])
    );
}

#[test]
fn a_tag_that_was_there_before_the_job_is_void_though_it_is_there_still() {
    let mut look = Look::at(tagged(view()));
    look.remembered = Some(remembered(vec![evidence(EvidenceSource::Tag, 60)]));
    assert_eq!(look.verdict(), again(210));
}

#[test]
fn a_job_that_ended_long_after_the_notice_survived_it() {
    let mut look = Look::at(view());
    look.job.completed_at = Some(at(150 + 15 * 60 + 1));
    look.now = at(2_000);
    look.remembered = Some(remembered(vec![evidence(
        EvidenceSource::InterruptionWarning,
        150,
    )]));
    assert!(is_settled(&look.verdict(), &SettleReason::NotInterrupted));
}

#[test]
fn the_longer_nothing_shows_up_the_rarer_a_job_is_looked_at() {
    let mut look = Look::at(view());
    look.now = at(200);
    let mut looks = Vec::new();
    while let JobVerdict::LookAgain { at, .. } = look.verdict() {
        looks.push(at);
        look.now = at;
    }
    assert_eq!(looks, [205, 210, 220, 240, 260].map(at));
}
