//! From the ledger to what an operator sees: where each job stands, and what happened in which order.
//!
//! It reads records and decides nothing that is acted upon. Whatever shows the ledger to people or
//! programs comes by here, so that all of them say the same.

mod story;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use reprise_model::ids::{JobId, RunAttempt};
use reprise_model::ledger::{RerunAnswer, RunEntry, TrackedJob, TrackedState, Why};
use reprise_model::notes::{Happened, Parked};
use reprise_model::policy::RetryPolicy;
use reprise_model::reason::SettleReason;
use reprise_model::view::{RetryFilter, RetryState, RetryView};

pub use self::story::{Known, explanation};
use crate::due;
use crate::run::{WaitReason, is_anothers_turn, waits_its_turn};

/// A job of a run's record, as it is shown.
pub fn retry(entry: &RunEntry, id: JobId, job: &TrackedJob, now: Timestamp) -> RetryView {
    let state = state(entry, id, job, now);
    let failed_at = failed_at(job);
    let (reason, detail) = why(entry, job);
    let due = entry.due.filter(|_| state.is_open());
    RetryView {
        repository: entry.key.repository.clone(),
        run: entry.key.run_id,
        job: id,
        name: job.key.name.clone(),
        state,
        attempt: attempt(entry, id, job),
        limit: limit(entry, id, job),
        policy: policy(job).map(|policy| policy.to_string()),
        reason,
        detail,
        advice: job.advice.as_ref().map(ToString::to_string),
        failed_at,
        seconds_since_failure: failed_at.map(|at| now.duration_since(at).as_secs().max(0)),
        next_due: due.map(|due| due.at),
        tries: due.map_or(0, |due| due.tries),
        dismissed: entry.notes.dismissed.contains(&id),
    }
}

/// The jobs of a run's record that a list is to show. What was dismissed is not among them.
pub fn listed(entry: &RunEntry, filter: &RetryFilter, now: Timestamp) -> Vec<RetryView> {
    entry
        .jobs
        .iter()
        .map(|(id, job)| retry(entry, *id, job, now))
        .filter(|view| !view.dismissed && filter.wanted().contains(&view.state))
        .filter(|view| {
            filter
                .repository
                .as_ref()
                .is_none_or(|one| *one == view.repository)
        })
        .filter(|view| {
            filter
                .since
                .is_none_or(|since| view.failed_at >= Some(since))
        })
        .collect()
}

/// Where a job stands. One for which a person asked for a fresh chance is due.
fn state(entry: &RunEntry, id: JobId, job: &TrackedJob, now: Timestamp) -> RetryState {
    let is_due = due::is_due(entry.due, now);
    match &job.state {
        TrackedState::Settled { .. } if entry.notes.requeued.contains(&id) => RetryState::Due,
        TrackedState::Settled { reason, .. } => settled(reason),
        TrackedState::Awaiting | TrackedState::Asked { .. } if is_due => RetryState::Due,
        TrackedState::Asked { .. } if waits_its_turn(entry, id, job) => RetryState::Awaiting,
        TrackedState::Awaiting if entry.notes.parked.is_some() => RetryState::Parked,
        TrackedState::Awaiting => RetryState::Awaiting,
        TrackedState::Asked { .. } => RetryState::Asked,
    }
}

/// Which of the ends a settled job met.
fn settled(reason: &SettleReason) -> RetryState {
    match reason {
        SettleReason::Succeeded | SettleReason::Recovered => RetryState::Recovered,
        SettleReason::AttemptLimit
        | SettleReason::NeverCompleted
        | SettleReason::FailedAgain
        | SettleReason::Refused(_) => RetryState::Exhausted,
        SettleReason::NotSpot
        | SettleReason::NotInterrupted
        | SettleReason::Uncorroborated
        | SettleReason::EvidenceExpired
        | SettleReason::EvidenceTooLate
        | SettleReason::OptedOut
        | SettleReason::AlreadyRerun
        | SettleReason::Cancelled
        | SettleReason::CancelledByUs
        | SettleReason::CancelledUnknown
        | SettleReason::RunNotFailed
        | SettleReason::PermanentFailure
        | SettleReason::UnknownFailure
        | SettleReason::EndpointSaidNo
        | SettleReason::EndpointUnanswered
        | SettleReason::Superseded => RetryState::LeftAlone,
    }
}

