//! Whether an instance of the stack still serves anything.
//!
//! The end of a job ends its instance. [`decide`] is for what that leaves behind: an event that was
//! lost, a job that was cancelled while it waited for its machine, a runner that took another job
//! than its own, one that never came up. It asks for one read at a time, the cheapest first. When in
//! doubt an instance is kept: one that idles costs cents, and one that is ended at its work costs
//! somebody's job.
//!
//! It does not take the runner out of GitHub first. So a job of the same run that is queued between
//! the last read and the end may lose its machine; the rules below leave that no more than the
//! second between the two, and only where nothing waited before.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reprise_model::evidence::{COUNTS_FOR, Evidence};
use reprise_model::ids::{RunAttempt, RunId};
use reprise_model::instance::{InstanceState, InstanceView};
use reprise_model::job::{Job, JobStatus};
use reprise_model::labels;
use reprise_model::ledger::LaunchClaim;
use reprise_model::reason::EndReason;
use reprise_model::run::{Run, RunStatus};
use reprise_model::runner_name::RunnerNamePattern;

use crate::backoff::after;
use crate::fleet::{Holder, holder};
use crate::mutant;
use crate::rules::Rules;
use crate::tenant::{RunRead, RunSeen, Tenant, tenant};

/// How old an instance is before anybody is asked about it. Most jobs are over by then, and their
/// instances with them, so most instances cost no question.
const GRACE: SignedDuration = SignedDuration::from_mins(10);

/// How long after the end of a job its instance is left to the job's own event, and to the look for
/// evidence that the end of the instance would destroy.
const JUST_ENDED: SignedDuration = SignedDuration::from_mins(5);

/// How long an instance may idle beside a job that waits for it, or in a run that goes on without
/// it. A runner that is up takes a job within seconds.
const IDLES_FOR: SignedDuration = SignedDuration::from_hours(1);

/// From this age on, a doubt is told: nothing here will resolve it.
const OLD: SignedDuration = SignedDuration::from_hours(6);

/// The bounds of the pause between two questions about an instance.
const LEAST_REST: SignedDuration = SignedDuration::from_mins(1);
const LONGEST_REST: SignedDuration = SignedDuration::from_mins(30);

/// All that is known of an instance of the stack.
#[derive(Debug, Clone, Copy)]
pub struct ReapFacts<'a> {
    /// What EC2 says.
    pub view: &'a InstanceView,
    /// Our stack.
    pub stack: &'a str,
    /// When it may be asked about again, where it was before.
    pub rests_until: Option<Timestamp>,
    /// What the ledger says, once that was read.
    pub ledger: Option<LedgerWords<'a>>,
    /// How a runner's name tells its instance.
    pub runner_name: &'a RunnerNamePattern,
    /// What GitHub says of its run.
    pub github: GitHubWords<'a>,
}

/// What the ledger says of an instance.
#[derive(Debug, Clone, Copy)]
pub struct LedgerWords<'a> {
    /// The launch that its tags name.
    pub claim: Option<&'a LaunchClaim>,
    /// The claims of those who share that launch, once they were read.
    pub crew: Option<&'a [LaunchClaim]>,
    /// What shows that EC2 takes it.
    pub evidence: &'a [Evidence],
}

/// What GitHub says of the run that an instance was launched for.
#[derive(Debug, Clone, Copy)]
pub enum GitHubWords<'a> {
    /// As far as it was read.
    Seen(RunSeen<'a>),
    /// It refuses for good to show the run.
    Refused,
}

/// What to do about an instance of the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Reap {
    /// Leave it as it is.
    Keep(KeepReason),
    /// Read this, and decide again.
    Ask(Question),
    /// End it.
    End(EndReason),
}

/// A read that the decision needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// The launch claim, and what is remembered of the instance.
    Ledger,
    /// The claims of those who share its launch.
    Crew,
    /// The run at GitHub.
    GitHub(RunRead),
}

/// Why an instance is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepReason {
    /// It does not bear our stack's tag.
    NotOurs,
    /// It is not running: it ends already, or its state is one that we do not end.
    NotRunning,
    /// It was launched a moment ago, or EC2 does not say when.
    Young,
    /// It was asked about a while ago.
    Rests,
    /// EC2 is said to take it; ending it would destroy the evidence.
    MayBeTaken,
    /// Its job runs.
    JobRuns,
    /// Its job ended a moment ago: the job's own event ends the instance.
    JobJustEnded,
    /// A job of its run waits for a runner, and it may be this one.
    JobWaits,
    /// Its run goes on, and may have another job for it.
    RunGoesOn,
    /// Nobody knows what it was launched for.
    NoClaim,
    /// GitHub does not show its run.
    RunUnreadable,
    /// Its run's jobs do not tell of the one that it was launched for.
    JobUnknown,
    /// Its labels are not bound to its run, so it may have taken another run's job.
    MayServeAnotherRun,
    /// One of the doubts above, for so long that a person should look.
    DoubtfulForLong,
}

