//! What a completed job means.
//!
//! One look, one verdict: [`completed`] is the table "A job completed", top to bottom. It does not
//! wait; where waiting may bring evidence it says until when to look again. An instance that EC2
//! takes is never among those to end: ending it by our hand would destroy the evidence. A tag alone
//! is only a claim that EC2 does: it brings a re-run, but keeps no instance alive for ever.

mod advised;
mod case;
mod earlier;
mod failed;
mod outlived;
mod overdue;
mod remember;
mod swept;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reprise_model::advice::{Advice, Question};
use reprise_model::evidence::{Evidence, EvidenceSource};
use reprise_model::failure::{DecidedBy, Judgement};
use reprise_model::ids::Repository;
use reprise_model::instance::{Instance, InstanceSight, InstanceState, InstanceView, SpotStatus};
use reprise_model::job::{Conclusion, Execution, Job, JobStatus};
use reprise_model::ledger::{HandedOver, InstanceEntry, Why};
use reprise_model::policy::RetryPolicy;
use reprise_model::reason::{IgnoreReason, Refusal, SettleReason};

use self::case::Case;
pub use self::earlier::{EarlierRead, earlier_executions};
pub use self::outlived::outlived;
pub use self::remember::{
    awaited, explained, looked_late, unexplained, with_console, with_evidence,
};
pub use self::swept::{Found, LeaveReason, Swept, found, may_be_late, swept};
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
    /// GitHub refuses for good to show them, and so to re-run the job, too.
    Unreadable(&'a Refusal),
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
    /// The runner that its host got from us, where [`asks_for_runner`] wants it.
    pub runner: Option<&'a HandedOver>,
    /// What EC2 says of its host's spot request, where [`asks_for_spot_request`] wants it.
    pub spot_request: Option<&'a SpotStatus>,
    /// Earlier executions of the same key.
    pub earlier: Earlier<'a>,
    /// Its policy by label, configuration or default.
    pub policy: RetryPolicy,
    /// How long that waits after the end of the run, attempt by attempt.
    pub delays: &'a [SignedDuration],
    /// What its steps, annotations and log say of its failure; `None` where they were not read.
    pub failure: Option<&'a Judgement>,
    /// What came of asking the endpoint that its policy names, or that its label may not name.
    pub advice: Option<&'a Advice>,
    /// Where people see GitHub.
    pub web: &'a str,
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
        /// On what grounds it would come back, had its policy not had its say: kept, for people to see.
        given_up: Option<Box<Grounds>>,
    },
    /// No evidence yet: look again then, until the window ends.
    LookAgain {
        /// When to look next.
        at: Timestamp,
        /// When the window ends.
        until: Timestamp,
    },
    /// The earlier executions must be read first ([`earlier_executions`]).
    ReadEarlier,
    /// What made it fail must be read first ([`JobFacts::failure`]).
    ReadFailure,
    /// The endpoint that its policy names must be asked first ([`JobFacts::advice`]).
    Ask(Box<Question>),
    /// It was interrupted and is to be re-run once its run has completed. Its instance is left to
    /// EC2; [`awaited`] remembers to look whether EC2 took it.
    Await {
        /// Where it ran.
        instance: Instance,
        /// What shows the interruption.
        evidence: Vec<Evidence>,
        /// The policy that allows the re-run.
        policy: RetryPolicy,
        /// What the endpoint said, where one was asked.
        advice: Option<Advice>,
    },
    /// Nothing shows an interruption, and its policy re-runs it all the same, if its run ends as
    /// failed.
    Retry {
        /// What it is to come back for.
        why: Why,
        /// The policy that allows the re-run.
        policy: RetryPolicy,
        /// How long to wait after the end of the run, give or take.
        pause: SignedDuration,
        /// The instance to terminate.
        end: Option<Instance>,
        /// Where it ran, when evidence of an interruption may yet come from there.
        ran_on: Option<Instance>,
        /// What says that it would pass, where its policy asks for that.
        told: Option<DecidedBy>,
        /// What the endpoint said, where one was asked.
        advice: Option<Advice>,
    },
}

impl JobVerdict {
    /// On what grounds the job is to come back, if it is.
    pub fn grounds(&self) -> Option<Grounds> {
        match self {
            Self::Await {
                instance,
                evidence,
                policy,
                advice,
            } => Some(Grounds {
                why: Why::Interrupted,
                policy: *policy,
                instance: Some(instance.clone()),
                evidence: evidence.clone(),
                told: None,
                advice: advice.clone(),
                pause: SignedDuration::ZERO,
            }),
            Self::Retry {
                why,
                policy,
                pause,
                ran_on,
                told,
                advice,
                ..
            } => Some(Grounds {
                why: *why,
                policy: *policy,
                instance: ran_on.clone(),
                evidence: Vec::new(),
                told: told.clone(),
                advice: advice.clone(),
                pause: *pause,
            }),
            Self::Ignore(_)
            | Self::Settle { .. }
            | Self::LookAgain { .. }
            | Self::ReadEarlier
            | Self::ReadFailure
            | Self::Ask(_) => None,
        }
    }

