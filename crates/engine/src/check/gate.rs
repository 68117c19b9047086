//! The gate that a merge queue waits for: when it opens the way, and when it shuts it.
//!
//! It is concluded only when no retry is due any more, by the same decisions as bring jobs back: no job of
//! the run's record is open, the run has completed, and each unsuccessful job that the record does not hold
//! has a final verdict. Past its time limit it fails, whatever is unknown by then. Until GitHub shows it, nothing of that
//! is settled: it is decided anew before each attempt to tell.

use jiff::Timestamp;
use reprise_model::check::{CheckEntry, Gate, GateEnd};
use reprise_model::job::Conclusion;
use reprise_model::ledger::{RunEntry, TrackedState};
use reprise_model::run::{Run, RunStatus};

use super::{CheckFacts, RunWords};
use crate::backoff::after;
use crate::job::JobVerdict;
use crate::mutant;
use crate::rules::Rules;

/// What GitHub's branches of merge groups begin with.
const QUEUE_BRANCH: &str = "gh-readonly-queue/";

/// The events of the runs that a required check run is wanted of: those of a queue, and those of the pull
/// requests that want to enter it.
const GATED: [&str; 2] = ["merge_group", "pull_request"];

/// Why a gate is not concluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// The run has not completed, or GitHub does not show it.
    RunActive,
    /// An interrupted job is to be re-run, or is being re-run.
    RetryDue,
    /// Whether a job was interrupted is not known yet.
    JobLooking,
}

/// What must be read first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// The run.
    Run,
    /// The verdicts on its jobs.
    Verdicts,
}

/// What follows for what is shown.
pub(super) enum Next {
    /// Something must be read first.
    Read(Need),
    /// Which gate it is cannot be known now.
    Unseen,
    /// This; of a gate that is concluded, and of what is none, nothing holds it.
    Show(Option<Hold>),
}

/// Whether a run of this branch may be one of a merge queue. GitHub says so of the run itself.
pub fn is_of_merge_queue(head_branch: Option<&str>) -> bool {
    head_branch.is_some_and(|branch| branch.starts_with(QUEUE_BRANCH))
}

/// Whether runs of this event have gates.
pub fn is_gated_event(event: &str) -> bool {
    GATED.contains(&event)
}

/// Whether its time was over: its pull request has left the queue.
pub(super) fn is_too_late(entry: &CheckEntry) -> bool {
    let gate = entry.gate.as_ref();
    gate.is_some_and(|gate| gate.end == Some(GateEnd::TooLate))
}

/// Brings the record's gate up to what is known.
pub(super) fn follow(
    entry: &mut CheckEntry,
    facts: &CheckFacts<'_>,
    now: Timestamp,
    rules: &Rules,
) -> Next {
    let Some(mut gate) = entry.gate.take() else {
        return Next::Show(None);
    };
    let is_late = now >= after(gate.opened_at, rules.merge_gate_limit);
    if gate.workflow.is_none() {
        match facts.run {
            RunWords::Unread => return Next::Read(Need::Run),
            // Nobody waits for it any more.
            RunWords::Gone if is_late => return Next::Show(None),
            RunWords::Gone => {
                entry.gate = Some(gate);
                return Next::Unseen;
            }
            RunWords::Seen(run) if !is_gated_event(&run.event) => return Next::Show(None),
            RunWords::Seen(run) => {
                entry.head = run.head_sha.clone();
                gate.workflow = Some(file_of(run));
            }
        }
    }
    // What nobody was told yet is decided anew: a person may have re-run it while GitHub took no word.
    if !is_told(entry) && !matches!(gate.end, Some(GateEnd::TooLate)) {
        gate.end = None;
    }
    let sight = sight(&gate, facts, is_late);
    if let Sight::Ended(end) = &sight {
        gate.end = Some(end.clone());
    }
    entry.gate = Some(gate);
    match sight {
        Sight::Read(need) => Next::Read(need),
        Sight::Holds(hold) => Next::Show(Some(hold)),
        Sight::Ended(_) => Next::Show(None),
    }
}

fn is_told(entry: &CheckEntry) -> bool {
    let told = entry.told.as_ref();
    told.is_some_and(|told| told.state.is_concluded())
}

enum Sight {
    Read(Need),
    Holds(Hold),
    Ended(GateEnd),
}

fn sight(gate: &Gate, facts: &CheckFacts<'_>, is_late: bool) -> Sight {
    if let Some(end) = &gate.end {
        return Sight::Ended(end.clone());
    }
    if is_late {
        return Sight::Ended(GateEnd::TooLate);
    }
    if mutant!(OpenTheGateEarly => false, facts.ledger.is_some_and(has_open)) {
        return Sight::Holds(Hold::RetryDue);
    }
    let run = match facts.run {
        RunWords::Unread => return Sight::Read(Need::Run),
        RunWords::Gone => return Sight::Holds(Hold::RunActive),
        RunWords::Seen(run) => run,
    };
    let conclusion = match &run.conclusion {
        Some(conclusion) if run.status == RunStatus::Completed => conclusion,
        Some(_) | None => return Sight::Holds(Hold::RunActive),
    };
    if mutant!(OpenTheGateEarly => true, passes(conclusion)) {
        return Sight::Ended(GateEnd::Passed);
    }
    let Some(verdicts) = facts.verdicts else {
        return Sight::Read(Need::Verdicts);
    };
    match verdicts.values().find_map(holds) {
        Some(hold) => Sight::Holds(hold),
        None => Sight::Ended(GateEnd::Failed(conclusion.as_str().to_owned())),
    }
}

fn holds(verdict: &JobVerdict) -> Option<Hold> {
    match verdict {
        JobVerdict::Await { .. } | JobVerdict::Retry { .. } => Some(Hold::RetryDue),
        JobVerdict::LookAgain { .. }
        | JobVerdict::ReadEarlier
        | JobVerdict::ReadFailure
        | JobVerdict::Ask(_) => Some(Hold::JobLooking),
        JobVerdict::Ignore(_) | JobVerdict::Settle { .. } => None,
    }
}

fn has_open(ledger: &RunEntry) -> bool {
    ledger.jobs.values().any(|job| match job.state {
        TrackedState::Awaiting | TrackedState::Asked { .. } => true,
        TrackedState::Settled { .. } => false,
    })
}

/// Whether GitHub takes it for passed where it is required.
fn passes(conclusion: &Conclusion) -> bool {
    match conclusion {
        Conclusion::Success | Conclusion::Skipped | Conclusion::Neutral => true,
        Conclusion::Failure
        | Conclusion::Cancelled
        | Conclusion::TimedOut
        | Conclusion::ActionRequired
        | Conclusion::Stale
        | Conclusion::StartupFailure
        | Conclusion::Unknown(_) => false,
    }
}

/// The last part of the workflow's path, which no other workflow of the repository has.
fn file_of(run: &Run) -> String {
    let path = run.path.as_deref().or(run.workflow_name.as_deref());
    let file = path.and_then(|path| path.rsplit('/').next());
    file.unwrap_or_default().to_owned()
}
