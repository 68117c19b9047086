//! Whether anything forbids a re-run: a cancel, a newer run, GitHub's limits.
//!
//! Says what must be read before that can be told. Which jobs come back, and by which call, is not
//! decided here.

use reprise_model::ids::JobId;
use reprise_model::job::{Conclusion, Job};
use reprise_model::reason::{RefusalKind, SettleReason};
use reprise_model::run::CancelCause;

use super::step::refusal;
use super::{Rival, RunFacts, RunStep, classify};
use crate::job::JobVerdict;
use crate::mutant;
use crate::rules::Rules;

/// The jobs that a re-run may be asked for.
pub(super) struct Candidates {
    /// Those for which none was asked yet.
    pub(super) awaiting: Vec<JobId>,
    /// Those that a re-run left behind, each with its id in the newest attempt.
    pub(super) left_behind: Vec<(JobId, JobId)>,
}

impl Candidates {
    pub(super) fn ids(&self) -> Vec<JobId> {
        let left_behind = self.left_behind.iter().map(|(id, _)| *id);
        self.awaiting.iter().copied().chain(left_behind).collect()
    }
}

/// Whether anything forbids a re-run.
pub(super) enum Permission {
    Granted,
    Denied(SettleReason),
    /// That cannot be told before this is read.
    Read(RunStep),
}

/// The rows of the table that forbid a re-run, the cheapest to tell first.
pub(super) fn permission(
    facts: &RunFacts<'_>,
    jobs: &[Job],
    candidates: &Candidates,
    rules: &Rules,
) -> Permission {
    let cancelled = cancelled_here(facts, jobs, candidates);
    let unknown: Vec<JobId> = cancelled
        .iter()
        .copied()
        .filter(|id| !facts.causes.contains_key(id))
        .collect();
    let caused_by = |cause: CancelCause| {
        cancelled
            .iter()
            .any(|id| facts.causes.get(id) == Some(&cause))
    };
    if mutant!(IgnoreCancel => false, caused_by(CancelCause::Person)) {
        Permission::Denied(SettleReason::Cancelled)
    } else if caused_by(CancelCause::Ours) {
        Permission::Denied(SettleReason::CancelledByUs)
    } else if caused_by(CancelCause::Superseded) {
        Permission::Denied(SettleReason::Superseded)
    } else if facts.run.run_attempt.get() > rules.most_reruns {
        Permission::Denied(no_more_reruns(rules))
    } else if !unknown.is_empty() {
        Permission::Read(RunStep::ReadCauses(unknown))
    } else if was_cancelled_by_nobody_knows_whom(facts, jobs, candidates, &cancelled) {
        Permission::Denied(SettleReason::CancelledUnknown)
    } else {
        match facts.rival {
            Rival::Unread => Permission::Read(RunStep::ReadRival),
            Rival::Run(_) if mutant!(IgnoreNewerRun => true, false) => Permission::Granted,
            Rival::Run(_) => Permission::Denied(SettleReason::Superseded),
            Rival::No => Permission::Granted,
        }
    }
}

/// Whether the whole run was cancelled, and a job that no interruption explains with it, without a
/// word that could be read: that may have been a person, whose word is not answered by a re-run.
fn was_cancelled_by_nobody_knows_whom(
    facts: &RunFacts<'_>,
    jobs: &[Job],
    candidates: &Candidates,
    cancelled: &[JobId],
) -> bool {
    let is_candidate = |id: JobId| {
        let left_behind = candidates.left_behind.iter().map(|(_, new_id)| *new_id);
        candidates
            .awaiting
            .iter()
            .copied()
            .chain(left_behind)
            .any(|one| one == id)
    };
    let interrupted: Vec<&Job> = jobs.iter().filter(|job| is_candidate(job.id)).collect();
    facts.run.conclusion == Some(Conclusion::Cancelled)
        && jobs
            .iter()
            .filter(|job| cancelled.contains(&job.id) && !is_candidate(job.id))
            .filter(|job| !was_interrupted(facts, job.id))
            .filter(|job| facts.causes.get(&job.id) == Some(&CancelCause::Unreadable))
            .any(|job| !classify::is_beside(job, &interrupted))
}

/// Whether there is evidence for the end of a job, be it re-run or not.
fn was_interrupted(facts: &RunFacts<'_>, id: JobId) -> bool {
    let is_tracked = facts.entry.jobs.contains_key(&id);
    is_tracked
        || match facts.verdicts.get(&id) {
            Some(JobVerdict::Await { .. }) => true,
            Some(JobVerdict::Settle { evidence, .. }) => !evidence.is_empty(),
            Some(
                JobVerdict::Ignore(_)
                | JobVerdict::LookAgain { .. }
                | JobVerdict::ReadEarlier
                | JobVerdict::ReadFailure
                | JobVerdict::Ask(_)
                | JobVerdict::Retry { .. },
            )
            | None => false,
        }
}

/// The jobs that were cancelled in this very attempt. A record that was carried over tells of an
/// earlier attempt, whose cancel somebody has since answered by a re-run.
fn cancelled_here(facts: &RunFacts<'_>, jobs: &[Job], candidates: &Candidates) -> Vec<JobId> {
    jobs.iter()
        .filter(|job| classify::is_cancelled(job) && !classify::is_carried_over(facts, job))
        .map(|job| job.id)
        .filter(|id| {
            !candidates
                .left_behind
                .iter()
                .any(|(_, new_id)| new_id == id)
        })
        .collect()
}

fn no_more_reruns(rules: &Rules) -> SettleReason {
    let most = rules.most_reruns;
    refusal(
        RefusalKind::NotRetryable,
        &format!("the run has had the {most} re-runs that GitHub allows"),
    )
}
