//! What people read on a commit.

use std::collections::BTreeMap;

use reprise_model::check::{
    CHECK_NAME, CheckEntry, CheckState, CheckText, GATE_NAME, Gate, GateEnd, LeftJob,
};
use reprise_model::ids::{JobId, RunAttempt};
use reprise_model::ledger::{RunEntry, TrackedJob, TrackedState, Why};
use reprise_model::reason::{RefusalKind, SettleReason};

use super::Hold;
use crate::public;
use crate::run::waits_its_turn;

/// The most jobs that are named: a page of hundreds is read by nobody.
const MOST_NAMED: usize = 20;

/// Where an interrupted job stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing<'a> {
    name: &'a str,
    attempt: RunAttempt,
    stand: Stand<'a>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Stand<'a> {
    /// It is re-run once its run has completed.
    Waits,
    /// It is re-run once its repository has room for that again: it has this many in an hour.
    Parked(u32),
    /// It was asked for, and began with this attempt.
    Asked(RunAttempt),
    /// Nothing more is done.
    Ended(&'a SettleReason),
}

/// What a check run of this record is called.
pub(super) fn name(entry: &CheckEntry) -> String {
    let gate = entry.gate.as_ref();
    match gate.and_then(|gate| gate.workflow.as_deref()) {
        Some(workflow) => format!("{GATE_NAME} ({})", public::name(workflow)),
        None => CHECK_NAME.to_owned(),
    }
}

/// What is to be shown; `None` where there is nothing to tell.
pub(super) fn text(
    entry: &CheckEntry,
    ledger: Option<&RunEntry>,
    hold: Option<Hold>,
) -> Option<CheckText> {
    let mut jobs = ledger.map(interrupted).unwrap_or_default();
    // One that was given up may stand in both.
    let known = |id: &JobId| {
        let job = ledger.and_then(|run| run.jobs.get(id));
        job.is_some_and(|job| job.why == Why::Interrupted)
    };
    jobs.extend(left(&entry.left, known));
    match &entry.gate {
        Some(gate) => Some(of_gate(gate, &jobs, hold)),
        None if jobs.is_empty() => None,
        None => Some(of_jobs(&jobs)),
    }
}

/// The jobs of a run's record, in the order of their ids.
pub(super) fn standings(ledger: &RunEntry) -> Vec<Standing<'_>> {
    let jobs = ledger.jobs.iter();
    jobs.map(|(id, job)| standing(ledger, *id, job)).collect()
}

/// Those that were interrupted: what failed says why itself.
fn interrupted(ledger: &RunEntry) -> Vec<Standing<'_>> {
    let jobs = ledger.jobs.iter();
    let interrupted = jobs.filter(|(_, job)| job.why == Why::Interrupted);
    interrupted
        .map(|(id, job)| standing(ledger, *id, job))
        .collect()
}

fn standing<'a>(ledger: &'a RunEntry, id: JobId, job: &'a TrackedJob) -> Standing<'a> {
    let stand = match &job.state {
        TrackedState::Awaiting => {
            let parked = ledger.notes.parked;
            parked.map_or(Stand::Waits, |parked| Stand::Parked(parked.limit))
        }
        TrackedState::Asked { .. } if waits_its_turn(ledger, id, job) => Stand::Waits,
        TrackedState::Asked { rerun } => {
            let from = ledger.reruns.get(*rerun).map(|rerun| rerun.order.from);
            Stand::Asked(from.unwrap_or(job.attempt).next())
        }
        TrackedState::Settled { reason, .. } => Stand::Ended(reason),
    };
    Standing {
        name: &job.key.name,
        attempt: job.attempt,
        stand,
    }
}

fn left(
    jobs: &BTreeMap<JobId, LeftJob>,
    is_known: impl Fn(&JobId) -> bool,
) -> impl Iterator<Item = Standing<'_>> {
    let others = jobs.iter().filter(move |(id, _)| !is_known(id));
    others.map(|(_, job)| Standing {
        name: &job.name,
        attempt: job.attempt,
        stand: Stand::Ended(&job.reason),
    })
}