impl KeepReason {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::NotOurs,
        Self::NotRunning,
        Self::Young,
        Self::Rests,
        Self::MayBeTaken,
        Self::JobRuns,
        Self::JobJustEnded,
        Self::JobWaits,
        Self::RunGoesOn,
        Self::NoClaim,
        Self::RunUnreadable,
        Self::JobUnknown,
        Self::MayServeAnotherRun,
        Self::DoubtfulForLong,
    ];

    /// The word for logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotOurs => "not-ours",
            Self::NotRunning => "not-running",
            Self::Young => "young",
            Self::Rests => "rests",
            Self::MayBeTaken => "may-be-taken",
            Self::JobRuns => "job-runs",
            Self::JobJustEnded => "job-just-ended",
            Self::JobWaits => "job-waits",
            Self::RunGoesOn => "run-goes-on",
            Self::NoClaim => "no-claim",
            Self::RunUnreadable => "run-unreadable",
            Self::JobUnknown => "job-unknown",
            Self::MayServeAnotherRun => "may-serve-another-run",
            Self::DoubtfulForLong => "doubtful-for-long",
        }
    }
}

/// What to do about an instance of the stack.
pub fn decide(facts: &ReapFacts<'_>, rules: &Rules, now: Timestamp) -> Reap {
    if let Some(reason) = kept_unasked(facts, rules, now) {
        return Reap::Keep(reason);
    }
    let Some(ledger) = facts.ledger else {
        return Reap::Ask(Question::Ledger);
    };
    let may_be_taken = |one: &Evidence| now.duration_since(one.first_seen_at) <= COUNTS_FOR;
    if ledger.evidence.iter().any(may_be_taken) {
        return Reap::Keep(KeepReason::MayBeTaken);
    }
    let age = age(facts.view, now);
    let Some(claim) = ledger.claim else {
        return doubt(KeepReason::NoClaim, age);
    };
    let seen = match facts.github {
        GitHubWords::Seen(seen) => seen,
        GitHubWords::Refused => return doubt(KeepReason::RunUnreadable, age),
    };
    match tenant(facts.view, claim, facts.runner_name, seen) {
        Tenant::Read(read) => Reap::Ask(Question::GitHub(read)),
        Tenant::Job(job) => beside_its_job(job, now),
        Tenant::Nobody => idle(facts, claim, ledger, seen, now),
    }
}

/// What becomes of an instance that took no job.
fn idle(
    facts: &ReapFacts<'_>,
    claim: &LaunchClaim,
    ledger: LedgerWords<'_>,
    seen: RunSeen<'_>,
    now: Timestamp,
) -> Reap {
    let shares = claim.share().is_some_and(|share| !share.crew.is_empty());
    let crew = match ledger.crew {
        None if shares => return Reap::Ask(Question::Crew),
        None => &[],
        Some(crew) => crew,
    };
    let (claim, is_surplus) = match holder(claim, crew, &facts.view.instance.id) {
        Holder::Claim(holder) => (holder, false),
        Holder::Unknown => (claim, false),
        Holder::Nobody => (claim, true),
    };
    let age = age(facts.view, now);
    match Idle::new(claim, seen, age, now) {
        Some(idle) => Idle { is_surplus, ..idle }.decide(),
        None => doubt(KeepReason::JobUnknown, age),
    }
}

/// When an instance that was asked about may be asked about again: after a quarter of its age. So a
/// job whose end was lost costs at most that much more, one of five hours is asked about some 15
/// times, and instances that were launched together are asked about together, for one read of their
/// run.
pub fn rests_until(view: &InstanceView, now: Timestamp) -> Timestamp {
    let pause = (age(view, now) / 4).clamp(LEAST_REST, LONGEST_REST);
    after(now, pause)
}

/// What keeps an instance without any read.
fn kept_unasked(facts: &ReapFacts<'_>, rules: &Rules, now: Timestamp) -> Option<KeepReason> {
    let view = facts.view;
    if view.tags.get(&rules.tags.stack()).map(String::as_str) != Some(facts.stack) {
        Some(KeepReason::NotOurs)
    } else if !is_running(view.state) {
        Some(KeepReason::NotRunning)
    } else if age(view, now) < GRACE {
        Some(KeepReason::Young)
    } else if facts.rests_until.is_some_and(|until| now < until) {
        Some(KeepReason::Rests)
    } else {
        None
    }
}

/// An instance takes one job: when that has ended, so has the instance's use.
fn beside_its_job(job: &Job, now: Timestamp) -> Reap {
    if job.status != JobStatus::Completed {
        return mutant!(EndWhatRuns => Reap::End(EndReason::JobEnded), Reap::Keep(KeepReason::JobRuns));
    }
    let ended = job.completed_at.or(job.started_at).or(job.created_at);
    if ended.is_none_or(|ended| now < after(ended, JUST_ENDED)) {
        return Reap::Keep(KeepReason::JobJustEnded);
    }
    Reap::End(EndReason::JobEnded)
}

