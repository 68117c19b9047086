//! A job that was launched for and still waits: its machine is gone, another job took its runner, or its
//! runner never came.
//!
//! Nobody asks this of every job: that would cost a call to GitHub each. It is asked where something
//! makes it likely, by a due time on the claim: the search for queued jobs finds one that has waited for
//! long, its instance was taken or ended before it had a job, the job of another run ended on it, or a job
//! beside it ended that had no machine of its own. The
//! answer is what GitHub and EC2 say at that moment, so a needless question does no harm.

use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::{InstanceId, JobId};
use reprise_model::instance::{Instance, InstanceSight, InstanceView};
use reprise_model::job::{Job, JobStatus};
use reprise_model::launch::Asked;
use reprise_model::ledger::{ClaimKey, ClaimState, Due, LaunchClaim};
use reprise_model::reason::EndReason;
use reprise_model::runner_name::RunnerNamePattern;

use crate::backoff::after;
use crate::no_machine;
use crate::rules::Rules;

/// How long after its launch a runner is waited for. A boot takes a minute or two; an image that needs
/// longer than this is launched twice, and its second machine is ended as one without a job.
const UP_WITHIN: SignedDuration = SignedDuration::from_mins(10);

/// How many of the instances that were launched in vain a claim names.
const LOST_KEPT: usize = 4;

/// How long EC2 is given to list what it launched. It takes seconds, seldom a minute.
const LISTED_WITHIN: SignedDuration = SignedDuration::from_mins(2);

/// All that is known of a launched job.
#[derive(Debug, Clone, Copy)]
pub struct QueueFacts<'a> {
    /// Its claim, as it was when the question became due.
    pub claim: &'a LaunchClaim,
    /// What EC2 says of its instance, once that was asked.
    pub sight: Option<&'a InstanceSight>,
    /// What GitHub says of the jobs of its attempt.
    pub jobs: JobsWords<'a>,
    /// How a runner's name tells its instance.
    pub runner_name: &'a RunnerNamePattern,
}

/// What GitHub says of the jobs of an attempt.
#[derive(Debug, Clone, Copy)]
pub enum JobsWords<'a> {
    /// It was not asked.
    Unread,
    /// These.
    Seen(&'a [Job]),
    /// It refuses for good to show them.
    Refused,
}

/// What is to be done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
#[expect(
    clippy::large_enum_variant,
    reason = "made once a due claim and taken apart at once"
)]
pub enum QueueStep {
    /// Look at its instance.
    Look(InstanceId),
    /// Read the jobs of its attempt.
    ReadJobs,
    /// Commit this claim, for this reason.
    Commit(LaunchClaim, Why),
}

/// What is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// Its instance is gone.
    InstanceGone,
    /// Another job took its runner.
    RunnerTaken,
    /// Its runner had time to come up and did not.
    RunnerNeverCame,
    /// As many were launched for it as may be.
    LaunchedEnough,
    /// Its runner may yet come up.
    ComesUp,
    /// It does not wait any more, or GitHub does not show it.
    NotQueued,
    /// Nothing was launched for it (yet).
    NotLaunched,
}

impl Why {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::InstanceGone,
        Self::RunnerTaken,
        Self::RunnerNeverCame,
        Self::LaunchedEnough,
        Self::ComesUp,
        Self::NotQueued,
        Self::NotLaunched,
    ];

    /// The label value for metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InstanceGone => "instance-gone",
            Self::RunnerTaken => "runner-taken",
            Self::RunnerNeverCame => "runner-never-came",
            Self::LaunchedEnough => "launched-enough",
            Self::ComesUp => "comes-up",
            Self::NotQueued => "not-queued",
            Self::NotLaunched => "not-launched",
        }
    }

    /// Whether another instance is launched.
    pub fn launches(self) -> bool {
        match self {
            Self::InstanceGone | Self::RunnerTaken | Self::RunnerNeverCame => true,
            Self::LaunchedEnough | Self::ComesUp | Self::NotQueued | Self::NotLaunched => false,
        }
    }
}

/// What is to be done about a launched job whose claim is due.
pub fn decide(facts: &QueueFacts<'_>, rules: &Rules, now: Timestamp) -> QueueStep {
    let claim = facts.claim;
    let ClaimState::Launched { instance, .. } = &claim.state else {
        return QueueStep::Commit(at_rest(claim), Why::NotLaunched);
    };
    let Some(sight) = facts.sight else {
        return QueueStep::Look(instance.clone());
    };
    let jobs = match facts.jobs {
        JobsWords::Unread => return QueueStep::ReadJobs,
        JobsWords::Seen(jobs) => jobs,
        JobsWords::Refused => return QueueStep::Commit(at_rest(claim), Why::NotQueued),
    };
    if !is_queued(jobs, claim.key.job_id) {
        return QueueStep::Commit(at_rest(claim), Why::NotQueued);
    }
    if let Some(until) = comes_up_until(sight, claim, now) {
        if took_another(jobs, instance, facts.runner_name) {
            return again(claim, sight, Why::RunnerTaken, rules, now);
        }
        return QueueStep::Commit(later(claim, until), Why::ComesUp);
    }
    let why = if is_gone(sight) {
        Why::InstanceGone
    } else if took_another(jobs, instance, facts.runner_name) {
        Why::RunnerTaken
    } else {
        Why::RunnerNeverCame
    };
    again(claim, sight, why, rules, now)
}

