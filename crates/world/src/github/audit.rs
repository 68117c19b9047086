//! What happened, for the story teller, and what was asked for, for the invariants.

use jiff::Timestamp;
use reprise_model::check::CheckState;
use reprise_model::ids::{JobId, Repository, RunAttempt, RunId};
use reprise_model::job::Conclusion;

use super::rerun::{Refusal, Rerun};

/// Something that happened in the simulated GitHub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    /// When.
    pub at: Timestamp,
    /// The run.
    pub run: RunId,
    /// The run's attempt.
    pub attempt: RunAttempt,
    /// What.
    pub what: HappeningKind,
}

/// What happened to a run or to a job of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HappeningKind {
    /// A push made the run.
    RunStarted,
    /// A job waits for a runner.
    JobQueued {
        /// The job.
        job: JobId,
        /// Its name.
        name: String,
    },
    /// A runner took a job.
    JobStarted {
        /// The job.
        job: JobId,
        /// Its name.
        name: String,
        /// The runner's name.
        runner: String,
    },
    /// A job ended, or its end was carried over into a new attempt.
    JobCompleted {
        /// The job.
        job: JobId,
        /// Its name.
        name: String,
        /// How.
        conclusion: Conclusion,
        /// Whether it did not execute in this attempt.
        carried_over: bool,
    },
    /// The attempt ended.
    RunCompleted {
        /// How.
        conclusion: Conclusion,
    },
    /// The App wrote a check run about the run.
    CheckWritten {
        /// Its name.
        name: String,
        /// Where it stands.
        state: CheckState,
        /// Its line.
        title: String,
    },
    /// A run was cancelled.
    CancelAccepted {
        /// By whom, or by what.
        by: String,
    },
    /// A re-run was accepted; the attempt is the new one.
    RerunAccepted {
        /// What was asked for.
        asked: Rerun,
        /// By whom.
        by: String,
    },
    /// A re-run was refused.
    RerunRefused {
        /// What was asked for.
        asked: Rerun,
        /// By whom.
        by: String,
        /// Why.
        refusal: Refusal,
    },
}

/// A request that changes a run, as it came in and was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutation {
    /// When.
    pub at: Timestamp,
    /// Which call.
    pub what: MutationKind,
    /// The repository in its path.
    pub repository: Repository,
    /// The run, where the path names one that exists.
    pub run: Option<RunId>,
    /// The job in its path.
    pub job: Option<JobId>,
    /// The run's attempt when the request came.
    pub attempt: Option<RunAttempt>,
    /// How often this run or its jobs had been read before: two mutations of a run with the same
    /// number were sent without looking in between.
    pub reads_before: u64,
    /// The status answered.
    pub answer: u16,
    /// GitHub's words for a refusal; empty when there were none.
    pub message: String,
    /// Whether anything was changed; an answer of 500 leaves that open.
    pub acted: bool,
}

/// A call that changes a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MutationKind {
    /// `POST .../jobs/{id}/rerun`
    RerunJob,
    /// `POST .../runs/{id}/rerun-failed-jobs`
    RerunFailedJobs,
    /// `POST .../runs/{id}/rerun`
    RerunRun,
    /// `POST .../runs/{id}/cancel`
    CancelRun,
}
