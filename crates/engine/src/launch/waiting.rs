//! A job that waits for its launch: for how long, and whether it still does.
//!
//! The event of a queued job is true when it comes, and less so the longer it takes until EC2 is asked. So
//! GitHub is asked first where that took long; where it did not, nothing is asked.

use jiff::{SignedDuration, Timestamp};
use reprise_model::job::{Job, JobStatus};
use reprise_model::launch::Asked;
use reprise_model::ledger::{Due, LaunchClaim};

use super::{given_up, tries};
use crate::room::Full;
use crate::rules::Rules;

/// How long what GitHub said of a job is believed: an event is here within seconds, and what is older was
/// delivered late or anew, or waited in a queue.
const BELIEVED_FOR: SignedDuration = SignedDuration::from_mins(2);

/// The claim of a job for which there is no room among the instances: it is due at `until`, and its tries
/// at EC2 stay what they were. One that has waited as long as it may is given up.
#[must_use]
pub fn without_room(
    claim: LaunchClaim,
    full: Full,
    until: Timestamp,
    now: Timestamp,
    rules: &Rules,
) -> LaunchClaim {
    let since = claim.full_since.unwrap_or(now);
    if now.duration_since(since) >= rules.longest_wait {
        let why = format!(
            "it waited for {:#} as there was no room, which is as long as limits.longest_wait allows: {full}",
            rules.longest_wait
        );
        return given_up(claim, why);
    }
    let tries = tries(&claim);
    LaunchClaim {
        due: Some(Due { at: until, tries }),
        held_until: None,
        waited: claim.waited.saturating_add(1),
        full_since: Some(since),
        ..claim
    }
}

/// Whether GitHub is to be asked about a claim's job before EC2 is: it may have ended, or run elsewhere,
/// since it was said to be queued.
pub fn may_be_over(claim: &LaunchClaim, now: Timestamp) -> bool {
    let is_old = |at: Timestamp| now.duration_since(at) > BELIEVED_FOR;
    claim.waited > 0 || tries(claim) > 0 || claim.queued_at.is_some_and(is_old)
}

/// The claim of a job that GitHub has just shown to be queued. Where EC2 was asked before, an instance may
/// be older than that, and the claim stays as it is.
#[must_use]
pub fn seen_queued(claim: LaunchClaim, now: Timestamp) -> LaunchClaim {
    match claim.asked {
        Asked::NotYet => LaunchClaim {
            queued_at: Some(now),
            ..claim
        },
        Asked::Alone | Asked::Together(_) => claim,
    }
}

/// The claim of a job that GitHub's list of its attempt shows to be over, or to have a runner: there is
/// nothing to launch for. Unless another job waits that this launch would serve: the one that has a runner
/// took the machine of somebody like it, who has none now.
#[must_use]
pub fn outlived(claim: &LaunchClaim, jobs: &[Job]) -> Option<LaunchClaim> {
    let job = jobs.iter().find(|job| job.id == claim.key.job_id)?;
    let why = match job.status {
        JobStatus::Completed => "the job ended before its machine was launched",
        JobStatus::InProgress => "the job has the runner of another",
        JobStatus::Queued
        | JobStatus::Waiting
        | JobStatus::Requested
        | JobStatus::Pending
        | JobStatus::Unknown(_) => return None,
    };
    let is_wanted =
        |other: &Job| other.status == JobStatus::Queued && would_take(other, &claim.runner_labels);
    if job.runner_name.is_some() && jobs.iter().any(is_wanted) {
        return None;
    }
    Some(given_up(claim.clone(), why.to_owned()))
}

/// Whether the job has no runner, and may take one with these labels: GitHub gives a job to any runner that
/// has all its labels.
pub(crate) fn would_take(job: &Job, offered: &[String]) -> bool {
    let is_offered = |label: &String| offered.iter().any(|one| one.eq_ignore_ascii_case(label));
    job.status != JobStatus::Completed
        && job.runner_name.is_none()
        && job.labels.iter().all(is_offered)
}
