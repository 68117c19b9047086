//! What is remembered of an instance.

use reprise_model::ids::JobId;
use reprise_model::ledger::UnexplainedJob;

use super::*;
use crate::samples::repository;

#[test]
fn evidence_is_added_once_and_keeps_its_earliest_time() {
    let tag = evidence(EvidenceSource::Tag, 150);
    let entry = with_evidence(None, &instance(), std::slice::from_ref(&tag));
    assert_eq!(entry, Some(remembered(vec![tag.clone()])));
    let later = evidence(EvidenceSource::Tag, 170);
    assert_eq!(with_evidence(entry, &instance(), &[later]), None);
    assert_eq!(with_evidence(None, &instance(), &[]), None);
}

#[test]
fn an_unexplained_job_is_looked_at_once_more_and_then_forgotten() {
    let rules = Rules::default();
    let unexplained_job = UnexplainedJob {
        repository: repository(),
        job: job(1, "build"),
    };
    let remember = |entry, now| {
        let job = unexplained_job.clone();
        unexplained(entry, &instance(), job, FleetRule::Foreign, &rules, at(now))
    };
    let entry = remember(None, 260).expect("a record");
    assert_eq!(entry.unexplained, Some(unexplained_job.clone()));
    assert_eq!(entry.due.map(|due| due.at), Some(at(200 + 600)));
    assert_eq!(remember(Some(entry.clone()), 261), None, "it is there");
    assert_eq!(remember(Some(entry.clone()), 800), None, "the last look");
    let after = looked_late(entry).expect("a change");
    assert_eq!((after.unexplained.clone(), after.due), (None, None));
    assert_eq!(looked_late(after), None);
}

#[test]
fn on_our_own_fleet_a_job_that_failed_by_itself_leaves_no_record() {
    let unexplained_job = UnexplainedJob {
        repository: repository(),
        job: job(1, "build"),
    };
    let rules = Rules::default();
    let entry = unexplained(None, &instance(), unexplained_job, OURS, &rules, at(260));
    assert_eq!(entry, None);
}

#[test]
fn late_evidence_leaves_nothing_unexplained() {
    let before = InstanceEntry {
        unexplained: Some(UnexplainedJob {
            repository: repository(),
            job: job(1, "build"),
        }),
        ..remembered(Vec::new())
    };
    let tag = evidence(EvidenceSource::Tag, 150);
    let after = InstanceEntry {
        judged: Some(JobId(1)),
        ..remembered(vec![tag.clone()])
    };
    let explain = |entry| {
        explained(
            Some(entry),
            &instance(),
            std::slice::from_ref(&tag),
            JobId(1),
        )
    };
    assert_eq!(explain(before), Some(after.clone()));
    assert_eq!(explain(after), None, "it is known already");
}
