//! Failures that no interruption explains, where the policy re-runs failures.

use reprise_model::failure::{FailureClass, FailureRule, FailureSign, FailureSource};

use super::*;

#[test]
fn a_failed_job_is_re_run_wherever_it_ran_and_its_instance_ended_as_always() {
    let on_demand = InstanceView {
        capacity: Capacity::OnDemand,
        ..view()
    };
    for (mut look, end, ran_on) in [
        (Look::at(view()), Some(instance()), Some(instance())),
        (Look::at(on_demand), Some(instance()), None),
        (Look::absent(None), None, None),
    ] {
        look.policy = when_failed();
        look.now = at(400);
        assert_eq!(look.verdict(), retry(0, end, ran_on));
    }
    for host in [Host::NotNamed, Host::ElsewhereRegion] {
        let (job, repository) = (job(1, "build"), repository());
        let facts = facts(&job, &repository, host);
        let verdict = completed(&facts, &Rules::default(), at(NOW));
        assert_eq!(verdict, retry(0, None, None));
    }
}

#[test]
fn a_spot_job_is_first_looked_at_for_evidence_which_goes_before() {
    let mut look = Look::at(view());
    look.policy = when_failed();
    assert!(matches!(look.verdict(), JobVerdict::LookAgain { .. }));
    look.seen = Some(tagged(view()));
    assert!(matches!(look.verdict(), JobVerdict::Await { .. }));
}

#[test]
fn only_what_failed_or_timed_out_is_a_failure() {
    for (conclusion, again) in [
        (Conclusion::Failure, true),
        (Conclusion::TimedOut, true),
        (Conclusion::Cancelled, false),
        (Conclusion::Success, false),
        (Conclusion::ActionRequired, false),
    ] {
        let mut look = Look::at(view());
        look.policy = when_failed();
        look.now = at(400);
        look.job.conclusion = Some(conclusion.clone());
        let is_retried = matches!(look.verdict(), JobVerdict::Retry { .. });
        assert_eq!(is_retried, again, "{conclusion:?}");
    }
}

#[test]
fn failures_are_re_run_while_the_run_has_had_fewer_attempts_than_the_policy_names() {
    for (policy, number, again) in [
        ("when-failed", 1, true),
        ("when-failed", 2, true),
        ("when-failed", 3, false),
        ("when-failed:2", 1, true),
        ("when-failed:2", 2, false),
    ] {
        let mut look = Look::at(view());
        look.policy = policy.parse().expect("a policy");
        look.now = at(400);
        look.job.run_attempt = attempt(number);
        // It runs for the first time, and the run does not.
        look.earlier = Some(Vec::new());
        let expected = if again {
            JobVerdict::Retry {
                why: Why::Failed,
                policy: look.policy,
                pause: secs(0),
                end: Some(instance()),
                ran_on: Some(instance()),
                told: None,
                advice: None,
            }
        } else {
            let here = Some(instance());
            let grounds = kept(Why::Failed, look.policy, here.clone(), None);
            given_up(SettleReason::AttemptLimit, here, grounds)
        };
        assert_eq!(look.verdict(), expected, "{policy} in attempt {number}");
    }
}

#[test]
fn what_may_pass_is_told_by_what_made_it_fail_once_that_was_read() {
    let (job, repository) = (job(1, "build"), repository());
    let policy: RetryPolicy = "when-transient:3".parse().expect("a policy");
    let judged = |number: u32, failure: Option<&Judgement>| {
        let job = Job {
            run_attempt: attempt(number),
            ..job.clone()
        };
        let facts = JobFacts {
            policy,
            earlier: Earlier::Read(&[]),
            failure,
            ..facts(&job, &repository, Host::NotNamed)
        };
        completed(&facts, &Rules::default(), at(NOW))
    };
    assert_eq!(judged(1, None), JobVerdict::ReadFailure);
    let told = |class| Judgement {
        class,
        decided_by: Some(DecidedBy {
            rule: FailureRule::Sign(FailureSign::HostLost),
            source: FailureSource::Steps,
            line: "Run make".to_owned(),
        }),
        failed_step: None,
    };
    let transient = told(FailureClass::Transient);
    let again = JobVerdict::Retry {
        why: Why::Transient,
        policy,
        pause: secs(0),
        end: None,
        ran_on: None,
        told: transient.decided_by.clone(),
        advice: None,
    };
    assert_eq!(judged(2, Some(&transient)), again);
    for (number, class, reason) in [
        (1, FailureClass::Permanent, SettleReason::PermanentFailure),
        (1, FailureClass::Unknown, SettleReason::UnknownFailure),
        (3, FailureClass::Transient, SettleReason::AttemptLimit),
    ] {
        let failure = told(class);
        let grounds = kept(Why::Transient, policy, None, failure.decided_by.clone());
        let over = given_up(reason, None, grounds);
        assert_eq!(judged(number, Some(&failure)), over);
    }
}

