//! Why something ended, or why nothing was done: every path out of a decision has a word here.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::labels::LabelErrors;
use crate::machine_refusal::{MachineRefusal, MachineRefusals};

/// Why nothing is done about a message or a job, without a trace in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IgnoreReason {
    /// The job never had a runner.
    NoRunner,
    /// The runner's name holds no instance id by the configured pattern.
    RunnerNameWithoutInstance,
    /// The instance is in no account and region of ours.
    ForeignInstance,
    /// The instance lacks our stack's tag, and the fleet is ours.
    NotOurStack,
    /// The instance was launched for a job of another repository: a runner merely bears its name.
    OtherRepository,
    /// The repository is not among those that configuration allows.
    RepositoryNotAllowed,
    /// A later attempt's record of an execution that an earlier attempt had.
    CarriedOver,
    /// The labels do not ask for one of our machines.
    NotForUs,
    /// Nothing is launched in retry-only mode.
    FleetDisabled,
    /// The job has its launch claim already.
    AlreadyClaimed,
    /// An action of the event that decides nothing.
    NothingToDecide,
    /// A run that no job of ours waits for.
    NothingAwaited,
}

impl IgnoreReason {
    /// The label value for metrics and logs of a message that is ignored: one of a fixed set.
    pub fn outcome(self) -> &'static str {
        match self {
            Self::NoRunner => "ignored-no-runner",
            Self::RunnerNameWithoutInstance => "ignored-runner-name-without-instance",
            Self::ForeignInstance => "ignored-foreign-instance",
            Self::NotOurStack => "ignored-not-our-stack",
            Self::OtherRepository => "ignored-other-repository",
            Self::RepositoryNotAllowed => "ignored-repository-not-allowed",
            Self::CarriedOver => "ignored-carried-over",
            Self::NotForUs => "ignored-not-for-us",
            Self::FleetDisabled => "ignored-fleet-disabled",
            Self::AlreadyClaimed => "ignored-already-claimed",
            Self::NothingToDecide => "ignored-nothing-to-decide",
            Self::NothingAwaited => "ignored-nothing-awaited",
        }
    }

    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::NoRunner,
        Self::RunnerNameWithoutInstance,
        Self::ForeignInstance,
        Self::NotOurStack,
        Self::OtherRepository,
        Self::RepositoryNotAllowed,
        Self::CarriedOver,
        Self::NotForUs,
        Self::FleetDisabled,
        Self::AlreadyClaimed,
        Self::NothingToDecide,
        Self::NothingAwaited,
    ];
}

/// Why a job is settled. Stored, logged, counted and shown: the wording is what people see.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SettleReason {
    /// It passed, was skipped or was neutral.
    Succeeded,
    /// It failed on an instance that EC2 cannot take back.
    NotSpot,
    /// It failed on spot, and nothing showed an interruption within the look-again window.
    NotInterrupted,
    /// It failed on spot, and nothing but the agent's tag, which the job may have set itself, says that EC2
    /// took its instance: that is not enough where proof is asked for.
    Uncorroborated,
    /// EC2 has forgotten the instance and nothing was stored of it.
    EvidenceExpired,
    /// Evidence came after the run had moved on.
    EvidenceTooLate,
    /// It was interrupted, and `retry=false`.
    OptedOut,
    /// It was re-run as often as its policy allows.
    AttemptLimit,
    /// It failed, and its run did not end as failed: its policy re-runs it only then.
    RunNotFailed,
    /// It failed for something that stays, and its policy re-runs what may pass.
    PermanentFailure,
    /// Nothing tells what made it fail, and its policy re-runs what may pass.
    UnknownFailure,
    /// The endpoint that its policy asks said no.
    EndpointSaidNo,
    /// It failed, the endpoint that its policy asks gave no answer, and the default policy re-runs no failure.
    EndpointUnanswered,
    /// Somebody else re-ran the run first.
    AlreadyRerun,
    /// A person cancelled the run.
    Cancelled,
    /// We cancelled the run, because a job of it got no machine.
    CancelledByUs,
    /// It was cancelled and nothing says why.
    CancelledUnknown,
    /// A newer run took its place, or another one has its concurrency group.
    Superseded,
    /// GitHub never ended it though its instance is gone.
    NeverCompleted,
    /// Its re-run passed.
    Recovered,
    /// Its re-run did not pass: it executed and failed, or was skipped because something that it
    /// needs failed.
    FailedAgain,
    /// GitHub refused the re-run for good.
    Refused(Refusal),
}

