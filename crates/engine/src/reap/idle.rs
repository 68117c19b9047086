//! An instance of whose runner no job of its run tells.
//!
//! What it was launched for is looked up in GitHub's lists of its run. Where its labels hold the run's
//! id no other run's job can come to it. Where they do not, any job with the same labels may, of the
//! whole organisation; then only what GitHub says of the runner itself counts, and an idle one that
//! nobody took while it was new is not wanted.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::{RunAttempt, RunId};
use reprise_model::job::{Job, JobStatus};
use reprise_model::labels;
use reprise_model::ledger::LaunchClaim;
use reprise_model::reason::EndReason;
use reprise_model::run::{Run, RunStatus};

use super::{JUST_ENDED, KeepReason, Reap, RunnerWords, doubt, once_withdrawn};
use crate::backoff::after;
use crate::launch::would_take;
use crate::tenant::RunSeen;

/// How long an instance may idle beside a job that waits for it, or in a run that goes on without
/// it. A runner that is up takes a job within seconds.
const IDLES_FOR: SignedDuration = SignedDuration::from_hours(1);

/// How old an instance is, that any run's job may take, before it counts as one that none takes. It has
/// booted by then, and each job that waits for one like it has had a machine launched of its own.
const UNTAKEN_FOR: SignedDuration = SignedDuration::from_mins(15);

/// An instance that took no job of its run.
pub(super) struct Idle<'a> {
    claim: &'a LaunchClaim,
    run: &'a Run,
    /// The job that it was launched for.
    job: &'a Job,
    /// The jobs of the run's latest attempt.
    latest: &'a [Job],
    /// Whether it was launched for somebody who has another one.
    is_surplus: bool,
    runner: RunnerWords,
    age: SignedDuration,
    now: Timestamp,
}

impl<'a> Idle<'a> {
    /// `None` where GitHub's lists do not tell of the job that it was launched for.
    pub(super) fn new(
        claim: &'a LaunchClaim,
        seen: RunSeen<'a>,
        runner: RunnerWords,
        is_surplus: bool,
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
            is_surplus,
            runner,
            age,
            now,
        })
    }

    pub(super) fn decide(&self) -> Reap {
        if self.is_left_over()
            && let Some(verdict) = once_withdrawn(self.runner, self.reason())
        {
            return verdict;
        }
        let is_bound = self.is_bound();
        match self.by_its_run(is_bound) {
            Reap::End(why) => self.end(why, is_bound),
            verdict @ (Reap::Keep(_) | Reap::Ask(_)) => verdict,
        }
    }

    /// Where GitHub does not say whether the runner has a job, only what no other run could use is
    /// ended.
    fn end(&self, why: EndReason, is_bound: bool) -> Reap {
        match once_withdrawn(self.runner, why) {
            Some(verdict) => verdict,
            None if is_bound => Reap::End(why),
            None if self.runner == RunnerWords::NotNow => Reap::Keep(KeepReason::RunnerNotAsked),
            None => doubt(KeepReason::MayServeAnotherRun, self.age),
        }
    }

    /// Whether it was launched for an attempt that is over. A job of the next one has, or gets, a machine
    /// of its own, of the capacity that is right for it, and is to take no other.
    fn is_left_over(&self) -> bool {
        let is_later = self.run.run_attempt > self.claim.attempt;
        let has_ended = self.run.status == RunStatus::Completed && self.had_its_chance();
        is_later || (has_ended && self.is_bound())
    }

    /// Whether its own job wants no runner any more.
    fn had_its_chance(&self) -> bool {
        self.job.status == JobStatus::Completed || self.job.runner_name.is_some()
    }

    fn reason(&self) -> EndReason {
        if self.is_surplus {
            EndReason::Surplus
        } else if self.job.runner_name.is_some() {
            EndReason::JobTakenElsewhere
        } else {
            EndReason::NeverNeeded
        }
    }

    fn by_its_run(&self, is_bound: bool) -> Reap {
        if let Some(verdict) = self.beside_those_that_wait() {
            return verdict;
        }
        if self.is_surplus && is_bound {
            return Reap::End(EndReason::Surplus);
        }
        if !self.had_its_chance() && !self.is_surplus {
            return doubt(KeepReason::JobUnknown, self.age);
        }
        if is_bound && !self.is_over() {
            return Reap::Keep(KeepReason::RunGoesOn);
        }
        if !is_bound && self.age < UNTAKEN_FOR {
            return Reap::Keep(KeepReason::MayServeAnotherRun);
        }
        Reap::End(self.reason())
    }

    fn is_bound(&self) -> bool {
        is_bound_to(self.claim.run_id, &self.claim.runner_labels)
    }

    /// A job that waits though a runner for it should long be up shows that this one is not.
    fn beside_those_that_wait(&self) -> Option<Reap> {
        let waiting = self.latest.iter();
        let mut waiting = waiting
            .filter(|job| would_take(job, &self.claim.runner_labels))
            .peekable();
        waiting.peek()?;
        let is_broken = self.age >= IDLES_FOR && waiting.all(|job| self.waits_for_long(job));
        Some(if is_broken {
            Reap::End(EndReason::NeverRan)
        } else {
            Reap::Keep(KeepReason::JobWaits)
        })
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
pub(super) fn is_bound_to(run: RunId, runner_labels: &[String]) -> bool {
    let Ok(Some(labels)) = labels::parse(runner_labels) else {
        return false;
    };
    let rest = labels
        .id
        .as_deref()
        .and_then(|id| id.strip_prefix(&run.to_string()));
    rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_digit()))
}
