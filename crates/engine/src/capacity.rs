//! Spot or on-demand.
//!
//! A first attempt takes spot; what was interrupted once comes back on capacity that EC2 cannot
//! take. Says nothing about types and zones, and nothing about what happens when EC2 has none:
//! that is [`crate::launch::answered`], which only ever moves from spot to on-demand.

use std::collections::BTreeSet;

use reprise_model::ids::RunAttempt;
use reprise_model::instance::Capacity;
use reprise_model::job::Job;
use reprise_model::labels::SpotChoice;
use reprise_model::ledger::CapacityReason;
use reprise_model::policy::{OnDemandRetries, RetryPolicy};

use crate::mutant;

/// The capacity of a queued job's first request, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct CapacityDecision {
    /// Spot or on-demand.
    pub capacity: Capacity,
    /// Whether on-demand may take the place of spot where EC2 has no spot. Never the other way.
    pub may_fall_back: bool,
    /// Why.
    pub why: CapacityReason,
}

/// What was before a later attempt of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Past {
    /// The attempt is the fruit of a re-run that Reprise asked for.
    pub asked_by_us: bool,
    /// The job ran in an earlier attempt, or may have.
    pub ran_before: bool,
    /// What the endpoint that its policy asks named for this attempt, if it did.
    pub advised: Option<Capacity>,
}

/// Whether [`Past::ran_before`] matters.
pub fn asks_whether_it_ran(attempt: RunAttempt, mode: OnDemandRetries) -> bool {
    match mode {
        OnDemandRetries::SameJob => !attempt.is_first(),
        OnDemandRetries::Always
        | OnDemandRetries::UnlessOptedOut
        | OnDemandRetries::AutomaticOnly => false,
    }
}

/// The names of the jobs of an attempt that had a runner in it or before it. Equal names are taken for one
/// job: it is kept off spot once too often rather than once too seldom.
pub fn names_that_ran(jobs: &[Job]) -> BTreeSet<String> {
    let ran = jobs.iter().filter(|job| job.runner_name.is_some());
    ran.map(|job| job.name.clone()).collect()
}

/// The capacity table.
pub fn decide(
    attempt: RunAttempt,
    spot: SpotChoice,
    policy: RetryPolicy,
    past: Past,
    mode: OnDemandRetries,
) -> CapacityDecision {
    if attempt.is_first() {
        by_label(spot, CapacityReason::FirstAttempt)
    } else if past.advised == Some(Capacity::Spot) {
        by_label(spot, CapacityReason::Advised)
    } else if past.advised.is_some() || is_kept_off_spot(policy, past, mode) {
        on_demand(CapacityReason::LaterAttempt)
    } else {
        by_label(spot, CapacityReason::LaterAttemptMayUseSpot)
    }
}

/// The same where the breakers of all spot pools that would do are open: on-demand at once, without
/// asking for spot, where it may take the place of spot.
pub fn while_breakers_are_open(decision: CapacityDecision) -> CapacityDecision {
    if decision.capacity == Capacity::Spot && decision.may_fall_back {
        on_demand(CapacityReason::BreakerOpen)
    } else {
        decision
    }
}

fn is_kept_off_spot(policy: RetryPolicy, past: Past, mode: OnDemandRetries) -> bool {
    match mode {
        OnDemandRetries::Always => mutant!(SpotForRetries => false, true),
        OnDemandRetries::UnlessOptedOut => policy != RetryPolicy::Never,
        OnDemandRetries::AutomaticOnly => past.asked_by_us,
        OnDemandRetries::SameJob => past.ran_before,
    }
}

fn by_label(spot: SpotChoice, why_spot: CapacityReason) -> CapacityDecision {
    match spot {
        SpotChoice::On(_) => CapacityDecision {
            capacity: Capacity::Spot,
            may_fall_back: true,
            why: why_spot,
        },
        SpotChoice::Off => on_demand(CapacityReason::SpotOff),
    }
}

