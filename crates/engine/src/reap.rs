//! Whether an instance of the stack still serves anything.
//!
//! The end of a job ends its instance. [`decide`] is for what that leaves behind: an event that was
//! lost, a job that was cancelled while it waited for its machine, a runner that took another job
//! than its own, one that never came up. It asks for one read at a time, the cheapest first. When in
//! doubt an instance is kept, until the maximum run time: one that idles costs cents, and one that is
//! ended at its work costs somebody's job.
//!
//! Before an idle instance is ended its runner is taken out of GitHub, which GitHub refuses where it has
//! a job. So no job can start there between the last read and the end, whosever job it is.

mod idle;

use jiff::{SignedDuration, Timestamp};
use reprise_model::evidence::{COUNTS_FOR, Evidence};
use reprise_model::instance::{InstanceState, InstanceView};
use reprise_model::job::{Job, JobStatus};
use reprise_model::ledger::LaunchClaim;
use reprise_model::reason::EndReason;
use reprise_model::runner_name::RunnerNamePattern;

use self::idle::Idle;
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

/// How old a stopped instance is before it is ended, and how long what it shows of an interruption is
/// left to those who use it.
const STOPPED_FOR: SignedDuration = SignedDuration::from_hours(1);

/// From this age on, a doubt is told: nothing here will resolve it.
const OLD: SignedDuration = SignedDuration::from_hours(6);

/// The bounds of the pause between two questions about an instance.
const LEAST_REST: SignedDuration = SignedDuration::from_mins(1);
const LONGEST_REST: SignedDuration = SignedDuration::from_mins(30);

/// The pause after a question that found no answer: GitHub is not to be asked by every sweep while it is down.
const AFTER_FAILURE: SignedDuration = SignedDuration::from_mins(2);

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
    /// What became of its runner.
    pub runner: RunnerWords,
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

/// What GitHub says to taking an instance's runner out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunnerWords {
    /// It was not asked.
    Unasked,
    /// It has no such runner, any more: no job can start on the instance.
    Gone,
    /// It has a job.
    Busy,
    /// It is not to be asked just now.
    NotNow,
    /// It does not tell: the App may not, or nobody knows the runner.
    Unknown,
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
    /// Its runner, by taking it out of GitHub.
    Withdraw,
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
    /// Its runner has a job, whosever it is.
    RunnerBusy,
    /// Its runner is to be taken out of GitHub first, which is not to be asked just now.
    RunnerNotAsked,
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
    pub const ALL: [Self; 16] = [
        Self::NotOurs,
        Self::NotRunning,
        Self::Young,
        Self::Rests,
        Self::MayBeTaken,
        Self::JobRuns,
        Self::RunnerBusy,
        Self::RunnerNotAsked,
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
            Self::RunnerBusy => "runner-busy",
            Self::RunnerNotAsked => "runner-not-asked",
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
    let is_stopped = facts.view.state == InstanceState::Stopped;
    let counts_for = if is_stopped { STOPPED_FOR } else { COUNTS_FOR };
    let may_be_taken = |one: &Evidence| now.duration_since(one.first_seen_at) <= counts_for;
    if ledger.evidence.iter().any(may_be_taken) {
        return Reap::Keep(KeepReason::MayBeTaken);
    }
    if is_stopped {
        return Reap::End(EndReason::Stopped);
    }
    match by_its_job(facts, ledger, now) {
        Reap::Keep(why) if is_past(facts, rules, now) && gives_way_to_age(why) => {
            past_max_run_time(facts.runner)
        }
        verdict @ (Reap::Keep(_) | Reap::Ask(_) | Reap::End(_)) => verdict,
    }
}

/// What its job, and its run, have to say.
fn by_its_job(facts: &ReapFacts<'_>, ledger: LedgerWords<'_>, now: Timestamp) -> Reap {
    if !is_running(facts.view.state) {
        return Reap::Keep(KeepReason::NotRunning);
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

fn is_past(facts: &ReapFacts<'_>, rules: &Rules, now: Timestamp) -> bool {
    age(facts.view, now) >= rules.max_run_time
}

/// Whether the reason to keep an instance is none any more once it is too old: whatever GitHub or EC2
/// do not show at work.
fn gives_way_to_age(why: KeepReason) -> bool {
    match why {
        KeepReason::NotRunning
        | KeepReason::JobWaits
        | KeepReason::RunGoesOn
        | KeepReason::NoClaim
        | KeepReason::RunUnreadable
        | KeepReason::JobUnknown
        | KeepReason::MayServeAnotherRun
        | KeepReason::DoubtfulForLong => true,
        KeepReason::NotOurs
        | KeepReason::Young
        | KeepReason::Rests
        | KeepReason::MayBeTaken
        | KeepReason::JobRuns
        | KeepReason::RunnerBusy
        | KeepReason::RunnerNotAsked
        | KeepReason::JobJustEnded => false,
    }
}

fn past_max_run_time(runner: RunnerWords) -> Reap {
    match once_withdrawn(runner, EndReason::PastMaxRunTime) {
        Some(verdict) => verdict,
        None if runner == RunnerWords::NotNow => Reap::Keep(KeepReason::RunnerNotAsked),
        None => Reap::End(EndReason::PastMaxRunTime),
    }
}

/// The end of an instance whose runner GitHub does not have any more; `None` where it does not say.
fn once_withdrawn(runner: RunnerWords, why: EndReason) -> Option<Reap> {
    mutant!(EndWithoutWithdrawing => return Some(Reap::End(why)));
    match runner {
        RunnerWords::Unasked => Some(Reap::Ask(Question::Withdraw)),
        RunnerWords::Gone => Some(Reap::End(why)),
        RunnerWords::Busy => Some(Reap::Keep(KeepReason::RunnerBusy)),
        RunnerWords::NotNow | RunnerWords::Unknown => None,
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
    match Idle::new(claim, seen, facts.runner, is_surplus, age, now) {
        Some(idle) => idle.decide(),
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

/// When an instance is asked about again after a question that found no answer.
pub fn rests_after_failure(now: Timestamp) -> Timestamp {
    after(now, AFTER_FAILURE)
}

/// What keeps an instance without any read.
fn kept_unasked(facts: &ReapFacts<'_>, rules: &Rules, now: Timestamp) -> Option<KeepReason> {
    let view = facts.view;
    if view.tags.get(&rules.tags.stack()).map(String::as_str) != Some(facts.stack) {
        Some(KeepReason::NotOurs)
    } else if !may_be_ended(view.state, age(view, now), rules) {
        Some(KeepReason::NotRunning)
    } else if age(view, now) < GRACE {
        Some(KeepReason::Young)
    } else if facts.rests_until.is_some_and(|until| now < until) {
        Some(KeepReason::Rests)
    } else {
        None
    }
}

/// Whether there is anything to end. One that is about to run or to stop is left to it, but not for
/// ever.
fn may_be_ended(state: InstanceState, age: SignedDuration, rules: &Rules) -> bool {
    match state {
        InstanceState::Running => true,
        InstanceState::Stopped => age >= STOPPED_FOR,
        InstanceState::Pending | InstanceState::Stopping | InstanceState::Unknown => {
            age >= rules.max_run_time
        }
        InstanceState::ShuttingDown | InstanceState::Terminated => false,
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
