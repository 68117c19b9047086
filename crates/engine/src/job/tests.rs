//! The table "A job completed", a test a row.

mod invariants;
mod remember;

use jiff::SignedDuration;
use reprise_model::ids::RunnerName;

use super::*;
use crate::samples::{
    STACK, at, attempt, evidence, instance, job, remembered, repository, secs, tagged, view,
};

const OURS: FleetRule<'static> = FleetRule::Ours { stack: STACK };
const NOW: i64 = 205;

#[test]
fn a_job_of_a_repository_that_is_not_allowed_is_ignored() {
    let mut look = Look::at(view());
    look.repository_allowed = false;
    assert_eq!(
        look.verdict(),
        JobVerdict::Ignore(IgnoreReason::RepositoryNotAllowed)
    );
}

#[test]
fn a_job_that_has_not_completed_decides_nothing() {
    let mut look = Look::at(tagged(view()));
    look.job.status = JobStatus::InProgress;
    assert_eq!(
        look.verdict(),
        JobVerdict::Ignore(IgnoreReason::NothingToDecide)
    );
}

#[test]
fn a_job_without_an_instance_of_ours_is_ignored() {
    let job = job(1, "build");
    let repository = repository();
    let ignored = |host| completed(&facts(&job, &repository, host), &Rules::default(), at(NOW));
    assert_eq!(
        ignored(Host::None),
        JobVerdict::Ignore(IgnoreReason::NoRunner)
    );
    assert_eq!(
        ignored(Host::NotNamed),
        JobVerdict::Ignore(IgnoreReason::RunnerNameWithoutInstance)
    );
    assert_eq!(
        ignored(Host::ElsewhereRegion),
        JobVerdict::Ignore(IgnoreReason::ForeignInstance)
    );
}

#[test]
fn an_instance_without_our_stacks_tag_is_ignored_even_when_it_was_interrupted() {
    for stack in [None, Some("another")] {
        let mut view = tagged(view());
        let key = Rules::default().tags.stack();
        match stack {
            Some(other) => view.tags.insert(key, other.to_owned()),
            None => view.tags.remove(&key),
        };
        assert_eq!(
            Look::at(view).verdict(),
            JobVerdict::Ignore(IgnoreReason::NotOurStack)
        );
    }
}

#[test]
fn a_foreign_fleets_instance_needs_no_tag_of_ours() {
    let mut view = tagged(view());
    view.tags.remove(&Rules::default().tags.stack());
    let mut look = Look::at(view);
    look.fleet = FleetRule::Foreign;
    assert!(matches!(look.verdict(), JobVerdict::Await { .. }));
}

#[test]
fn a_record_that_was_carried_over_from_an_earlier_attempt_is_ignored() {
    let mut look = Look::at(tagged(view()));
    look.job.run_attempt = attempt(2);
    look.earlier = Some(vec![look.job.execution()]);
    assert_eq!(
        look.verdict(),
        JobVerdict::Ignore(IgnoreReason::CarriedOver)
    );
}

#[test]
fn a_record_made_after_its_job_ended_is_ignored_without_a_read() {
    let mut look = Look::at(view());
    look.job.run_attempt = attempt(2);
    look.job.conclusion = Some(Conclusion::Success);
    look.job.created_at = look
        .job
        .completed_at
        .map(|ended| ended + SignedDuration::from_secs(1));
    assert_eq!(
        look.verdict(),
        JobVerdict::Ignore(IgnoreReason::CarriedOver)
    );
}

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
        }
    );
}

#[test]
fn a_job_that_is_not_re_run_does_not_keep_its_instance_by_a_tag_that_it_set_itself() {
    let mut opted_out = Look::at(tagged(view()));
    opted_out.policy = RetryPolicy::Never;
    let mut at_the_limit = Look::at(tagged(view()));
    at_the_limit.job.run_attempt = attempt(2);
    at_the_limit.earlier = Some(vec![execution_on("first")]);
    for (look, reason) in [
        (opted_out, SettleReason::OptedOut),
        (at_the_limit, SettleReason::AttemptLimit),
    ] {
        assert_eq!(
            look.verdict(),
            JobVerdict::Settle {
                reason,
                end: Some(instance()),
                ran_on: Some(instance()),
                evidence: vec![evidence(EvidenceSource::Tag, NOW)],
            }
        );
    }
}

#[test]
fn a_runner_that_bears_the_name_of_another_repositorys_instance_decides_nothing() {
    for conclusion in [Conclusion::Success, Conclusion::Failure] {
        for tag in ["acme/payments", "no repository"] {
            let mut look = Look::at(launched_for(tag));
            look.job.conclusion = Some(conclusion.clone());
            assert_eq!(
                look.verdict(),
                JobVerdict::Ignore(IgnoreReason::OtherRepository)
            );
        }
    }
}