fn on_demand(why: CapacityReason) -> CapacityDecision {
    CapacityDecision {
        capacity: Capacity::OnDemand,
        may_fall_back: false,
        why,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::samples::job;

    const POLICIES: [RetryPolicy; 2] = [RetryPolicy::USUAL, RetryPolicy::Never];
    const MODES: [OnDemandRetries; 4] = [
        OnDemandRetries::Always,
        OnDemandRetries::UnlessOptedOut,
        OnDemandRetries::AutomaticOnly,
        OnDemandRetries::SameJob,
    ];
    const NOTHING: Past = Past {
        asked_by_us: false,
        ran_before: false,
        advised: None,
    };

    #[test]
    fn a_first_attempt_is_spot_and_may_fall_back_whatever_its_retry_policy() {
        for policy in POLICIES {
            for mode in MODES {
                assert_eq!(
                    decide(
                        RunAttempt::FIRST,
                        SpotChoice::default(),
                        policy,
                        NOTHING,
                        mode
                    ),
                    spot(CapacityReason::FirstAttempt)
                );
            }
        }
    }

    #[test]
    fn a_first_attempt_with_spot_false_is_on_demand_whatever_its_retry_policy() {
        for policy in POLICIES {
            for mode in MODES {
                assert_eq!(
                    decide(RunAttempt::FIRST, SpotChoice::Off, policy, NOTHING, mode),
                    on_demand(CapacityReason::SpotOff)
                );
            }
        }
    }

    #[test]
    fn a_later_attempt_with_retries_is_on_demand_only() {
        for mode in [OnDemandRetries::Always, OnDemandRetries::UnlessOptedOut] {
            for asked_by_us in [true, false] {
                assert_eq!(
                    later(SpotChoice::default(), RetryPolicy::USUAL, asked_by_us, mode),
                    on_demand(CapacityReason::LaterAttempt)
                );
            }
        }
    }

    #[test]
    fn a_later_attempt_with_retry_false_is_on_demand_only_by_default() {
        assert_eq!(
            later(
                SpotChoice::default(),
                RetryPolicy::Never,
                false,
                OnDemandRetries::default()
            ),
            on_demand(CapacityReason::LaterAttempt)
        );
    }

    #[test]
    fn unless_opted_out_lets_a_later_attempt_with_retry_false_follow_its_spot_label() {
        let mode = OnDemandRetries::UnlessOptedOut;
        assert_eq!(
            later(SpotChoice::default(), RetryPolicy::Never, false, mode),
            spot(CapacityReason::LaterAttemptMayUseSpot)
        );
        assert_eq!(
            later(SpotChoice::Off, RetryPolicy::Never, false, mode),
            on_demand(CapacityReason::SpotOff)
        );
    }

    #[test]
    fn automatic_only_forces_the_re_runs_that_we_asked_for_and_no_others() {
        let mode = OnDemandRetries::AutomaticOnly;
        for policy in POLICIES {
            assert_eq!(
                later(SpotChoice::default(), policy, true, mode),
                on_demand(CapacityReason::LaterAttempt)
            );
            assert_eq!(
                later(SpotChoice::default(), policy, false, mode),
                spot(CapacityReason::LaterAttemptMayUseSpot)
            );
        }
    }

    #[test]
    fn same_job_forces_what_ran_before_and_leaves_what_runs_for_the_first_time_to_its_label() {
        let mode = OnDemandRetries::SameJob;
        for asked_by_us in [true, false] {
            for (ran_before, expected) in [
                (true, on_demand(CapacityReason::LaterAttempt)),
                (false, spot(CapacityReason::LaterAttemptMayUseSpot)),
            ] {
                let past = Past {
                    asked_by_us,
                    ran_before,
                    ..NOTHING
                };
                let (later, policy) = (RunAttempt::FIRST.next(), RetryPolicy::USUAL);
                let decision = decide(later, SpotChoice::default(), policy, past, mode);
                assert_eq!(decision, expected);
            }
        }
        assert!(asks_whether_it_ran(RunAttempt::FIRST.next(), mode));
        assert!(!asks_whether_it_ran(RunAttempt::FIRST, mode));
        assert!(!asks_whether_it_ran(
            RunAttempt::FIRST.next(),
            OnDemandRetries::Always
        ));
    }

    #[test]
    fn an_endpoint_may_name_the_capacity_of_a_later_attempt_within_what_the_label_says() {
        let advised = |capacity, spot, mode| {
            let past = Past {
                asked_by_us: true,
                ran_before: true,
                advised: Some(capacity),
            };
            let ask = "ask:judge".parse().expect("a policy");
            decide(RunAttempt::FIRST.next(), spot, ask, past, mode)
        };
        for mode in MODES {
            let on = SpotChoice::default();
            assert_eq!(
                advised(Capacity::Spot, on, mode),
                spot(CapacityReason::Advised)
            );
            assert_eq!(
                advised(Capacity::Spot, SpotChoice::Off, mode),
                on_demand(CapacityReason::SpotOff)
            );
            assert_eq!(
                advised(Capacity::OnDemand, on, mode),
                on_demand(CapacityReason::LaterAttempt)
            );
        }
    }

    #[test]
    fn a_job_that_was_skipped_did_not_run() {
        let skipped = Job {
            runner_name: None,
            ..job(2, "deploy")
        };
        let ran = names_that_ran(&[job(1, "build"), skipped]);
        assert_eq!(ran, BTreeSet::from(["build".to_owned()]));
    }

    #[test]
    fn open_breakers_take_a_job_off_spot_where_it_may_be_and_never_onto_it() {
        let usual = spot(CapacityReason::FirstAttempt);
        assert_eq!(
            while_breakers_are_open(usual),
            on_demand(CapacityReason::BreakerOpen)
        );
        let spot_alone = CapacityDecision {
            may_fall_back: false,
            ..usual
        };
        for other in [spot_alone, on_demand(CapacityReason::LaterAttempt)] {
            assert_eq!(while_breakers_are_open(other), other);
        }
    }

    proptest! {
        #[test]
        fn by_default_no_later_attempt_is_spot_or_may_become_it(
            attempt in 2_u32..,
            spot_on: bool,
            never: bool,
            asked_by_us: bool,
            ran_before: bool,
        ) {
            let decision = decide(
                RunAttempt::new(attempt).expect("not zero"),
                if spot_on { SpotChoice::default() } else { SpotChoice::Off },
                POLICIES[usize::from(never)],
                Past { asked_by_us, ran_before, ..NOTHING },
                OnDemandRetries::Always,
            );
            prop_assert_eq!(decision.capacity, Capacity::OnDemand);
            prop_assert!(!decision.may_fall_back);
        }
    }

    fn later(
        spot: SpotChoice,
        policy: RetryPolicy,
        asked_by_us: bool,
        mode: OnDemandRetries,
    ) -> CapacityDecision {
        let past = Past {
            asked_by_us,
            ran_before: true,
            ..NOTHING
        };
        decide(RunAttempt::FIRST.next(), spot, policy, past, mode)
    }

    fn spot(why: CapacityReason) -> CapacityDecision {
        CapacityDecision {
            capacity: Capacity::Spot,
            may_fall_back: true,
            why,
        }
    }
}
