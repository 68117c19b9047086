//! What a completed job means.
//!
//! One look, one verdict: [`completed`] is the table "A job completed", top to bottom. It does not
//! wait; where waiting may bring evidence it says until when to look again. An instance that EC2
//! takes is never among those to end: ending it by our hand would destroy the evidence. A tag alone
//! is only a claim that EC2 does: it brings a re-run, but keeps no instance alive for ever.

mod outlived;
mod overdue;
mod remember;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;
use reprise_model::evidence::{Evidence, EvidenceSource, borne_by};
use reprise_model::ids::Repository;
use reprise_model::instance::{Capacity, Instance, InstanceSight, InstanceState, InstanceView};
use reprise_model::job::{Conclusion, Execution, Job, JobStatus};
use reprise_model::ledger::InstanceEntry;
use reprise_model::policy::RetryPolicy;
use reprise_model::reason::{IgnoreReason, SettleReason};

pub use self::outlived::outlived;
pub use self::overdue::overdue;
pub use self::remember::{awaited, explained, looked_late, unexplained, with_evidence};
use crate::backoff::after;
use crate::rules::Rules;

/// Where a job ran, as far as its runner's name and EC2 tell.
#[derive(Debug, Clone, Copy)]
pub enum Host<'a> {
    /// It never had a runner.
    None,
    /// The runner's name holds no instance id.
    NotNamed,
    /// The name holds an instance id whose region is none of ours.
    ElsewhereRegion,
    /// The instance was looked for.
    Looked {
        /// What EC2 says.
        sight: &'a InstanceSight,
        /// What the store remembers of it.
        remembered: Option<&'a InstanceEntry>,
    },
}

/// The executions of the same job key in earlier attempts.
#[derive(Debug, Clone, Copy)]
pub enum Earlier<'a> {
    /// Not read yet.
    Unread,
    /// All of them, oldest first, carried-over records included once.
    Read(&'a [Execution]),
}

/// Whose machines the controller deals with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FleetRule<'a> {
    /// Retry-only: somebody else's machines; nothing launched, nothing terminated.
    Foreign,
    /// Ours: only instances that bear this stack's tag.
    Ours {
        /// The stack's name.
        stack: &'a str,
    },
}

/// All that is known when a job has completed.
#[derive(Debug, Clone, Copy)]
pub struct JobFacts<'a> {
    /// The job.
    pub job: &'a Job,
    /// Its repository.
    pub repository: &'a Repository,
    /// Whether configuration allows its repository.
    pub repository_allowed: bool,
    /// Where it ran.
    pub host: Host<'a>,
    /// Earlier executions of the same key.
    pub earlier: Earlier<'a>,
    /// Its policy by label, configuration or default.
    pub policy: RetryPolicy,
    /// Whose machines.
    pub fleet: FleetRule<'a>,
}

/// What is to be done about a completed job.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum JobVerdict {
    /// Nothing, and nothing is remembered.
    Ignore(IgnoreReason),
    /// It is settled. `end` is the instance to terminate, when it is ours and still there, and
    /// nobody but its own tag says that EC2 takes it.
    Settle {
        /// Why.
        reason: SettleReason,
        /// The instance to terminate.
        end: Option<Instance>,
        /// Where it ran, when that is known: `NotInterrupted` is remembered there.
        ran_on: Option<Instance>,
        /// What shows that EC2 took the instance of a job that is nevertheless not re-run.
        evidence: Vec<Evidence>,
    },
    /// No evidence yet: look again then, until the window ends.
    LookAgain {
        /// When to look next.
        at: Timestamp,
        /// When the window ends.
        until: Timestamp,
    },
    /// The earlier executions must be read first ([`Earlier::Read`]).
    ReadEarlier,
    /// It was interrupted and is to be re-run once its run has completed. Its instance is left to
    /// EC2; [`awaited`] remembers to look whether EC2 took it.
    Await {
        /// Where it ran.
        instance: Instance,
        /// What shows the interruption.
        evidence: Vec<Evidence>,
        /// The policy that allows the re-run.
        policy: RetryPolicy,
    },
}

/// What can be said of a completed job without a look at EC2.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Triage {
    /// This is the verdict.
    Decided(JobVerdict),
    /// Its host must be looked at; then [`completed`] decides.
    Look,
}

/// Decides without any look at EC2, where that is possible: most jobs of a busy repository are
/// none of ours, and on somebody else's fleet a job that passed leaves nothing to do.
pub fn triage(job: &Job, repository_allowed: bool, fleet: FleetRule<'_>) -> Triage {
    if let Some(reason) = ignored_unseen(job, repository_allowed) {
        return Triage::Decided(JobVerdict::Ignore(reason));
    }
    match fleet {
        FleetRule::Foreign if passed(job) => {
            Triage::Decided(settled(SettleReason::Succeeded, None, None))
        }
        FleetRule::Foreign | FleetRule::Ours { .. } => Triage::Look,
    }
}