#[test]
fn an_instance_that_was_launched_for_the_jobs_repository_is_its_own() {
    for tag in ["acme/shop", "Acme/Shop"] {
        let verdict = Look::at(launched_for(tag)).verdict();
        assert!(matches!(verdict, JobVerdict::Await { .. }), "{verdict:?}");
    }
}

#[test]
fn another_fleets_repository_tag_is_not_ours_to_read() {
    let mut look = Look::at(launched_for("acme/payments"));
    look.fleet = FleetRule::Foreign;
    assert!(matches!(look.verdict(), JobVerdict::Await { .. }));
}

fn launched_for(repository: &str) -> InstanceView {
    let mut view = tagged(view());
    let key = Rules::default().tags.repository();
    view.tags.insert(key, repository.to_owned());
    view
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
fn triage_decides_without_a_look_where_no_look_could_change_it() {
    let failed = job(1, "build");
    let mut passed = failed.clone();
    passed.conclusion = Some(Conclusion::Success);
    let mut without_runner = failed.clone();
    without_runner.runner_name = None;

    assert_eq!(triage(&failed, true, OURS), Triage::Look);
    assert_eq!(triage(&failed, true, FleetRule::Foreign), Triage::Look);
    assert_eq!(triage(&passed, true, OURS), Triage::Look);
    assert_eq!(
        triage(&passed, true, FleetRule::Foreign),
        Triage::Decided(settled(SettleReason::Succeeded, None, None))
    );
    assert_eq!(
        triage(&failed, false, OURS),
        Triage::Decided(JobVerdict::Ignore(IgnoreReason::RepositoryNotAllowed))
    );
    assert_eq!(
        triage(&without_runner, true, OURS),
        Triage::Decided(JobVerdict::Ignore(IgnoreReason::NoRunner))
    );
}

#[test]
fn the_defaults_are_a_minutes_window_with_a_look_each_five_seconds() {
    let rules = Rules::default();
    assert_eq!(rules.look_window, secs(60));
    assert_eq!(rules.look_again_after, SignedDuration::from_secs(5));
}

/// What a look at a job's host finds, owned.
#[derive(Debug, Clone)]
struct Look {
    job: Job,
    repository_allowed: bool,
    seen: Option<InstanceView>,
    remembered: Option<InstanceEntry>,
    earlier: Option<Vec<Execution>>,
    policy: RetryPolicy,
    fleet: FleetRule<'static>,
    now: Timestamp,
}

impl Look {
    fn at(view: InstanceView) -> Self {
        Self {
            job: job(1, "build"),
            repository_allowed: true,
            seen: Some(view),
            remembered: None,
            earlier: None,
            policy: RetryPolicy::WhenInterrupted,
            fleet: OURS,
            now: at(NOW),
        }
    }

    fn absent(remembered: Option<InstanceEntry>) -> Self {
        Self {
            seen: None,
            remembered,
            ..Self::at(view())
        }
    }

    fn verdict(&self) -> JobVerdict {
        let sight = match &self.seen {
            Some(view) => InstanceSight::Seen(view.clone()),
            None => InstanceSight::Absent,
        };
        let repository = repository();
        let facts = JobFacts {
            job: &self.job,
            repository: &repository,
            repository_allowed: self.repository_allowed,
            host: Host::Looked {
                sight: &sight,
                remembered: self.remembered.as_ref(),
            },
            earlier: match &self.earlier {
                Some(earlier) => Earlier::Read(earlier),
                None => Earlier::Unread,
            },
            policy: self.policy,
            fleet: self.fleet,
        };
        completed(&facts, &Rules::default(), self.now)
    }
}

fn facts<'a>(job: &'a Job, repository: &'a Repository, host: Host<'a>) -> JobFacts<'a> {
    JobFacts {
        job,
        repository,
        repository_allowed: true,
        host,
        earlier: Earlier::Unread,
        policy: RetryPolicy::WhenInterrupted,
        fleet: OURS,
    }
}

fn again(seconds: i64) -> JobVerdict {
    JobVerdict::LookAgain {
        at: at(seconds),
        until: at(260),
    }
}

fn awaits(evidence: Vec<Evidence>) -> JobVerdict {
    JobVerdict::Await {
        instance: instance(),
        evidence,
        policy: RetryPolicy::WhenInterrupted,
    }
}

fn is_settled(verdict: &JobVerdict, wanted: &SettleReason) -> bool {
    matches!(verdict, JobVerdict::Settle { reason, .. } if reason == wanted)
}

fn execution_on(runner: &str) -> Execution {
    Execution {
        runner_name: Some(RunnerName::new(runner)),
        started_at: Some(at(10)),
        completed_at: Some(at(20)),
    }
}