impl SettleReason {
    /// All of them but GitHub's own refusals.
    pub const PLAIN: [Self; 21] = [
        Self::Succeeded,
        Self::NotSpot,
        Self::NotInterrupted,
        Self::EvidenceExpired,
        Self::EvidenceTooLate,
        Self::OptedOut,
        Self::AttemptLimit,
        Self::RunNotFailed,
        Self::PermanentFailure,
        Self::UnknownFailure,
        Self::EndpointSaidNo,
        Self::EndpointUnanswered,
        Self::AlreadyRerun,
        Self::Cancelled,
        Self::CancelledUnknown,
        Self::Superseded,
        Self::NeverCompleted,
        Self::Recovered,
        Self::FailedAgain,
        Self::Uncorroborated,
        Self::CancelledByUs,
    ];

    /// The label value for metrics and logs: one of a fixed set.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::NotSpot => "not-spot",
            Self::NotInterrupted => "not-interrupted",
            Self::Uncorroborated => "uncorroborated",
            Self::EvidenceExpired => "evidence-expired",
            Self::EvidenceTooLate => "evidence-too-late",
            Self::OptedOut => "opted-out",
            Self::AttemptLimit => "attempt-limit",
            Self::RunNotFailed => "run-not-failed",
            Self::PermanentFailure => "permanent-failure",
            Self::UnknownFailure => "unknown-failure",
            Self::EndpointSaidNo => "endpoint-said-no",
            Self::EndpointUnanswered => "endpoint-unanswered",
            Self::AlreadyRerun => "already-rerun",
            Self::Cancelled => "cancelled",
            Self::CancelledByUs => "cancelled-by-us",
            Self::CancelledUnknown => "cancelled-unknown",
            Self::Superseded => "superseded",
            Self::NeverCompleted => "never-completed",
            Self::Recovered => "recovered",
            Self::FailedAgain => "failed-again",
            Self::Refused(refusal) => refusal.as_str(),
        }
    }
}

impl fmt::Display for SettleReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Succeeded => "it passed",
            Self::NotSpot => {
                "it failed on an on-demand instance, so no interruption can be the cause"
            }
            Self::NotInterrupted => "it failed and nothing shows that EC2 took its instance",
            Self::Uncorroborated => {
                "it failed, and nothing but its instance's own tag says that EC2 took that"
            }
            Self::EvidenceExpired => "EC2 has forgotten its instance and nothing was stored of it",
            Self::EvidenceTooLate => "evidence of an interruption came after the run had moved on",
            Self::OptedOut => "it was interrupted, and its policy is retry=false",
            Self::AttemptLimit => "it was already re-run as often as its policy allows",
            Self::RunNotFailed => {
                "it failed, and its policy re-runs that only in a run that ended as failed"
            }
            Self::PermanentFailure => {
                "it failed for something that stays, and its policy re-runs only what may pass"
            }
            Self::UnknownFailure => {
                "nothing tells what made it fail, and its policy re-runs only what may pass"
            }
            Self::EndpointSaidNo => "the endpoint that its policy asks said not to re-run it",
            Self::EndpointUnanswered => {
                "it failed, the endpoint that its policy asks gave no answer, and without one no \
                 failure is re-run"
            }
            Self::AlreadyRerun => "the run was re-run by somebody else",
            Self::Cancelled => "a person cancelled the run",
            Self::CancelledByUs => "Reprise cancelled the run, because a job of it got no machine",
            Self::CancelledUnknown => "it was cancelled and nothing says why",
            Self::Superseded => "a newer run took its place, or another has its concurrency group",
            Self::NeverCompleted => "GitHub never ended it though its instance is gone",
            Self::Recovered => "its re-run passed",
            Self::FailedAgain => "its re-run did not pass",
            Self::Refused(refusal) => return refusal.fmt(f),
        };
        f.write_str(text)
    }
}

