//! A queued job that gets no machine has a visible end: a failed check run on its commit says why, and
//! where configuration says so its run is cancelled.
//!
//! Two ways lead here: a launch that was given up, and a job that asks for what it cannot have. Either has a
//! claim, which keeps how far the telling has come and lets one replica at a time tell. It reads before it
//! changes anything: a job that is not queued any more needs no words, and a check run is found by its
//! external id, so that a repeat makes no second one. What the words are, `words` says.

mod words;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reprise_model::breaker::LeftOut;
use reprise_model::check::{CheckRunOrder, CheckRunSeen};
use reprise_model::ending::{ChangeAnswer, Telling, VisibleEnd};
use reprise_model::ids::{CheckRunId, JobId, Region, Repository, RunAttempt, RunId, Sha};
use reprise_model::instance::Capacity;
use reprise_model::job::{Job, JobStatus};
use reprise_model::launch::{Asked as Request, SpotStrategy};
use reprise_model::ledger::{CapacityReason, ClaimKey, ClaimState, Due, LaunchClaim, LaunchSpec};
use reprise_model::policy::OnLaunchExhausted;
use reprise_model::reason::{LaunchRefusal, Refusal};

use crate::backoff::{Jitter, after};
use crate::due;
use crate::rules::Rules;

/// The most check runs of one run of a workflow. A matrix of hundreds is told of by its first jobs;
/// GitHub allows 80 new things a minute, and people read a few.
const MOST_CHECKS: usize = 20;

/// How long GitHub is given to list a job that it has just queued: one that it does not list is told of
/// nowhere.
const LISTED_WITHIN: SignedDuration = SignedDuration::from_secs(30);

/// Those that are refused within so long become due together, so that one look at their run serves all of them.
const TOGETHER: SignedDuration = SignedDuration::from_secs(30);

/// A job that gets no machine.
#[derive(Debug, Clone, Copy)]
struct Unserved<'a> {
    /// Its run.
    run_id: RunId,
    /// The run's attempt.
    attempt: RunAttempt,
    /// Its id in that attempt.
    job_id: JobId,
    /// Its name.
    job_name: &'a str,
    /// Why.
    why: Why<'a>,
}

/// Why a job gets no machine.
#[derive(Debug, Clone, Copy)]
enum Why<'a> {
    /// Nothing more is launched for it.
    GivenUp {
        /// What was wanted.
        wanted: &'a LaunchSpec,
        /// EC2's last words, or ours.
        last_words: &'a str,
    },
    /// It asks for what it cannot have, which is this.
    Refused(&'a str),
}

/// What GitHub says of the job now.
#[derive(Debug, Clone, Copy)]
pub enum JobWords<'a> {
    /// It was not asked.
    Unread,
    /// So it stands.
    Seen(&'a Job),
    /// It is not there, or not for us to see.
    Gone,
}

/// What GitHub says of our check runs on the job's commit.
#[derive(Debug, Clone, Copy)]
pub enum CheckWords<'a> {
    /// It was not asked.
    Unread,
    /// These are there.
    Seen(&'a [CheckRunSeen]),
    /// It does not show them, in its own words: the App lacks the permission.
    Refused(&'a Refusal),
}

/// What is to be done about the check run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
enum CheckStep {
    /// Read the job.
    ReadJob,
    /// Read our check runs on this commit.
    ReadChecks(Sha),
    /// Write it: in the place of that one, or as a new one.
    Write(Option<CheckRunId>, CheckRunOrder),
    /// Nothing.
    Over(Over),
}

/// Why there is nothing (more) to be done about the check run.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Over {
    /// It says so already.
    Told,
    /// The job does not wait any more.
    NotQueued,
    /// So many of the run's jobs are told of that one more would help nobody.
    ManyTold,
    /// GitHub refuses it for good.
    Refused(Refusal),
}

/// What is to be done about a claim that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
#[expect(
    clippy::large_enum_variant,
    reason = "made once a due claim and taken apart at once"
)]
pub enum EndStep {
    /// Read the job.
    ReadJob,
    /// Read our check runs on this commit.
    ReadChecks(Sha),
    /// Write the check run, then commit what [`answered`] makes of the answer.
    Write(Option<CheckRunId>, CheckRunOrder),
    /// Cancel the run, then commit what [`answered`] makes of the answer.
    Cancel,
    /// Commit this. There may be more to do, which its due time says.
    Commit(LaunchClaim),
}

/// What GitHub was asked to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asked {
    /// The check run.
    Check,
    /// The cancel of the run.
    Cancel,
}

impl Asked {
    /// The label value for metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Check => "check-run",
            Self::Cancel => "cancel-run",
        }
    }
}