/// The table "A job completed": the first row that matches.
pub fn completed(facts: &JobFacts<'_>, rules: &Rules, now: Timestamp) -> JobVerdict {
    if let Some(reason) = ignored_unseen(facts.job, facts.repository_allowed) {
        return JobVerdict::Ignore(reason);
    }
    let (sight, remembered) = match facts.host {
        Host::None => return JobVerdict::Ignore(IgnoreReason::NoRunner),
        Host::NotNamed => return JobVerdict::Ignore(IgnoreReason::RunnerNameWithoutInstance),
        Host::ElsewhereRegion => return JobVerdict::Ignore(IgnoreReason::ForeignInstance),
        Host::Looked { sight, remembered } => (sight, remembered),
    };
    let case = Case {
        facts,
        seen: match sight {
            InstanceSight::Seen(view) => Some(view),
            InstanceSight::Absent => None,
        },
        remembered,
        rules,
        now,
    };
    case.verdict()
}

/// A completed job whose host was looked for.
struct Case<'a> {
    facts: &'a JobFacts<'a>,
    seen: Option<&'a InstanceView>,
    remembered: Option<&'a InstanceEntry>,
    rules: &'a Rules,
    now: Timestamp,
}

impl Case<'_> {
    fn verdict(&self) -> JobVerdict {
        if self.bears_no_tag_of_ours() {
            return JobVerdict::Ignore(IgnoreReason::NotOurStack);
        }
        if self.was_launched_for_another_repository() {
            return JobVerdict::Ignore(IgnoreReason::OtherRepository);
        }
        if self.is_carried_over() {
            return JobVerdict::Ignore(IgnoreReason::CarriedOver);
        }
        if passed(self.facts.job) {
            return self.succeeded();
        }
        if self.must_read_earlier() {
            return JobVerdict::ReadEarlier;
        }
        if self.ran_on_demand() {
            return settled(SettleReason::NotSpot, self.to_end(), self.ran_on());
        }
        let evidence = self.evidence();
        match self.ran_on() {
            Some(instance) if !evidence.is_empty() => self.interrupted(instance, evidence),
            Some(_) | None => self.unexplained(),
        }
    }

    /// A job may pass although EC2 gave notice; then EC2 ends the instance. The tag alone does not
    /// keep us from ending it: a job can set it on its own instance to live on.
    fn succeeded(&self) -> JobVerdict {
        let evidence = self.evidence();
        if is_mere_claim(&evidence) {
            return settled(SettleReason::Succeeded, self.to_end(), self.ran_on());
        }
        JobVerdict::Settle {
            reason: SettleReason::Succeeded,
            end: None,
            ran_on: self.ran_on(),
            evidence,
        }
    }

    fn interrupted(&self, instance: Instance, evidence: Vec<Evidence>) -> JobVerdict {
        let policy = self.facts.policy;
        let refused = if policy == RetryPolicy::Never {
            Some(SettleReason::OptedOut)
        } else if self.execution_number() > policy.last_retried_execution() {
            Some(SettleReason::AttemptLimit)
        } else {
            None
        };
        match refused {
            Some(reason) => JobVerdict::Settle {
                reason,
                end: self.to_end().filter(|_| is_mere_claim(&evidence)),
                ran_on: Some(instance),
                evidence,
            },
            None => JobVerdict::Await {
                instance,
                evidence,
                policy,
            },
        }
    }

    fn unexplained(&self) -> JobVerdict {
        let until = after(self.window_begins(), self.rules.look_window);
        if self.now < until {
            let at = after(self.now, self.rules.look_again_after).min(until);
            return JobVerdict::LookAgain { at, until };
        }
        let reason = match self.seen {
            Some(_) => SettleReason::NotInterrupted,
            None => SettleReason::EvidenceExpired,
        };
        settled(reason, self.to_end(), self.ran_on())
    }

    /// GitHub always says when a job ended. Should it once not, an earlier time of the job ends
    /// the window sooner; `now` would move it on for ever.
    fn window_begins(&self) -> Timestamp {
        let job = self.facts.job;
        job.completed_at
            .or(job.started_at)
            .or(job.created_at)
            .unwrap_or(Timestamp::MIN)
    }

    fn bears_no_tag_of_ours(&self) -> bool {
        match (self.facts.fleet, self.seen) {
            (FleetRule::Ours { stack }, Some(view)) => {
                view.tags.get(&self.rules.tags.stack()).map(String::as_str) != Some(stack)
            }
            (FleetRule::Ours { .. }, None) | (FleetRule::Foreign, _) => false,
        }
    }

    /// A runner may be called anything: one that bears the name of another repository's instance
    /// must neither end that instance nor speak of it. An instance launched before there was such
    /// a tag, or one of another fleet's, tells of no repository.
    fn was_launched_for_another_repository(&self) -> bool {
        let tagged = match (self.facts.fleet, self.seen) {
            (FleetRule::Ours { .. }, Some(view)) => view.tags.get(&self.rules.tags.repository()),
            (FleetRule::Ours { .. }, None) | (FleetRule::Foreign, _) => None,
        };
        tagged.is_some_and(|tag| tag.parse().as_ref() != Ok(self.facts.repository))
    }

    fn is_carried_over(&self) -> bool {
        match self.facts.earlier {
            Earlier::Read(earlier) => {
                self.is_later_attempt() && earlier.contains(&self.facts.job.execution())
            }
            Earlier::Unread => self.is_later_attempt() && self.ended_before_its_record_was_made(),
        }
    }

    /// A carried-over record is made anew with the times of the old execution, so this shows one
    /// for certain, without a read; the opposite shows nothing.
    fn ended_before_its_record_was_made(&self) -> bool {
        let job = self.facts.job;
        match (job.completed_at, job.created_at) {
            (Some(completed), Some(created)) => completed < created,
            (Some(_) | None, _) => false,
        }
    }

    fn must_read_earlier(&self) -> bool {
        match self.facts.earlier {
            Earlier::Unread => self.is_later_attempt(),
            Earlier::Read(_) => false,
        }
    }

    fn is_later_attempt(&self) -> bool {
        !self.facts.job.run_attempt.is_first()
    }

    fn ran_on_demand(&self) -> bool {
        self.seen
            .is_some_and(|view| view.capacity == Capacity::OnDemand)
    }

    /// Counted from 1. A record without a runner, as of a job that was skipped, is none.
    fn execution_number(&self) -> u32 {
        let before = match self.facts.earlier {
            Earlier::Read(earlier) if self.is_later_attempt() => earlier
                .iter()
                .filter(|execution| execution.runner_name.is_some())
                .count(),
            Earlier::Read(_) | Earlier::Unread => 0,
        };
        u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// Each source's earliest word, of those that count for this job. The earliest is taken
    /// first: a tag that was on the instance before the job began is still there after its end,
    /// and stays void.
    fn evidence(&self) -> Vec<Evidence> {
        let stored = self
            .remembered
            .map(|entry| entry.evidence.clone())
            .unwrap_or_default();
        let borne = self
            .seen
            .map(|view| borne_by(view, &self.rules.tags, self.now))
            .unwrap_or_default();
        let job = self.facts.job;
        earliest_of_each(stored.into_iter().chain(borne))
            .into_iter()
            .filter(|one| one.counts_for(job.started_at, job.completed_at))
            .collect()
    }

    fn ran_on(&self) -> Option<Instance> {
        self.seen
            .map(|view| &view.instance)
            .or(self.remembered.map(|entry| &entry.instance))
            .cloned()
    }

    /// Its instance, if the fleet is ours and EC2 still runs it. Whether it bears our tag was
    /// asked before anything else.
    fn to_end(&self) -> Option<Instance> {
        match (self.facts.fleet, self.seen) {
            (FleetRule::Ours { .. }, Some(view)) if !is_ending(view.state) => {
                Some(view.instance.clone())
            }
            (FleetRule::Ours { .. } | FleetRule::Foreign, _) => None,
        }
    }
}