/// The claim with the question due at `at`, where it is to be asked: something was launched for it
/// (this instance, where one is named), and it is not asked sooner anyway.
#[must_use]
pub fn asked_at(
    claim: &LaunchClaim,
    of: Option<&InstanceId>,
    at: Timestamp,
) -> Option<LaunchClaim> {
    let ClaimState::Launched { instance, .. } = &claim.state else {
        return None;
    };
    let is_it = of.is_none_or(|of| of == instance);
    let is_sooner = claim.due.is_some_and(|due| due.at <= at);
    (is_it && !is_sooner).then(|| LaunchClaim {
        due: Some(Due::now(at)),
        ..claim.clone()
    })
}

/// The jobs that may wait for the machine on which the job of this claim has run: alike, of its attempt, and
/// queued.
pub fn waiting_beside(claim: &LaunchClaim, jobs: &[Job]) -> impl Iterator<Item = ClaimKey> {
    let alike = jobs.iter().filter(|job| {
        job.id != claim.key.job_id
            && job.status == JobStatus::Queued
            && job.labels == claim.runner_labels
    });
    alike.map(|job| ClaimKey {
        job_id: job.id,
        ..claim.key.clone()
    })
}

/// Whether one of these jobs took the runner that was launched for a claim, and nobody asks of it yet.
pub fn is_robbed(
    claim: &LaunchClaim,
    jobs: &[Job],
    runner_name: &RunnerNamePattern,
    now: Timestamp,
) -> bool {
    match &claim.state {
        ClaimState::Launched { instance, .. } => {
            asked_at(claim, None, now).is_some() && took_another(jobs, instance, runner_name)
        }
        ClaimState::Wanted | ClaimState::GivenUp { .. } => false,
    }
}

/// Whether the end of an instance for this reason may leave its job waiting.
pub fn is_left_waiting(by: EndReason) -> bool {
    match by {
        EndReason::NeverRan | EndReason::PastMaxRunTime => true,
        // Its job had a runner, or ended without one.
        EndReason::JobEnded
        | EndReason::NotTaken
        | EndReason::NeverNeeded
        | EndReason::Surplus
        | EndReason::Stopped
        | EndReason::JobTakenElsewhere => false,
    }
}

/// Whether EC2 took an instance, or lost it. One whose operating system shut itself down may well have
/// done its job: those are many, and left to the search.
pub fn died(view: &InstanceView) -> bool {
    let reason = view.state_reason.as_deref();
    view.state.is_over() && reason.is_some_and(|reason| reason.starts_with("Server."))
}

fn again(
    claim: &LaunchClaim,
    sight: &InstanceSight,
    why: Why,
    rules: &Rules,
    now: Timestamp,
) -> QueueStep {
    let lost = claim.lost.saturating_add(1);
    let claim = LaunchClaim {
        lost,
        lost_instances: with_lost(&claim.lost_instances, sight),
        held_until: None,
        runner: None,
        ..claim.clone()
    };
    if lost >= rules.most_launches {
        let why = format!(
            "{lost} instances were launched for it one after the other, and none of them ran it"
        );
        let given_up = LaunchClaim {
            state: ClaimState::GivenUp { why },
            ..claim
        };
        let told = no_machine::ended(given_up, rules, now);
        return QueueStep::Commit(told, Why::LaunchedEnough);
    }
    let wanted = LaunchClaim {
        state: ClaimState::Wanted,
        generation: claim.generation.saturating_add(1),
        asked: Asked::NotYet,
        due: Some(Due::now(now)),
        queued_at: Some(now),
        ..claim
    };
    QueueStep::Commit(wanted, why)
}

/// The last instances that were launched in vain; one that EC2 does not show has nothing to tell.
fn with_lost(known: &[Instance], sight: &InstanceSight) -> Vec<Instance> {
    let seen = match sight {
        InstanceSight::Seen(view) => Some(view.instance.clone()),
        InstanceSight::Absent => None,
    };
    let all: Vec<Instance> = known.iter().cloned().chain(seen).collect();
    let first = all.len().saturating_sub(LOST_KEPT);
    all.into_iter().skip(first).collect()
}

fn at_rest(claim: &LaunchClaim) -> LaunchClaim {
    LaunchClaim {
        due: None,
        ..claim.clone()
    }
}

fn later(claim: &LaunchClaim, at: Timestamp) -> LaunchClaim {
    let tries = tries(claim).saturating_add(1);
    LaunchClaim {
        due: Some(Due { at, tries }),
        ..claim.clone()
    }
}

/// How often it was asked in vain.
fn tries(claim: &LaunchClaim) -> u32 {
    claim.due.map_or(0, |due| due.tries)
}

fn is_queued(jobs: &[Job], id: JobId) -> bool {
    let mut jobs = jobs.iter();
    jobs.any(|job| job.id == id && job.status == JobStatus::Queued)
}

/// Until when its runner is waited for; `None` when that is over.
fn comes_up_until(sight: &InstanceSight, claim: &LaunchClaim, now: Timestamp) -> Option<Timestamp> {
    let until = match sight {
        InstanceSight::Seen(view) if view.state.is_over() => return None,
        InstanceSight::Seen(view) => after(view.launched_at?, UP_WITHIN),
        // EC2 may not list it yet; asked once more, it is gone.
        InstanceSight::Absent if tries(claim) == 0 => after(now, LISTED_WITHIN),
        InstanceSight::Absent => return None,
    };
    (until > now).then_some(until)
}

fn is_gone(sight: &InstanceSight) -> bool {
    match sight {
        InstanceSight::Seen(view) => view.state.is_over(),
        InstanceSight::Absent => true,
    }
}

fn took_another(jobs: &[Job], instance: &InstanceId, runner_name: &RunnerNamePattern) -> bool {
    let names = jobs.iter().filter_map(|job| job.runner_name.as_ref());
    let mut named = names.filter_map(|name| runner_name.read(name));
    named.any(|named| named.id == *instance)
}

#[cfg(test)]
mod tests;