fn of_jobs(jobs: &[Standing<'_>]) -> CheckText {
    let summary = format!(
        "EC2 took back the spot instance of {}.\n\n{}{}",
        counted(jobs.len()),
        list(jobs),
        advice(jobs)
    );
    CheckText {
        state: state(jobs),
        title: title(jobs),
        summary,
    }
}

fn of_gate(gate: &Gate, jobs: &[Standing<'_>], hold: Option<Hold>) -> CheckText {
    let state = match &gate.end {
        None => CheckState::InProgress,
        Some(GateEnd::Passed) => CheckState::Success,
        Some(GateEnd::Failed(_) | GateEnd::TooLate) => CheckState::Failure,
    };
    let interrupted = match jobs {
        [] => "No job of it was interrupted.".to_owned(),
        jobs => format!(
            "EC2 took back the spot instance of {}.\n\n{}",
            counted(jobs.len()),
            list(jobs)
        ),
    };
    CheckText {
        state,
        title: gate_title(gate, jobs, hold),
        summary: format!("{}\n\n{interrupted}", gate_intro(gate)),
    }
}

fn gate_title(gate: &Gate, jobs: &[Standing<'_>], hold: Option<Hold>) -> String {
    match &gate.end {
        Some(GateEnd::Passed) if jobs.is_empty() => "The run has passed".to_owned(),
        Some(GateEnd::Passed) => format!("The run has passed. {}", title(jobs)),
        Some(GateEnd::Failed(word)) => {
            let word = public::name(word);
            format!("The run has ended as {word}, and no retry is due")
        }
        Some(GateEnd::TooLate) => "It was not known in time how the run ends".to_owned(),
        None => match hold {
            Some(Hold::RetryDue) if is_open(jobs) => title(jobs),
            Some(Hold::RunActive | Hold::RetryDue | Hold::JobLooking) | None => {
                "The run is waited for".to_owned()
            }
        },
    }
}

fn gate_intro(gate: &Gate) -> &'static str {
    match &gate.end {
        None => {
            "A merge queue waits for this check. It is concluded when the run has ended and no job of it \
             is to be re-run any more."
        }
        Some(GateEnd::Passed) => {
            "The run has ended well, and no job of it is to be re-run any more."
        }
        Some(GateEnd::Failed(_)) => {
            "The run has ended, and no job of it is to be re-run any more.\n\n**What to do:** see which of \
             its jobs failed. Once that is mended, put the pull request into the queue again."
        }
        Some(GateEnd::TooLate) => {
            "The time limit of this check is over.\n\n**What to do:** put the pull request into the queue \
             again. If its run takes longer as a rule, whoever runs Reprise can raise `merge_queue_limit`."
        }
    }
}

fn is_open(jobs: &[Standing<'_>]) -> bool {
    let mut jobs = jobs.iter();
    jobs.any(|job| !matches!(job.stand, Stand::Ended(_)))
}

fn is_recovered(job: &&Standing<'_>) -> bool {
    matches!(job.stand, Stand::Ended(SettleReason::Recovered))
}

/// A job that nothing brings back although it was to come back is a failure; one that was brought back,
/// or left by somebody's decision, is none of ours.
fn state(jobs: &[Standing<'_>]) -> CheckState {
    let rank = |job: &Standing<'_>| match &job.stand {
        Stand::Waits | Stand::Parked(_) | Stand::Asked(_) => (0, CheckState::InProgress),
        Stand::Ended(reason) if is_failure(reason) => (1, CheckState::Failure),
        Stand::Ended(SettleReason::Recovered) => (3, CheckState::Success),
        Stand::Ended(_) => (2, CheckState::Neutral),
    };
    let worst = jobs.iter().map(rank).min();
    worst.map_or(CheckState::Neutral, |(_, state)| state)
}

fn is_failure(reason: &SettleReason) -> bool {
    match reason {
        SettleReason::EvidenceExpired
        | SettleReason::EvidenceTooLate
        | SettleReason::AttemptLimit
        | SettleReason::NeverCompleted
        | SettleReason::Refused(_) => true,
        SettleReason::Succeeded
        | SettleReason::NotSpot
        | SettleReason::NotInterrupted
        | SettleReason::Uncorroborated
        | SettleReason::OptedOut
        | SettleReason::AlreadyRerun
        | SettleReason::Cancelled
        | SettleReason::CancelledByUs
        | SettleReason::CancelledUnknown
        | SettleReason::RunNotFailed
        | SettleReason::PermanentFailure
        | SettleReason::UnknownFailure
        | SettleReason::EndpointSaidNo
        | SettleReason::EndpointUnanswered
        | SettleReason::Superseded
        | SettleReason::Recovered
        | SettleReason::FailedAgain => false,
    }
}

fn title(jobs: &[Standing<'_>]) -> String {
    let (all, recovered) = (jobs.len(), jobs.iter().filter(is_recovered).count());
    let count = counted(all);
    let is_parked = |job: &Standing<'_>| matches!(job.stand, Stand::Parked(_));
    if jobs.iter().any(is_parked) {
        return format!(
            "Interrupted: {count}; the re-run waits, as the hour's re-runs are used up"
        );
    }
    if jobs.iter().any(|job| job.stand == Stand::Waits) {
        return format!("Interrupted: {count}; re-run once the run has ended");
    }
    if is_open(jobs) {
        return format!("Interrupted: {count}; being re-run");
    }
    match (recovered, jobs) {
        (_, _) if recovered == all => format!("Interrupted: {count}; re-run and passed"),
        (0, [job]) => format!("Interrupted: {count}; {}", ended(job)),
        (0, _) => format!("Interrupted: {count}; none came back"),
        (_, _) => format!("Interrupted: {count}; {recovered} re-run and passed"),
    }
}

fn ended(job: &Standing<'_>) -> &'static str {
    match &job.stand {
        Stand::Ended(SettleReason::FailedAgain) => "re-run and did not pass",
        Stand::Waits | Stand::Parked(_) | Stand::Asked(_) | Stand::Ended(_) => "not brought back",
    }
}

fn counted(jobs: usize) -> String {
    match jobs {
        1 => "1 job".to_owned(),
        jobs => format!("{jobs} jobs"),
    }
}

fn list(jobs: &[Standing<'_>]) -> String {
    let lines = jobs.iter().take(MOST_NAMED).map(|job| {
        let (name, attempt) = (public::code(job.name), job.attempt);
        format!("- {name} (attempt {attempt}): {}\n", told(&job.stand))
    });
    let mut list: String = lines.collect();
    match jobs.len().saturating_sub(MOST_NAMED) {
        0 => {}
        more => list.push_str(&format!("- and {more} more\n")),
    }
    list
}

fn told(stand: &Stand<'_>) -> String {
    match stand {
        Stand::Waits => "is re-run once the run has ended".to_owned(),
        Stand::Parked(limit) => format!(
            "is re-run later: the {limit} re-runs that this repository has in an hour are used up"
        ),
        Stand::Asked(attempt) => format!("is re-run, as attempt {attempt}"),
        Stand::Ended(SettleReason::Refused(refusal)) => {
            let words = public::reason(&refusal.message);
            format!("not re-run, as GitHub refused that: {words}")
        }
        Stand::Ended(reason @ (SettleReason::Recovered | SettleReason::FailedAgain)) => {
            reason.to_string()
        }
        Stand::Ended(reason) => format!("not re-run: {reason}"),
    }
}

fn advice(jobs: &[Standing<'_>]) -> &'static str {
    match state(jobs) {
        CheckState::Failure if jobs.iter().any(is_disabled) => {
            "\n**What to do:** where it is still wanted, enable the workflow, then re-run the failed jobs by hand."
        }
        CheckState::Failure => {
            "\n**What to do:** where it is still wanted, re-run the failed jobs by hand."
        }
        CheckState::InProgress | CheckState::Success | CheckState::Neutral => "",
    }
}

fn is_disabled(job: &Standing<'_>) -> bool {
    match &job.stand {
        Stand::Ended(SettleReason::Refused(refusal)) => {
            refusal.kind == RefusalKind::WorkflowDisabled
        }
        Stand::Ended(_) | Stand::Waits | Stand::Parked(_) | Stand::Asked(_) => false,
    }
}
