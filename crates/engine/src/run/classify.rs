//! Which jobs of a completed attempt are to come back, and by which of GitHub's two calls.
//!
//! F, the jobs that did not succeed, falls into three: I, those that are to come back, because they
//! were interrupted or their policy re-runs failures; M, matrix siblings that fail-fast cancelled
//! because of one of these; G, all other failures. A gate that failed after one of I stays in G: it
//! depends on it, so either call brings it along.

use std::collections::BTreeSet;

use reprise_model::ids::JobId;
use reprise_model::job::{Conclusion, Job, JobStatus};
use reprise_model::ledger::{RerunOrder, RerunTarget, Sibling, TrackedJob};
use reprise_model::reason::IgnoreReason;
use reprise_model::run::CancelCause;

use super::{RunFacts, ledger, watch};
use crate::job::JobVerdict;
use crate::mutant;

/// The order for the interrupted jobs `wanted`; `None` when there is none.
pub(super) fn order(facts: &RunFacts<'_>, jobs: &[Job], wanted: &[JobId]) -> Option<RerunOrder> {
    let attempt = Attempt::new(facts, jobs, wanted);
    let is_alone = mutant!(ForgetSiblings => true, attempt.siblings.is_empty());
    let target = match wanted {
        [] => return None,
        [only] if mutant!(RerunAllForOne => false, is_alone) => RerunTarget::Job(*only),
        _ => RerunTarget::FailedJobs,
    };
    let (along, siblings) = match target {
        RerunTarget::Job(_) => (Vec::new(), Vec::new()),
        RerunTarget::FailedJobs => (attempt.failed_for_real, attempt.siblings),
    };
    Some(RerunOrder {
        from: facts.run.run_attempt,
        target,
        wanted: wanted.to_vec(),
        along,
        siblings,
    })
}

/// Whether the job stands in a matrix with one of the interrupted ones.
pub(super) fn is_beside(job: &Job, interrupted: &[&Job]) -> bool {
    matrix(job).is_some_and(|name| matrices(interrupted).contains(name))
}

/// Whether a record tells of an earlier attempt.
pub(super) fn is_carried_over(facts: &RunFacts<'_>, job: &Job) -> bool {
    let carried_over = JobVerdict::Ignore(IgnoreReason::CarriedOver);
    // One that never had a runner is ignored for that, also when it was carried over.
    facts.verdicts.get(&job.id) == Some(&carried_over) || watch::ended_before(job, facts.run)
}

pub(super) fn is_cancelled(job: &Job) -> bool {
    job.status == JobStatus::Completed && job.conclusion == Some(Conclusion::Cancelled)
}

/// The unsuccessful jobs of an attempt that were not interrupted.
struct Attempt {
    /// M.
    siblings: Vec<Sibling>,
    /// G, by name.
    failed_for_real: Vec<String>,
}

impl Attempt {
    fn new(facts: &RunFacts<'_>, jobs: &[Job], wanted: &[JobId]) -> Self {
        let (interrupted, others): (Vec<&Job>, Vec<&Job>) = jobs
            .iter()
            .filter(|job| job.is_unsuccessful() || wanted.contains(&job.id))
            .partition(|job| wanted.contains(&job.id));
        let interrupted = matrices(&interrupted);
        let (cancelled, failed): (Vec<&Job>, Vec<&Job>) =
            others.into_iter().partition(|job| is_cancelled(job));
        let failed_matrices = matrices(&failed);
        let (siblings, unrelated): (Vec<&Job>, Vec<&Job>) =
            cancelled.into_iter().partition(|job| {
                let matrix = matrix(job);
                let beside = |set: &BTreeSet<&str>| matrix.is_some_and(|name| set.contains(name));
                // Its own interruption explains its end, and its policy has the last word on it. What
                // was carried over is no victim of this attempt's interruption.
                if is_settled_as_interrupted(facts, job.id) || is_carried_over(facts, job) {
                    return false;
                }
                match facts.causes.get(&job.id) {
                    // Where names do not tell, GitHub's word is enough: leaving a victim of the
                    // interruption behind is worse than one more execution.
                    Some(CancelCause::FailFast) => {
                        beside(&interrupted) || !beside(&failed_matrices)
                    }
                    Some(CancelCause::Unreadable) | None => beside(&interrupted),
                    Some(CancelCause::Person | CancelCause::Ours | CancelCause::Superseded) => {
                        false
                    }
                }
            });
        Self {
            siblings: siblings.into_iter().map(sibling).collect(),
            failed_for_real: names(&[failed, unrelated].concat()),
        }
    }
}

/// Whether a job was interrupted itself and is not to come back for that: it opted out, or was
/// re-run as often as it may be.
fn is_settled_as_interrupted(facts: &RunFacts<'_>, id: JobId) -> bool {
    let known = facts.entry.jobs.get(&id);
    let is_given_up = |job: &TrackedJob| ledger::is_given_up(job) && !job.evidence.is_empty();
    if known.is_some_and(is_given_up) {
        return true;
    }
    match facts.verdicts.get(&id) {
        Some(JobVerdict::Settle { evidence, .. }) => !evidence.is_empty(),
        Some(
            JobVerdict::Ignore(_)
            | JobVerdict::LookAgain { .. }
            | JobVerdict::ReadEarlier
            | JobVerdict::ReadFailure
            | JobVerdict::Ask(_)
            | JobVerdict::Await { .. }
            | JobVerdict::Retry { .. },
        )
        | None => false,
    }
}

fn sibling(job: &Job) -> Sibling {
    Sibling {
        name: job.name.clone(),
        execution: job.execution(),
    }
}

fn names(jobs: &[&Job]) -> Vec<String> {
    jobs.iter().map(|job| job.name.clone()).collect()
}

fn matrices<'a>(jobs: &[&'a Job]) -> BTreeSet<&'a str> {
    jobs.iter().filter_map(|job| matrix(job)).collect()
}

/// The name that the jobs of one matrix share: `test` of `test (1, linux)`.
fn matrix(job: &Job) -> Option<&str> {
    job.name.split_once(" (").map(|(name, _)| name)
}