/// The claim after an answer of EC2's: one that gives up has an end to be told, at once.
#[must_use]
pub fn ended(claim: LaunchClaim, rules: &Rules, now: Timestamp) -> LaunchClaim {
    let is_given_up = matches!(claim.state, ClaimState::GivenUp { .. });
    if !is_given_up || claim.end.is_some() {
        return claim;
    }
    let cancel = match rules.on_launch_exhausted {
        OnLaunchExhausted::LeaveQueued => Telling::NotWanted,
        OnLaunchExhausted::CancelRun => Telling::Wanted,
    };
    LaunchClaim {
        end: Some(VisibleEnd {
            check: Telling::Wanted,
            cancel,
            refused: false,
        }),
        due: Some(Due::now(now)),
        held_until: None,
        ..claim
    }
}

/// The claim of a job that asks for what it cannot have. Its run is not cancelled: whoever wrote the labels
/// reads what is wrong with them, and its other jobs go on. `home` is where the fleet launches what names no
/// region.
#[must_use]
pub fn refused(
    repository: &Repository,
    job: &Job,
    refusal: &LaunchRefusal,
    home: &Region,
    now: Timestamp,
) -> LaunchClaim {
    LaunchClaim {
        key: ClaimKey {
            repository: repository.clone(),
            job_id: job.id,
        },
        run_id: job.run_id,
        attempt: job.run_attempt,
        job_name: job.name.clone(),
        runner_labels: job.labels.clone(),
        spec: nothing(home),
        why: CapacityReason::FirstAttempt,
        first_why: None,
        generation: 0,
        state: ClaimState::GivenUp {
            why: refusal.to_string(),
        },
        due: Some(Due::now(in_company(after(now, LISTED_WITHIN)))),
        held_until: None,
        asked: Request::Alone,
        waited: 0,
        queued_at: None,
        full_since: None,
        lost: 0,
        lost_instances: Vec::new(),
        runner: None,
        end: Some(VisibleEnd {
            check: Telling::Wanted,
            cancel: Telling::NotWanted,
            refused: true,
        }),
    }
}

/// The first moment from `time` on at which all that became due since the last one are dealt with.
fn in_company(time: Timestamp) -> Timestamp {
    let past = time.as_second().rem_euclid(TOGETHER.as_secs());
    if past == 0 {
        return time;
    }
    after(time, SignedDuration::from_secs(TOGETHER.as_secs() - past))
}

fn nothing(home: &Region) -> LaunchSpec {
    LaunchSpec {
        region: home.clone(),
        capacity: Capacity::Spot,
        may_fall_back: false,
        instance_types: Vec::new(),
        image: None,
        subnets: Vec::new(),
        strategy: SpotStrategy::default(),
        volume: None,
        left_out: LeftOut::default(),
        tags: BTreeMap::new(),
    }
}

/// What is to be done about the check run of a job.
fn check(job: &Unserved<'_>, seen: JobWords<'_>, checks: CheckWords<'_>) -> CheckStep {
    let head = match seen {
        JobWords::Unread => return CheckStep::ReadJob,
        JobWords::Seen(seen) if seen.status == JobStatus::Queued => &seen.head_sha,
        JobWords::Seen(_) | JobWords::Gone => return CheckStep::Over(Over::NotQueued),
    };
    let there = match checks {
        CheckWords::Unread => return CheckStep::ReadChecks(head.clone()),
        CheckWords::Seen(there) => there,
        CheckWords::Refused(refusal) => return CheckStep::Over(Over::Refused(refusal.clone())),
    };
    let order = words::order(job, head.clone());
    let is_it = |one: &&CheckRunSeen| one.external_id.as_deref() == Some(&order.external_id);
    match there.iter().find(is_it) {
        Some(known) if says(known, &order) => CheckStep::Over(Over::Told),
        Some(known) => CheckStep::Write(Some(known.id), order),
        None if of_run(there, job.run_id) >= MOST_CHECKS => CheckStep::Over(Over::ManyTold),
        None => CheckStep::Write(None, order),
    }
}