/// An instance that took no job of its run.
struct Idle<'a> {
    claim: &'a LaunchClaim,
    run: &'a Run,
    /// The job that it was launched for.
    job: &'a Job,
    /// The jobs of the run's latest attempt.
    latest: &'a [Job],
    /// Whether it was launched for somebody who has another one.
    is_surplus: bool,
    age: SignedDuration,
    now: Timestamp,
}

impl<'a> Idle<'a> {
    /// `None` where GitHub's lists do not tell of the job that it was launched for.
    fn new(
        claim: &'a LaunchClaim,
        seen: RunSeen<'a>,
        age: SignedDuration,
        now: Timestamp,
    ) -> Option<Self> {
        let run = seen.run?;
        Some(Self {
            claim,
            run,
            job: listed(seen.lists, claim.attempt)?
                .iter()
                .find(|job| job.id == claim.key.job_id)?,
            latest: listed(seen.lists, run.run_attempt)?,
            is_surplus: false,
            age,
            now,
        })
    }

    fn decide(&self) -> Reap {
        if !is_bound_to(self.claim.run_id, &self.claim.runner_labels) {
            return doubt(KeepReason::MayServeAnotherRun, self.age);
        }
        if let Some(verdict) = self.beside_those_that_wait() {
            return verdict;
        }
        if self.is_surplus {
            return Reap::End(EndReason::Surplus);
        }
        if self.job.status != JobStatus::Completed && self.job.runner_name.is_none() {
            return doubt(KeepReason::JobUnknown, self.age);
        }
        if !self.is_over() {
            return Reap::Keep(KeepReason::RunGoesOn);
        }
        Reap::End(match self.job.runner_name {
            Some(_) => EndReason::JobTakenElsewhere,
            None => EndReason::NeverNeeded,
        })
    }

    /// A job that waits though a runner for it should long be up shows that this one is not.
    fn beside_those_that_wait(&self) -> Option<Reap> {
        let mut waiting = self.latest.iter().filter(|job| self.waits(job)).peekable();
        waiting.peek()?;
        let is_broken = self.age >= IDLES_FOR && waiting.all(|job| self.waits_for_long(job));
        Some(if is_broken {
            Reap::End(EndReason::NeverRan)
        } else {
            Reap::Keep(KeepReason::JobWaits)
        })
    }

    /// Whether the job has no runner yet and this one would do: GitHub gives a job to any runner
    /// that has all its labels.
    fn waits(&self, job: &Job) -> bool {
        let offered = &self.claim.runner_labels;
        let is_offered = |label: &String| offered.iter().any(|one| one.eq_ignore_ascii_case(label));
        job.status != JobStatus::Completed
            && job.runner_name.is_none()
            && job.labels.iter().all(is_offered)
    }

    fn waits_for_long(&self, job: &Job) -> bool {
        job.status == JobStatus::Queued
            && job
                .created_at
                .is_some_and(|created| self.now >= after(created, IDLES_FOR))
    }

    /// Whether nothing more is to be expected of the run: it has completed and was not re-run at
    /// once, or it has gone on without this instance for long.
    fn is_over(&self) -> bool {
        let last_end = self.latest.iter().filter_map(|job| job.completed_at).max();
        let since = last_end.max(self.run.run_started_at);
        let quiet = |pause| since.is_some_and(|since| self.now >= after(since, pause));
        match self.run.status {
            RunStatus::Completed => quiet(JUST_ENDED),
            RunStatus::Queued
            | RunStatus::Waiting
            | RunStatus::Requested
            | RunStatus::Pending
            | RunStatus::InProgress
            | RunStatus::Unknown(_) => self.age >= IDLES_FOR && quiet(IDLES_FOR),
        }
    }
}

fn listed(lists: &BTreeMap<RunAttempt, Vec<Job>>, attempt: RunAttempt) -> Option<&[Job]> {
    lists.get(&attempt).map(Vec::as_slice)
}

/// Whether no other run's job has these labels: the run's id stands in them, as configured runners
/// are told to do. Who writes another run's id into a workflow shares that run's fate.
fn is_bound_to(run: RunId, runner_labels: &[String]) -> bool {
    let Ok(Some(labels)) = labels::parse(runner_labels) else {
        return false;
    };
    let rest = labels
        .id
        .as_deref()
        .and_then(|id| id.strip_prefix(&run.to_string()));
    rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_digit()))
}

fn doubt(reason: KeepReason, age: SignedDuration) -> Reap {
    Reap::Keep(if age < OLD {
        reason
    } else {
        KeepReason::DoubtfulForLong
    })
}

/// Nothing, where EC2 does not say when it was launched.
fn age(view: &InstanceView, now: Timestamp) -> SignedDuration {
    view.launched_at.map_or(SignedDuration::ZERO, |launched| {
        now.duration_since(launched)
    })
}

fn is_running(state: InstanceState) -> bool {
    match state {
        InstanceState::Running => true,
        InstanceState::Pending
        | InstanceState::ShuttingDown
        | InstanceState::Terminated
        | InstanceState::Stopping
        | InstanceState::Stopped
        | InstanceState::Unknown => false,
    }
}

#[cfg(test)]
mod tests;