    /// Whether its policy gives it up for what an endpoint said, or did not say.
    pub fn is_advised(&self) -> bool {
        let given_up = self.given_up();
        given_up.is_some_and(|(_, grounds)| grounds.advice.is_some())
    }

    /// What is kept of a job that its policy gives up: why, and on what grounds it would come back.
    pub fn given_up(&self) -> Option<(&SettleReason, &Grounds)> {
        match self {
            Self::Settle {
                reason,
                given_up: Some(grounds),
                ..
            } => Some((reason, grounds)),
            Self::Settle { .. }
            | Self::Ignore(_)
            | Self::LookAgain { .. }
            | Self::ReadEarlier
            | Self::ReadFailure
            | Self::Ask(_)
            | Self::Await { .. }
            | Self::Retry { .. } => None,
        }
    }
}

/// On what grounds a job is to come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grounds {
    /// What it is to come back for.
    pub why: Why,
    /// The policy that allows the re-run.
    pub policy: RetryPolicy,
    /// Where it ran, when evidence of an interruption is or may be known of that.
    pub instance: Option<Instance>,
    /// What shows an interruption.
    pub evidence: Vec<Evidence>,
    /// What its failure was judged by, where its policy asks for that.
    pub told: Option<DecidedBy>,
    /// What the endpoint said that its policy names, where one was asked.
    pub advice: Option<Advice>,
    /// How long to wait after the end of the run, give or take.
    pub pause: SignedDuration,
}

/// What can be said of a completed job without a look at EC2.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
#[expect(
    clippy::large_enum_variant,
    reason = "made once a look and taken apart at once, never stored in numbers"
)]
pub enum Triage {
    /// This is the verdict.
    Decided(JobVerdict),
    /// Its host must be looked at; then [`completed`] decides.
    Look,
    /// The same, and what EC2 told of its host before is enough: the job passed, so no sign of an
    /// interruption is looked for.
    Recall,
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
        FleetRule::Ours { .. } if passed(job) => Triage::Recall,
        FleetRule::Foreign | FleetRule::Ours { .. } => Triage::Look,
    }
}

/// Whether the runner that was handed over to a job's host decides whose job it is: the host was launched
/// for another repository of the same owner, and runners of an organisation serve all of them.
pub fn asks_for_runner(
    job: &Job,
    repository: &Repository,
    seen: &InstanceView,
    fleet: FleetRule<'_>,
    rules: &Rules,
) -> bool {
    let tag = seen.tags.get(&rules.tags.repository());
    match (fleet, tag.and_then(|tag| tag.parse::<Repository>().ok())) {
        (FleetRule::Ours { .. }, Some(other)) => {
            job.runner_id.is_some()
                && other != *repository
                && other.owner().eq_ignore_ascii_case(repository.owner())
        }
        (FleetRule::Ours { .. } | FleetRule::Foreign, _) => false,
    }
}

/// Whether the host's spot request is to be read: proof is asked for, and so far nothing but the tag says
/// that EC2 took the host.
pub fn asks_for_spot_request(facts: &JobFacts<'_>, rules: &Rules, now: Timestamp) -> bool {
    let is_ours_to_judge = ignored_unseen(facts.job, facts.repository_allowed).is_none();
    is_ours_to_judge && case(facts, rules, now).is_some_and(|case| case.lacks_proof())
}

/// The table "A job completed": the first row that matches.
pub fn completed(facts: &JobFacts<'_>, rules: &Rules, now: Timestamp) -> JobVerdict {
    failed::instead(facts, by_its_host(facts, rules, now))
}

fn by_its_host(facts: &JobFacts<'_>, rules: &Rules, now: Timestamp) -> JobVerdict {
    if let Some(reason) = ignored_unseen(facts.job, facts.repository_allowed) {
        return JobVerdict::Ignore(reason);
    }
    match (case(facts, rules, now), facts.host) {
        (Some(case), _) => case.verdict(),
        (None, Host::NotNamed) => JobVerdict::Ignore(IgnoreReason::RunnerNameWithoutInstance),
        (None, Host::ElsewhereRegion) => JobVerdict::Ignore(IgnoreReason::ForeignInstance),
        (None, Host::None | Host::Looked { .. }) => JobVerdict::Ignore(IgnoreReason::NoRunner),
    }
}

/// The case of a job whose host was looked for.
fn case<'a>(facts: &'a JobFacts<'a>, rules: &'a Rules, now: Timestamp) -> Option<Case<'a>> {
    let (sight, remembered) = match facts.host {
        Host::None | Host::NotNamed | Host::ElsewhereRegion => return None,
        Host::Looked { sight, remembered } => (sight, remembered),
    };
    let seen = match sight {
        InstanceSight::Seen(view) => Some(view),
        InstanceSight::Absent => None,
    };
    Some(Case {
        facts,
        seen,
        remembered,
        rules,
        now,
    })
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

pub(crate) fn is_ending(state: InstanceState) -> bool {
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
        given_up: None,
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
