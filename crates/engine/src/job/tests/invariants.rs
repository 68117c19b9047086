//! What holds for any facts about a completed job at all.

use proptest::prelude::*;
use reprise_model::policy::FailurePolicy;

use super::*;
use crate::failure::UNTOLD;

proptest! {
    #[test]
    fn any_facts_at_all_have_a_verdict_that_keeps_the_invariants(look in any_look()) {
        let verdict = look.verdict();
        match &verdict {
            JobVerdict::Await { evidence, policy, .. } => {
                prop_assert!(!evidence.is_empty());
                let is_claim = evidence.iter().all(|one| one.source == EvidenceSource::Tag);
                prop_assert!(!is_claim || look.rules.evidence == EvidenceRule::Claim);
                let earlier = look.earlier.iter().flatten();
                let ran = earlier.filter(|one| one.runner_name.is_some()).count();
                let ran = if look.job.run_attempt.is_first() { 0 } else { ran };
                prop_assert!(ran < policy.last_retried_execution() as usize, "past its limit");
                prop_assert!(!passed(&look.job), "success is never re-run");
                prop_assert!(look.policy != RetryPolicy::Never);
                prop_assert!(look.repository_allowed);
                let asks = policy.endpoint().is_some();
                prop_assert!(!asks || look.said() == Some(&asked::yes()), "it said so");
                let asked = look.policy.endpoint().is_some();
                prop_assert!(!asked || look.said().is_some_and(|said| *said != asked::no()));
            }
            JobVerdict::Retry { policy, end, .. } => {
                let said_so = look.said() == Some(&asked::yes());
                prop_assert!(policy.failure().is_some() || said_so);
                prop_assert!(look.job.run_attempt.get() <= policy.last_retried_execution());
                let conclusion = &look.job.conclusion;
                prop_assert!(
                    [Some(Conclusion::Failure), Some(Conclusion::TimedOut)].contains(conclusion)
                );
                prop_assert!(look.repository_allowed);
                prop_assert!(end.is_none() || look.fleet != FleetRule::Foreign);
            }
            JobVerdict::LookAgain { at, until } => {
                prop_assert!(look.now < *at && at <= until);
            }
            JobVerdict::Settle { end, evidence, .. } => {
                if end.is_some() {
                    let is_claim = |one: &Evidence| one.source == EvidenceSource::Tag;
                    prop_assert!(evidence.iter().all(is_claim), "EC2 takes it");
                    prop_assert!(look.fleet != FleetRule::Foreign);
                    let seen = look.seen.as_ref().expect("only what is seen is ended");
                    let stack = seen.tags.get(&Rules::default().tags.stack());
                    prop_assert_eq!(stack.map(String::as_str), Some(STACK));
                }
            }
            JobVerdict::ReadEarlier => prop_assert!(look.earlier.is_none()),
            JobVerdict::Ignore(_) => {}
            JobVerdict::Ask(_) => {
                prop_assert!(look.advice.is_none(), "it is asked once");
                prop_assert!(look.policy.endpoint().is_some() && look.repository_allowed);
            }
            JobVerdict::ReadFailure => {
                let kind = look.policy.failure();
                let asks = look.policy.endpoint().is_some();
                prop_assert!(asks || kind == Some(FailurePolicy::WhenTransient));
                prop_assert!(look.failure.is_none());
            }
        }
    }

    #[test]
    fn a_job_that_has_ended_is_looked_at_for_no_longer_than_the_window(look in any_look()) {
        let mut look = look;
        let job = &look.job;
        let begun = job.completed_at.or(job.started_at).or(job.created_at);
        look.now = look.now.max(begun.unwrap_or(look.now));
        let mut looks = 0;
        while let JobVerdict::LookAgain { at, .. } = look.verdict() {
            look.now = at;
            looks += 1;
            let is_claimed = look.rules.evidence == EvidenceRule::Proof;
            let most = if is_claimed { 8 } else { 6 };
            prop_assert!(looks <= most, "still looking at {at}");
        }
    }
}