/// What is to be done about a claim that was given up.
pub fn decide(
    claim: &LaunchClaim,
    seen: JobWords<'_>,
    checks: CheckWords<'_>,
    now: Timestamp,
) -> EndStep {
    let (Some(end), ClaimState::GivenUp { why }) = (&claim.end, &claim.state) else {
        return EndStep::Commit(at_rest(claim));
    };
    let told = |check| {
        EndStep::Commit(with_end(
            claim,
            VisibleEnd {
                check,
                ..end.clone()
            },
            now,
        ))
    };
    if end.check == Telling::Wanted {
        return match check(&unserved(claim, end, why), seen, checks) {
            CheckStep::ReadJob => EndStep::ReadJob,
            CheckStep::ReadChecks(head) => EndStep::ReadChecks(head),
            CheckStep::Write(known, order) => EndStep::Write(known, order),
            CheckStep::Over(Over::NotQueued) => EndStep::Commit(over(claim, end)),
            CheckStep::Over(Over::Told) => told(Telling::Done),
            CheckStep::Over(Over::ManyTold) => told(Telling::NotWanted),
            CheckStep::Over(Over::Refused(refusal)) => told(Telling::Refused(refusal)),
        };
    }
    match (&end.cancel, seen) {
        (Telling::NotWanted | Telling::Done | Telling::Refused(_), _) => {
            EndStep::Commit(at_rest(claim))
        }
        (Telling::Wanted | Telling::Asked, JobWords::Unread) => EndStep::ReadJob,
        (Telling::Wanted, JobWords::Seen(job)) if job.status == JobStatus::Queued => {
            let cancel = Telling::Asked;
            EndStep::Commit(with_end(
                claim,
                VisibleEnd {
                    cancel,
                    ..end.clone()
                },
                now,
            ))
        }
        // A job that is still queued was not cancelled, so neither was its run.
        (Telling::Asked, JobWords::Seen(job)) if job.status == JobStatus::Queued => EndStep::Cancel,
        (Telling::Wanted | Telling::Asked, JobWords::Seen(_) | JobWords::Gone) => {
            EndStep::Commit(over(claim, end))
        }
    }
}

/// The claim after GitHub's answer to what [`decide`] asked for.
#[must_use]
pub fn answered(
    claim: &LaunchClaim,
    asked: Asked,
    answer: &ChangeAnswer,
    retry_after: Option<SignedDuration>,
    (now, jitter): (Timestamp, Jitter),
    rules: &Rules,
) -> LaunchClaim {
    let later = |at_least| LaunchClaim {
        due: Some(due::put_off(
            claim.due.unwrap_or(Due::now(now)),
            at_least,
            now,
            jitter,
        )),
        ..claim.clone()
    };
    let how = match answer {
        ChangeAnswer::Accepted => Telling::Done,
        ChangeAnswer::Refused(refusal) => Telling::Refused(refusal.clone()),
        ChangeAnswer::NotNow => return later(retry_after.unwrap_or_default()),
        // Whatever is under way is over by then, and shows.
        ChangeAnswer::Unclear => {
            return later(retry_after.unwrap_or_default().max(rules.unclear_for));
        }
    };
    let Some(end) = claim.end.clone() else {
        return at_rest(claim);
    };
    let end = match asked {
        Asked::Check => VisibleEnd { check: how, ..end },
        Asked::Cancel => VisibleEnd { cancel: how, ..end },
    };
    with_end(claim, end, now)
}

/// The job of a claim that was given up.
fn unserved<'a>(claim: &'a LaunchClaim, end: &VisibleEnd, last_words: &'a str) -> Unserved<'a> {
    let given_up = Why::GivenUp {
        wanted: &claim.spec,
        last_words,
    };
    Unserved {
        run_id: claim.run_id,
        attempt: claim.attempt,
        job_id: claim.key.job_id,
        job_name: &claim.job_name,
        why: if end.refused {
            Why::Refused(last_words)
        } else {
            given_up
        },
    }
}

fn with_end(claim: &LaunchClaim, end: VisibleEnd, now: Timestamp) -> LaunchClaim {
    let is_open = |one: &Telling| matches!(one, Telling::Wanted | Telling::Asked);
    let due = (is_open(&end.check) || is_open(&end.cancel)).then(|| Due::now(now));
    LaunchClaim {
        end: Some(end),
        due,
        ..claim.clone()
    }
}

/// The job does not wait any more: what was not done by now is not wanted.
fn over(claim: &LaunchClaim, end: &VisibleEnd) -> LaunchClaim {
    let left = |one: &Telling| match one {
        Telling::Wanted => Telling::NotWanted,
        Telling::NotWanted | Telling::Asked | Telling::Done | Telling::Refused(_) => one.clone(),
    };
    LaunchClaim {
        end: Some(VisibleEnd {
            check: left(&end.check),
            cancel: left(&end.cancel),
            refused: end.refused,
        }),
        due: None,
        ..claim.clone()
    }
}

fn at_rest(claim: &LaunchClaim) -> LaunchClaim {
    LaunchClaim {
        due: None,
        ..claim.clone()
    }
}

fn says(known: &CheckRunSeen, order: &CheckRunOrder) -> bool {
    known.text.as_ref() == Some(&order.text)
}

fn of_run(there: &[CheckRunSeen], run: RunId) -> usize {
    let prefix = words::prefix(run);
    let ids = there.iter().filter_map(|one| one.external_id.as_deref());
    ids.filter(|id| id.starts_with(&prefix)).count()
}

#[cfg(test)]
mod tests;