/// The policy by which a job comes back. Records of old know of the usual one alone.
fn policy(job: &TrackedJob) -> Option<RetryPolicy> {
    match job.why {
        Why::Interrupted => job.policy.or(Some(RetryPolicy::USUAL)),
        Why::Failed | Why::Transient | Why::Advised => job.policy,
    }
}

/// The last attempt that its policy brings about; a fresh chance is for one more than there was.
fn limit(entry: &RunEntry, id: JobId, job: &TrackedJob) -> Option<u32> {
    let of_policy = policy(job)?.last_retried_execution().saturating_add(1);
    let is_renewed = entry.notes.renewed.contains_key(&id);
    let of_chance = job.attempt.next().get();
    Some(if is_renewed {
        of_policy.max(of_chance)
    } else {
        of_policy
    })
}

/// The newest attempt in which the job was to run.
fn attempt(entry: &RunEntry, id: JobId, job: &TrackedJob) -> RunAttempt {
    let reruns = entry
        .reruns
        .iter()
        .filter(|rerun| rerun.answer == RerunAnswer::Accepted && rerun.order.wanted.contains(&id))
        .filter(|rerun| !is_anothers_turn(&rerun.order, id));
    let of_reruns = reruns.map(|rerun| rerun.order.from.next());
    of_reruns
        .max()
        .map_or(job.attempt, |newest| newest.max(job.attempt))
}

/// When it was seen that it did not come through; at first that is its own end.
fn failed_at(job: &TrackedJob) -> Option<Timestamp> {
    let ended = job.execution.completed_at;
    let seen = || job.evidence.iter().map(|one| one.first_seen_at).min();
    match &job.state {
        TrackedState::Settled { reason, at } if settled(reason) == RetryState::Exhausted => {
            Some(*at)
        }
        TrackedState::Awaiting | TrackedState::Asked { .. } | TrackedState::Settled { .. } => {
            ended.or_else(seen)
        }
    }
}

/// Why it is settled; else what GitHub said last, where that keeps it waiting.
fn why(entry: &RunEntry, job: &TrackedJob) -> (Option<String>, Option<String>) {
    if let (TrackedState::Awaiting, Some(parked)) = (&job.state, entry.notes.parked) {
        let word = WaitReason::OverBudget.as_str();
        return (Some(word.to_owned()), Some(over_budget(parked)));
    }
    match &job.state {
        TrackedState::Settled { reason, .. } => {
            (Some(reason.as_str().to_owned()), Some(reason.to_string()))
        }
        TrackedState::Awaiting | TrackedState::Asked { .. } => {
            let last = entry.notes.happened.last().map(|last| &last.what);
            match last {
                Some(Happened::PutOff { words }) => {
                    (Some("put-off".to_owned()), Some(words.clone()))
                }
                Some(Happened::Unclear { words }) => {
                    (Some("answer-unclear".to_owned()), Some(words.clone()))
                }
                Some(
                    Happened::FoundTaken
                    | Happened::FoundNotTaken
                    | Happened::Requeued { .. }
                    | Happened::ChanceGiven { .. }
                    | Happened::ChanceDenied { .. }
                    | Happened::Dismissed { .. },
                )
                | None => (None, None),
            }
        }
    }
}

/// Why a job is parked.
fn over_budget(parked: Parked) -> String {
    format!(
        "the {} re-runs that its repository has in an hour are used up; there may be room at {:.0}",
        parked.limit, parked.until
    )
}