fn any_look() -> impl Strategy<Value = Look> {
    (any_job(), any_host(), any_settings(), any_advice()).prop_map(
        |(job, (seen, remembered), settings, (failure, advice))| {
            let (repository_allowed, earlier, policy, foreign, now, rule) = settings;
            let earlier = match earlier {
                0 => None,
                1 => Some(Vec::new()),
                2 => Some(vec![job.execution()]),
                3 => Some(vec![execution_on("first")]),
                _ => Some(vec![execution_on("first"), execution_on("second")]),
            };
            Look {
                job,
                repository_allowed,
                seen,
                remembered,
                runner: None,
                spot_request: rule.1.map(|code| SpotStatus {
                    code: code.to_owned(),
                    since: None,
                }),
                earlier,
                refusal: None,
                policy,
                delays: Vec::new(),
                failure,
                advice,
                fleet: if foreign { FleetRule::Foreign } else { OURS },
                rules: Rules {
                    evidence: rule.0,
                    ..Rules::default()
                },
                now,
            }
        },
    )
}

fn any_advice() -> impl Strategy<Value = (Option<Judgement>, Option<Advice>)> {
    let said = prop::sample::select(vec![asked::yes(), asked::no(), asked::nothing()]);
    let failure = prop::sample::select(vec![None, Some(UNTOLD)]);
    (failure, prop::option::of(said.prop_map(asked::advice)))
}

type AnyRule = (EvidenceRule, Option<&'static str>);

fn any_settings() -> impl Strategy<Value = (bool, u8, RetryPolicy, bool, Timestamp, AnyRule)> {
    (
        prop::bool::weighted(0.9),
        0_u8..5,
        prop::sample::select(vec![
            "false",
            "when-interrupted",
            "2",
            "3",
            "when-failed",
            "when-transient",
            "ask:judge",
        ])
        .prop_map(|word| word.parse().expect("a policy")),
        any::<bool>(),
        any_time(),
        (
            prop::sample::select(vec![EvidenceRule::Claim, EvidenceRule::Proof]),
            prop::option::of(prop::sample::select(vec![
                "fulfilled",
                "marked-for-termination",
            ])),
        ),
    )
}

/// Near the job's own times, and now and then at the ends of what can be represented.
fn any_time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        8 => (0_i64..2_000).prop_map(at),
        1 => Just(Timestamp::MIN),
        1 => Just(Timestamp::MAX),
    ]
}

fn any_job() -> impl Strategy<Value = Job> {
    let conclusion = prop::option::of(prop::sample::select(vec![
        Conclusion::Success,
        Conclusion::Failure,
        Conclusion::Cancelled,
        Conclusion::Skipped,
        Conclusion::TimedOut,
        Conclusion::Unknown("new".to_owned()),
    ]));
    let time = || prop::option::weighted(0.9, any_time());
    (1_u32..4, conclusion, time(), time(), any::<bool>()).prop_map(
        |(number, conclusion, started_at, completed_at, has_runner)| {
            let sample = job(1, "build");
            Job {
                run_attempt: attempt(number),
                conclusion,
                started_at,
                completed_at,
                runner_name: sample.runner_name.clone().filter(|_| has_runner),
                ..sample
            }
        },
    )
}

fn any_host() -> impl Strategy<Value = (Option<InstanceView>, Option<InstanceEntry>)> {
    let seen = (
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        prop::bool::weighted(0.8),
    )
        .prop_map(|(on_demand, has_tag, is_ending, is_ours)| {
            let mut view = if has_tag { tagged(view()) } else { view() };
            if on_demand {
                view.capacity = Capacity::OnDemand;
            }
            if is_ending {
                view.state = InstanceState::ShuttingDown;
            }
            if !is_ours {
                view.tags.remove(&Rules::default().tags.stack());
            }
            view
        });
    let source = prop::sample::select(vec![
        EvidenceSource::Tag,
        EvidenceSource::InterruptionWarning,
        EvidenceSource::SpotRequest,
    ]);
    let known = prop::collection::vec((source, any_time()), 0..3).prop_map(|known| {
        remembered(
            known
                .into_iter()
                .map(|(source, first_seen_at)| Evidence {
                    source,
                    first_seen_at,
                })
                .collect(),
        )
    });
    (prop::option::of(seen), prop::option::of(known))
}
