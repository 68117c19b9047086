//! Jobs whose policy asks an endpoint.

use reprise_model::advice::{NoAnswer, Said};

use super::*;
use crate::failure::UNTOLD;

#[test]
fn an_interrupted_job_is_asked_about_with_all_that_is_known_of_it() {
    let JobVerdict::Ask(question) = interrupted(1, None).verdict() else {
        panic!("it is to be asked about");
    };
    assert_eq!(question.endpoint, judge());
    assert!(question.interrupted && question.evidence.len() == 1);
    assert_eq!(question.capacity, Some(Capacity::Spot));
    assert_eq!((question.attempts, question.most_attempts), (1, 6));
    assert_eq!(question.failure, None);
    let urls = (question.run.url.as_str(), question.job.url.as_str());
    let run = "https://github.com/acme/shop/actions/runs/900";
    assert_eq!(urls, (run, format!("{run}/job/1").as_str()));
}

#[test]
fn an_interrupted_job_comes_back_where_the_endpoint_says_so_and_not_where_it_does_not() {
    let yes = interrupted(1, Some(yes())).verdict();
    let grounds = yes.grounds().expect("it comes back");
    assert_eq!((grounds.policy, grounds.why), (ask(), Why::Interrupted));
    assert_eq!(grounds.advice.expect("kept").said, self::yes());
    let verdict = interrupted(1, Some(no())).verdict();
    let (reason, grounds) = verdict.given_up().expect("it is kept");
    assert_eq!(*reason, SettleReason::EndpointSaidNo);
    assert_eq!(grounds.advice.as_ref().expect("kept").said, no());
    assert!(!grounds.evidence.is_empty());
}

#[test]
fn the_default_policy_holds_for_an_interrupted_job_whose_endpoint_gives_no_answer() {
    let first = interrupted(1, Some(nothing())).verdict();
    let grounds = first.grounds().expect("it comes back");
    assert_eq!(grounds.policy, RetryPolicy::USUAL);
    assert_eq!(grounds.advice.expect("kept").said, nothing());
    let again = interrupted(2, Some(nothing())).verdict();
    assert!(is_settled(&again, &SettleReason::AttemptLimit), "{again:?}");
}

#[test]
fn no_endpoint_has_a_job_re_run_more_often_than_any_policy() {
    for (executions, is_asked) in [(5, true), (6, false)] {
        let verdict = interrupted(executions, None).verdict();
        assert_eq!(matches!(verdict, JobVerdict::Ask(_)), is_asked);
        let mut look = failed(None);
        look.job.run_attempt = attempt(executions);
        look.earlier = Some(Vec::new());
        assert_eq!(matches!(look.verdict(), JobVerdict::Ask(_)), is_asked);
        look.advice = Some(advice(yes()));
        let limit = is_settled(&look.verdict(), &SettleReason::AttemptLimit);
        assert_eq!(limit, !is_asked, "also where it says yes");
    }
}

#[test]
fn a_failure_is_read_before_the_endpoint_is_asked_about_it() {
    let mut look = failed(None);
    look.failure = None;
    assert_eq!(look.verdict(), JobVerdict::ReadFailure);
    look.failure = Some(Judgement {
        failed_step: Some("Run make".to_owned()),
        ..UNTOLD
    });
    let JobVerdict::Ask(question) = look.verdict() else {
        panic!("it is to be asked about");
    };
    assert!(!question.interrupted && question.evidence.is_empty());
    assert_eq!(question.job.failed_step.as_deref(), Some("Run make"));
    assert_eq!(question.failure.map(|one| one.class), Some(UNTOLD.class));
}

#[test]
fn a_failure_comes_back_only_where_the_endpoint_says_so() {
    let verdict = failed(Some(yes())).verdict();
    let JobVerdict::Retry { why, end, .. } = &verdict else {
        panic!("it comes back: {verdict:?}");
    };
    assert_eq!((why, end), (&Why::Advised, &Some(instance())));
    for (said, wanted) in [
        (no(), SettleReason::EndpointSaidNo),
        (nothing(), SettleReason::EndpointUnanswered),
    ] {
        let verdict = failed(Some(said.clone())).verdict();
        let (reason, grounds) = verdict.given_up().expect("it is kept");
        assert_eq!(*reason, wanted);
        assert_eq!(grounds.advice.as_ref().expect("kept").said, said);
    }
}

#[test]
fn a_failure_elsewhere_is_asked_about_too_and_a_cancelled_job_is_not() {
    let mut look = failed(None);
    look.fleet = OURS;
    look.seen = Some(InstanceView {
        tags: std::collections::BTreeMap::new(),
        ..view()
    });
    let JobVerdict::Ask(question) = look.verdict() else {
        panic!("it is to be asked about");
    };
    assert!(!question.interrupted);
    look.job.conclusion = Some(Conclusion::Cancelled);
    assert_eq!(
        look.verdict(),
        JobVerdict::Ignore(IgnoreReason::NotOurStack)
    );
}

#[test]
fn a_label_that_may_not_name_its_endpoint_is_told_of_with_the_policy_in_its_place() {
    let not_allowed = Said::Nothing {
        why: NoAnswer::NotAllowed,
    };
    let mut look = interrupted(1, Some(not_allowed.clone()));
    look.policy = RetryPolicy::USUAL;
    let grounds = look.verdict().grounds().expect("it comes back");
    assert_eq!(grounds.advice.expect("kept").said, not_allowed);
}

fn interrupted(execution: u32, said: Option<Said>) -> Look {
    let mut look = Look::at(tagged(view()));
    look.policy = ask();
    look.advice = said.map(advice);
    look.job.run_attempt = attempt(execution);
    let before = (1..execution).map(|number| execution_on(&format!("i-{number}")));
    look.earlier = Some(before.collect());
    look
}

fn failed(said: Option<Said>) -> Look {
    let mut look = Look::at(view());
    look.policy = ask();
    look.advice = said.map(advice);
    look.failure = Some(UNTOLD);
    look.now = at(400);
    look
}

pub(super) fn advice(said: Said) -> Advice {
    Advice {
        endpoint: judge(),
        at: at(NOW),
        said,
        interrupted: true,
    }
}

fn judge() -> reprise_model::advice::EndpointName {
    "judge".parse().expect("a name")
}

fn ask() -> RetryPolicy {
    RetryPolicy::Ask(judge())
}

pub(super) fn yes() -> Said {
    Said::Yes {
        capacity: None,
        reason: None,
    }
}

pub(super) fn no() -> Said {
    Said::No { reason: None }
}

pub(super) fn nothing() -> Said {
    Said::Nothing {
        why: NoAnswer::TimedOut,
    }
}

#[test]
fn a_no_to_a_failure_is_none_to_an_interruption_that_shows_later() {
    let mut asked = advice(no());
    asked.interrupted = false;
    assert!(asked.answers(false) && !asked.answers(true));
    assert!(advice(no()).answers(true));
    assert!(
        Advice {
            said: yes(),
            ..asked
        }
        .answers(true)
    );
}