/// GitHub's final no to a re-run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Refusal {
    /// Which no it was.
    pub kind: RefusalKind,
    /// GitHub's own words.
    pub message: String,
}

/// The final answers that GitHub is known to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalKind {
    /// The run is older than 30 days.
    TooOld,
    /// A startup failure, a run cancelled before any job, or logs past their retention.
    NotRetryable,
    /// Somebody has disabled the workflow: its runs come back once it is enabled.
    WorkflowDisabled,
    /// The App lacks a permission: the operator must act.
    MissingPermission,
    /// The run, the job or the repository is not there (any more).
    NotFound,
    /// Words that are not known: final, and the operator is told.
    Unknown,
}

impl RefusalKind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::TooOld,
        Self::NotRetryable,
        Self::WorkflowDisabled,
        Self::MissingPermission,
        Self::NotFound,
        Self::Unknown,
    ];
}

impl Refusal {
    /// The label value for metrics and logs.
    pub fn as_str(&self) -> &'static str {
        match self.kind {
            RefusalKind::TooOld => "refused-too-old",
            RefusalKind::NotRetryable => "refused-not-retryable",
            RefusalKind::WorkflowDisabled => "refused-workflow-disabled",
            RefusalKind::MissingPermission => "refused-missing-permission",
            RefusalKind::NotFound => "refused-not-found",
            RefusalKind::Unknown => "refused-unknown",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GitHub refused the re-run: {}", self.message)
    }
}

/// Why an instance is ended by us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndReason {
    /// The job that it took has ended.
    JobEnded,
    /// Its own tag said that EC2 takes it, and EC2 did not.
    NotTaken,
    /// The job that it was launched for ended before any runner took it.
    NeverNeeded,
    /// Another runner took the job that it was launched for.
    JobTakenElsewhere,
    /// A job waited for it for long, and its runner never came up.
    NeverRan,
    /// More were launched than are wanted: every job of its launch has another one.
    Surplus,
    /// It lived for as long as one may, and GitHub shows no job that runs on it.
    PastMaxRunTime,
    /// It was stopped: no job comes to it any more.
    Stopped,
}

impl EndReason {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::JobEnded,
        Self::NotTaken,
        Self::NeverNeeded,
        Self::JobTakenElsewhere,
        Self::NeverRan,
        Self::Surplus,
        Self::PastMaxRunTime,
        Self::Stopped,
    ];

    /// The label value for metrics and logs: one of a fixed set.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::JobEnded => "job-ended",
            Self::NotTaken => "not-taken",
            Self::NeverNeeded => "never-needed",
            Self::JobTakenElsewhere => "job-taken-elsewhere",
            Self::NeverRan => "never-ran",
            Self::Surplus => "surplus",
            Self::PastMaxRunTime => "past-max-run-time",
            Self::Stopped => "stopped",
        }
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::JobEnded => "the job that it took has ended",
            Self::NotTaken => "its own tag said that EC2 takes it, and EC2 did not",
            Self::NeverNeeded => "the job that it was launched for ended before any runner took it",
            Self::JobTakenElsewhere => "another runner took the job that it was launched for",
            Self::NeverRan => "a job waited for it for long, and its runner never came up",
            Self::Surplus => "no job that it was launched together for has it",
            Self::PastMaxRunTime => {
                "it lived for as long as one may, and GitHub shows no job that runs on it"
            }
            Self::Stopped => "it was stopped, and no job comes to it any more",
        })
    }
}

/// Why a queued job gets no machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LaunchRefusal {
    /// A label cannot be understood.
    #[error("{0}")]
    Labels(LabelErrors),
    /// It asks for what it cannot have.
    #[error("{0}")]
    Machine(MachineRefusals),
}

impl From<MachineRefusal> for LaunchRefusal {
    fn from(refusal: MachineRefusal) -> Self {
        Self::Machine(refusal.into())
    }
}