#[test]
fn the_pause_is_the_one_of_the_attempt() {
    let mut look = Look::at(view());
    look.policy = when_failed();
    look.delays = vec![secs(10), secs(30)];
    look.now = at(400);
    let here = Some(instance());
    assert_eq!(look.verdict(), retry(10, here.clone(), here.clone()));
    look.job.run_attempt = attempt(2);
    look.earlier = Some(Vec::new());
    assert_eq!(look.verdict(), retry(30, here.clone(), here));
}

#[test]
fn a_record_of_an_earlier_attempt_is_no_failure_of_this_one_wherever_it_ran() {
    let (mut job, repository) = (job(1, "build"), repository());
    job.run_attempt = attempt(2);
    let unread = facts(&job, &repository, Host::NotNamed);
    let judged = |facts: &JobFacts<'_>| completed(facts, &Rules::default(), at(NOW));
    assert_eq!(judged(&unread), JobVerdict::ReadEarlier);
    let before = [job.execution()];
    let carried_over = JobFacts {
        earlier: Earlier::Read(&before),
        ..unread
    };
    assert_eq!(
        judged(&carried_over),
        JobVerdict::Ignore(IgnoreReason::CarriedOver)
    );
    let refusal = refusal();
    let unreadable = JobFacts {
        earlier: Earlier::Unreadable(&refusal),
        ..unread
    };
    let refused = SettleReason::Refused(refusal.clone());
    assert_eq!(judged(&unreadable), settled(refused, None, None));
}

#[test]
fn without_such_a_policy_a_job_elsewhere_is_nobodys_business() {
    let (job, repository) = (job(1, "build"), repository());
    let facts = JobFacts {
        policy: RetryPolicy::USUAL,
        ..facts(&job, &repository, Host::NotNamed)
    };
    assert_eq!(
        completed(&facts, &Rules::default(), at(NOW)),
        JobVerdict::Ignore(IgnoreReason::RunnerNameWithoutInstance)
    );
    let not_allowed = JobFacts {
        policy: when_failed(),
        repository_allowed: false,
        ..facts
    };
    assert_eq!(
        completed(&not_allowed, &Rules::default(), at(NOW)),
        JobVerdict::Ignore(IgnoreReason::RepositoryNotAllowed)
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
        policy: when_failed(),
        delays: &[],
        failure: None,
        advice: None,
        web: WEB,
        fleet: OURS,
    }
}

fn retry(pause: i64, end: Option<Instance>, ran_on: Option<Instance>) -> JobVerdict {
    JobVerdict::Retry {
        why: Why::Failed,
        policy: when_failed(),
        pause: secs(pause),
        end,
        ran_on,
        told: None,
        advice: None,
    }
}

fn given_up(reason: SettleReason, here: Option<Instance>, grounds: Grounds) -> JobVerdict {
    JobVerdict::Settle {
        reason,
        end: here.clone(),
        ran_on: here,
        evidence: Vec::new(),
        given_up: Some(Box::new(grounds)),
    }
}

fn kept(
    why: Why,
    policy: RetryPolicy,
    instance: Option<Instance>,
    told: Option<DecidedBy>,
) -> Grounds {
    Grounds {
        why,
        policy,
        instance,
        evidence: Vec::new(),
        told,
        advice: None,
        pause: secs(0),
    }
}

fn when_failed() -> RetryPolicy {
    "when-failed".parse().expect("a policy")
}