/// What rules a job out before anybody looks at its host.
fn ignored_unseen(job: &Job, repository_allowed: bool) -> Option<IgnoreReason> {
    if !repository_allowed {
        Some(IgnoreReason::RepositoryNotAllowed)
    } else if job.status != JobStatus::Completed {
        Some(IgnoreReason::NothingToDecide)
    } else if job.runner_name.is_none() {
        Some(IgnoreReason::NoRunner)
    } else {
        None
    }
}

/// Whether there is nothing to bring back. Every other conclusion, also one that GitHub has added
/// since, is judged by the evidence.
pub(crate) fn passed(job: &Job) -> bool {
    match &job.conclusion {
        Some(Conclusion::Success | Conclusion::Skipped | Conclusion::Neutral) => true,
        Some(
            Conclusion::Failure
            | Conclusion::Cancelled
            | Conclusion::TimedOut
            | Conclusion::ActionRequired
            | Conclusion::Stale
            | Conclusion::StartupFailure
            | Conclusion::Unknown(_),
        )
        | None => false,
    }
}

/// Whether nobody but the agent's tag, which a job can set on its own instance, says that EC2
/// takes it.
fn is_mere_claim(evidence: &[Evidence]) -> bool {
    evidence.iter().all(|one| one.source == EvidenceSource::Tag)
}

fn is_ending(state: InstanceState) -> bool {
    match state {
        InstanceState::ShuttingDown | InstanceState::Terminated => true,
        InstanceState::Pending
        | InstanceState::Running
        | InstanceState::Stopping
        | InstanceState::Stopped
        | InstanceState::Unknown => false,
    }
}

fn settled(reason: SettleReason, end: Option<Instance>, ran_on: Option<Instance>) -> JobVerdict {
    JobVerdict::Settle {
        reason,
        end,
        ran_on,
        evidence: Vec::new(),
    }
}

/// One piece of evidence a source: the earliest, in the order of the sources.
fn earliest_of_each(evidence: impl IntoIterator<Item = Evidence>) -> Vec<Evidence> {
    let mut by_source: BTreeMap<EvidenceSource, Evidence> = BTreeMap::new();
    for one in evidence {
        let kept = by_source.entry(one.source).or_insert_with(|| one.clone());
        if one.first_seen_at < kept.first_seen_at {
            *kept = one;
        }
    }
    by_source.into_values().collect()
}
