//! A failure that no interruption explains, where the job's policy re-runs failures.
//!
//! Neither evidence nor a host of ours is needed for it. What the host calls for, as ending its
//! instance, stays as it is without such a policy.

use reprise_model::advice::EndpointName;
use reprise_model::failure::FailureClass;
use reprise_model::instance::Instance;
use reprise_model::job::Conclusion;
use reprise_model::ledger::Why;
use reprise_model::policy::{FailurePolicy, RetryPolicy};
use reprise_model::reason::{IgnoreReason, SettleReason};

use super::{Earlier, Grounds, JobFacts, JobVerdict, advised, settled};
use crate::backoff::pause_before;
use crate::mutant;

/// The verdict in the place of one that no such policy had a say in.
pub(super) fn instead(facts: &JobFacts<'_>, verdict: JobVerdict) -> JobVerdict {
    let policy = mutant!(RetryAnyFailure => crate::mutants::any_failure(), facts.policy);
    let is_failure = facts.job.conclusion == Some(Conclusion::Failure)
        || facts.job.conclusion == Some(Conclusion::TimedOut);
    let Some(kind) = Kind::of(policy).filter(|_| is_failure) else {
        return verdict;
    };
    match verdict {
        JobVerdict::Settle {
            reason: SettleReason::NotInterrupted | SettleReason::Uncorroborated,
            end,
            ran_on,
            ..
        } => explained_by_nothing(facts, (policy, kind), end, ran_on),
        JobVerdict::Settle {
            reason: SettleReason::NotSpot | SettleReason::EvidenceExpired,
            end,
            ..
        } => explained_by_nothing(facts, (policy, kind), end, None),
        JobVerdict::Ignore(
            IgnoreReason::RunnerNameWithoutInstance
            | IgnoreReason::ForeignInstance
            | IgnoreReason::NotOurStack
            | IgnoreReason::OtherRepository,
        ) => elsewhere(facts, (policy, kind)),
        other @ (JobVerdict::Ignore(_)
        | JobVerdict::Settle { .. }
        | JobVerdict::LookAgain { .. }
        | JobVerdict::ReadEarlier
        | JobVerdict::ReadFailure
        | JobVerdict::Ask(_)
        | JobVerdict::Await { .. }
        | JobVerdict::Retry { .. }) => other,
    }
}

/// Who has a say in whether a failure is re-run.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// The policy itself.
    Policy(FailurePolicy),
    /// The endpoint that it names.
    Endpoint(EndpointName),
}

impl Kind {
    fn of(policy: RetryPolicy) -> Option<Self> {
        let asked = policy.endpoint().map(Self::Endpoint);
        asked.or_else(|| policy.failure().map(Self::Policy))
    }
}

/// It ran on no machine of ours.
fn elsewhere(facts: &JobFacts<'_>, policy: (RetryPolicy, Kind)) -> JobVerdict {
    if facts.is_carried_over() {
        JobVerdict::Ignore(IgnoreReason::CarriedOver)
    } else if facts.must_read_earlier() {
        JobVerdict::ReadEarlier
    } else {
        explained_by_nothing(facts, policy, None, None)
    }
}

fn explained_by_nothing(
    facts: &JobFacts<'_>,
    (policy, kind): (RetryPolicy, Kind),
    end: Option<Instance>,
    ran_on: Option<Instance>,
) -> JobVerdict {
    match kind {
        Kind::Policy(kind) => by_policy(facts, (policy, kind), end, ran_on),
        Kind::Endpoint(endpoint) => advised::failed(facts, endpoint, end, ran_on),
    }
}

/// Counted are the attempts of the run, as whoever re-runs its failed jobs by a workflow does.
fn by_policy(
    facts: &JobFacts<'_>,
    (policy, kind): (RetryPolicy, FailurePolicy),
    end: Option<Instance>,
    ran_on: Option<Instance>,
) -> JobVerdict {
    let attempt = facts.job.run_attempt.get();
    if let Earlier::Unreadable(refusal) = facts.earlier {
        return settled(SettleReason::Refused(refusal.clone()), end, ran_on);
    }
    let why = match kind {
        FailurePolicy::WhenFailed => Why::Failed,
        FailurePolicy::WhenTransient => Why::Transient,
    };
    let told = facts.failure.and_then(|judged| judged.decided_by.clone());
    let grounds = Grounds {
        why,
        policy,
        instance: ran_on.clone(),
        evidence: Vec::new(),
        told: told.clone(),
        advice: facts.advice.cloned(),
        pause: pause_before(facts.delays, attempt),
    };
    if let Some(reason) = final_reason(facts, (policy, kind)) {
        return JobVerdict::Settle {
            reason,
            end,
            ran_on,
            evidence: Vec::new(),
            given_up: Some(Box::new(grounds)),
        };
    }
    if kind == FailurePolicy::WhenTransient && facts.failure.is_none() {
        return JobVerdict::ReadFailure;
    }
    JobVerdict::Retry {
        why,
        policy,
        pause: grounds.pause,
        end,
        ran_on,
        told,
        advice: grounds.advice,
    }
}

/// Why its policy does not re-run it, as far as that can be told.
fn final_reason(
    facts: &JobFacts<'_>,
    (policy, kind): (RetryPolicy, FailurePolicy),
) -> Option<SettleReason> {
    if facts.job.run_attempt.get() > policy.last_retried_execution() {
        return Some(SettleReason::AttemptLimit);
    }
    let class = facts.failure.map(|judged| judged.class);
    match (kind, class) {
        (FailurePolicy::WhenTransient, Some(FailureClass::Permanent)) => {
            mutant!(RetryThePermanent => return None);
            Some(SettleReason::PermanentFailure)
        }
        (FailurePolicy::WhenTransient, Some(FailureClass::Unknown)) => {
            Some(SettleReason::UnknownFailure)
        }
        (FailurePolicy::WhenTransient, Some(FailureClass::Transient) | None)
        | (FailurePolicy::WhenFailed, _) => None,
    }
}
