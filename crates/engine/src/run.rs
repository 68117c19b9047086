//! What to do about a run with interrupted jobs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reprise_model::ids::{JobId, RunId};
use reprise_model::job::Job;
use reprise_model::ledger::{RerunAnswer, RerunOrder, RunEntry};
use reprise_model::run::{CancelCause, Run};

use crate::backoff::Jitter;
use crate::job::JobVerdict;
use crate::rules::Rules;

/// Whether a newer run of the same workflow and branch exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Newer {
    /// Not read yet.
    Unread,
    /// There is none.
    No,
    /// There is this one.
    Run(RunId),
}

/// All that is known of a run when it is looked at.
#[derive(Debug, Clone, Copy)]
pub struct RunFacts<'a> {
    /// The ledger's record.
    pub entry: &'a RunEntry,
    /// The run as GitHub answers now.
    pub run: &'a Run,
    /// All jobs of the run's current attempt, once they were read.
    pub jobs: Option<&'a [Job]>,
    /// The verdict on each unsuccessful job of the attempt that is not in the ledger.
    pub verdicts: &'a BTreeMap<JobId, JobVerdict>,
    /// Why each cancelled job was cancelled, once that was read.
    pub causes: &'a BTreeMap<JobId, CancelCause>,
    /// Whether a newer run exists.
    pub newer: Newer,
}

/// The next step, and the record to commit before it is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct RunDecision {
    /// The record as it is to be stored.
    pub entry: RunEntry,
    /// What to do.
    pub step: RunStep,
}

/// What to do about a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunStep {
    /// Read all jobs of the run's current attempt, judge the unsuccessful ones that the ledger
    /// does not know, and decide again.
    ReadJobs,
    /// Read why these jobs were cancelled, and decide again.
    ReadCauses(Vec<JobId>),
    /// Find out whether a newer run exists, and decide again.
    ReadNewer,
    /// Look again when the record is due.
    Wait(WaitReason),
    /// Commit the record, then ask GitHub for this; give the answer to [`answered`].
    Ask(RerunOrder),
    /// Everything is settled.
    Done,
}

/// Why a run is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitReason {
    /// GitHub allows no re-run before every job of the run has ended.
    RunActive,
    /// A job of the attempt is still being looked at.
    JobLooking,
    /// A re-run was asked for and its attempt has not completed.
    RerunActive,
    /// An answer was lost or was "not now".
    AnswerUnclear,
}
