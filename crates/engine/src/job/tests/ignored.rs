//! Jobs that are none of ours, or tell nothing new.

use reprise_model::ids::RunnerId;
use reprise_model::ledger::HandedOver;

use super::*;

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

/// A job of another repository of the same organisation, on the runner that was made for the instance.
fn on_our_runner(tag: &str) -> Look {
    let mut look = Look::at(launched_for(tag));
    let runner = HandedOver {
        id: RunnerId(31),
        name: look.job.runner_name.clone().expect("it ran"),
        is_only: true,
    };
    look.job.runner_id = Some(runner.id);
    look.runner = Some(runner);
    look
}

#[test]
fn a_job_that_took_the_runner_made_for_another_repository_is_judged_like_any_other() {
    let mut look = on_our_runner("acme/payments");
    let verdict = look.verdict();
    assert!(matches!(verdict, JobVerdict::Await { .. }), "{verdict:?}");
    look.job.conclusion = Some(Conclusion::Success);
    let mut running = launched_for("acme/payments");
    running.tags.remove(&Rules::default().tags.interrupted());
    look.seen = Some(running);
    let verdict = look.verdict();
    assert!(
        matches!(verdict, JobVerdict::Settle { end: Some(_), .. }),
        "{verdict:?}"
    );
}

#[test]
fn a_forged_name_another_number_or_another_owner_is_ignored_as_before() {
    let mut other_number = on_our_runner("acme/payments");
    other_number.job.runner_id = Some(RunnerId(32));
    let mut no_number = on_our_runner("acme/payments");
    no_number.job.runner_id = None;
    let mut other_name = on_our_runner("acme/payments");
    let forged = format!("reprise--{}--00000000", instance().id);
    other_name.job.runner_name = Some(RunnerName::new(forged));
    let mut unknown = on_our_runner("acme/payments");
    unknown.runner = None;
    let other_owner = on_our_runner("globex/payments");
    for look in [other_number, no_number, other_name, unknown, other_owner] {
        assert_eq!(
            look.verdict(),
            JobVerdict::Ignore(IgnoreReason::OtherRepository)
        );
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
fn triage_decides_without_a_look_where_no_look_could_change_it() {
    let failed = job(1, "build");
    let mut passed = failed.clone();
    passed.conclusion = Some(Conclusion::Success);
    let mut without_runner = failed.clone();
    without_runner.runner_name = None;

    assert_eq!(triage(&failed, true, OURS), Triage::Look);
    assert_eq!(triage(&failed, true, FleetRule::Foreign), Triage::Look);
    assert_eq!(triage(&passed, true, OURS), Triage::Recall);
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

fn facts<'a>(job: &'a Job, repository: &'a Repository, host: Host<'a>) -> JobFacts<'a> {
    JobFacts {
        job,
        repository,
        repository_allowed: true,
        host,
        runner: None,
        spot_request: None,
        earlier: Earlier::Unread,
        policy: RetryPolicy::USUAL,
        delays: &[],
        failure: None,
        advice: None,
        web: WEB,
        fleet: OURS,
    }
}