impl LaunchRefusal {
    /// The label value for metrics and logs: of several reasons the first.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Labels(_) => "bad-label",
            Self::Machine(refusals) => refusals.first().as_str(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_ignore_reason_are_in_all() {
        // Whoever adds one comes by here, and adds it to `ALL`.
        let place = |one: &IgnoreReason| -> usize {
            match one {
                IgnoreReason::NoRunner => 0,
                IgnoreReason::RunnerNameWithoutInstance => 1,
                IgnoreReason::ForeignInstance => 2,
                IgnoreReason::NotOurStack => 3,
                IgnoreReason::OtherRepository => 4,
                IgnoreReason::RepositoryNotAllowed => 5,
                IgnoreReason::CarriedOver => 6,
                IgnoreReason::NotForUs => 7,
                IgnoreReason::FleetDisabled => 8,
                IgnoreReason::AlreadyClaimed => 9,
                IgnoreReason::NothingToDecide => 10,
                IgnoreReason::NothingAwaited => 11,
            }
        };
        let places: Vec<usize> = IgnoreReason::ALL.iter().map(place).collect();
        assert_eq!(places, (0..12).collect::<Vec<_>>());
    }

    #[test]
    fn all_of_settle_reason_but_refusals_are_plain() {
        // Whoever adds one comes by here, and adds it to `PLAIN`.
        let place = |one: &SettleReason| -> Option<usize> {
            match one {
                SettleReason::Succeeded => Some(0),
                SettleReason::NotSpot => Some(1),
                SettleReason::NotInterrupted => Some(2),
                SettleReason::EvidenceExpired => Some(3),
                SettleReason::EvidenceTooLate => Some(4),
                SettleReason::OptedOut => Some(5),
                SettleReason::AttemptLimit => Some(6),
                SettleReason::RunNotFailed => Some(7),
                SettleReason::PermanentFailure => Some(8),
                SettleReason::UnknownFailure => Some(9),
                SettleReason::EndpointSaidNo => Some(10),
                SettleReason::EndpointUnanswered => Some(11),
                SettleReason::AlreadyRerun => Some(12),
                SettleReason::Cancelled => Some(13),
                SettleReason::CancelledUnknown => Some(14),
                SettleReason::Superseded => Some(15),
                SettleReason::NeverCompleted => Some(16),
                SettleReason::Recovered => Some(17),
                SettleReason::FailedAgain => Some(18),
                SettleReason::Uncorroborated => Some(19),
                SettleReason::CancelledByUs => Some(20),
                SettleReason::Refused(_) => None,
            }
        };
        let places: Vec<_> = SettleReason::PLAIN.iter().map(place).collect();
        assert_eq!(places, (0..21).map(Some).collect::<Vec<_>>());
    }

    #[test]
    fn all_of_refusal_kind_are_in_all() {
        // Whoever adds one comes by here, and adds it to `ALL`.
        let place = |one: &RefusalKind| -> usize {
            match one {
                RefusalKind::TooOld => 0,
                RefusalKind::NotRetryable => 1,
                RefusalKind::WorkflowDisabled => 2,
                RefusalKind::MissingPermission => 3,
                RefusalKind::NotFound => 4,
                RefusalKind::Unknown => 5,
            }
        };
        let places: Vec<usize> = RefusalKind::ALL.iter().map(place).collect();
        assert_eq!(places, (0..6).collect::<Vec<_>>());
    }

    #[test]
    fn all_of_end_reason_are_in_all() {
        // Whoever adds one comes by here, and adds it to `ALL`.
        let place = |one: &EndReason| -> usize {
            match one {
                EndReason::JobEnded => 0,
                EndReason::NotTaken => 1,
                EndReason::NeverNeeded => 2,
                EndReason::JobTakenElsewhere => 3,
                EndReason::NeverRan => 4,
                EndReason::Surplus => 5,
                EndReason::PastMaxRunTime => 6,
                EndReason::Stopped => 7,
            }
        };
        let places: Vec<usize> = EndReason::ALL.iter().map(place).collect();
        assert_eq!(places, (0..8).collect::<Vec<_>>());
    }
}
