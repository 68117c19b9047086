//! A failure that no interruption explains, where the job's policy re-runs failures.
//!
//! Neither evidence nor a host of ours is needed for it. What the host calls for, as ending its
//! instance, stays as it is without such a policy.

use reprise_model::instance::Instance;
use reprise_model::job::Conclusion;
use reprise_model::ledger::Why;
use reprise_model::policy::{FailurePolicy, RetryPolicy};
use reprise_model::reason::{IgnoreReason, SettleReason};

use super::{Earlier, FailureClass, JobFacts, JobVerdict, settled};
use crate::backoff::pause_before;
use crate::mutant;

/// The verdict in the place of one that no such policy had a say in.
pub(super) fn instead(facts: &JobFacts<'_>, verdict: JobVerdict) -> JobVerdict {
    let policy = mutant!(RetryAnyFailure => crate::mutants::any_failure(), facts.policy);
    let is_failure = facts.job.conclusion == Some(Conclusion::Failure)
        || facts.job.conclusion == Some(Conclusion::TimedOut);
    let Some(kind) = policy.failure().filter(|_| is_failure) else {
        return verdict;
    };
    match verdict {
        JobVerdict::Settle {
            reason: SettleReason::NotInterrupted,
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
        | JobVerdict::Await { .. }
        | JobVerdict::Retry { .. }) => other,
    }
}

/// It ran on no machine of ours.
fn elsewhere(facts: &JobFacts<'_>, policy: (RetryPolicy, FailurePolicy)) -> JobVerdict {
    if facts.is_carried_over() {
        JobVerdict::Ignore(IgnoreReason::CarriedOver)
    } else if facts.must_read_earlier() {
        JobVerdict::ReadEarlier
    } else {
        explained_by_nothing(facts, policy, None, None)
    }
}

/// Counted are the attempts of the run, as whoever re-runs its failed jobs by a workflow does.
fn explained_by_nothing(
    facts: &JobFacts<'_>,
    (policy, kind): (RetryPolicy, FailurePolicy),
    end: Option<Instance>,
    ran_on: Option<Instance>,
) -> JobVerdict {
    let attempt = facts.job.run_attempt.get();
    if let Earlier::Unreadable(refusal) = facts.earlier {
        return settled(SettleReason::Refused(refusal.clone()), end, ran_on);
    }
    if attempt > policy.last_retried_execution() {
        return settled(SettleReason::AttemptLimit, end, ran_on);
    }
    let why = match (kind, facts.failure) {
        (FailurePolicy::WhenFailed, _) => Why::Failed,
        (FailurePolicy::WhenTransient, Some(FailureClass::Transient)) => Why::Transient,
        (FailurePolicy::WhenTransient, Some(FailureClass::Permanent)) => {
            return settled(SettleReason::PermanentFailure, end, ran_on);
        }
        (FailurePolicy::WhenTransient, Some(FailureClass::Unknown)) => {
            return settled(SettleReason::UnknownFailure, end, ran_on);
        }
        (FailurePolicy::WhenTransient, None) => return JobVerdict::ReadFailure,
    };
    JobVerdict::Retry {
        why,
        policy,
        pause: pause_before(facts.delays, attempt),
        end,
        ran_on,
    }
}
