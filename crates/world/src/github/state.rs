//! Runs, attempts and job records: what the simulated GitHub knows.
//!
//! Read access only; the transitions are in the sibling modules. Invariants: a run always has a
//! current attempt, the ids of an attempt's jobs follow the order of the workflow file, and a
//! completed record never changes again.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use reprise_model::ids::{CheckRunId, JobId, RunAttempt, RunId, WorkflowId};
use reprise_model::job::{Conclusion, JobStatus};
use reprise_model::run::RunStatus;

use super::spec::{Condition, JobSpec, Plan, RunSpec};

/// A workflow run with all its attempts.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its id, the same in every attempt.
    pub id: RunId,
    /// Its number among the runs of its workflow, from 1.
    pub number: u64,
    /// The workflow that it runs.
    pub workflow: WorkflowId,
    /// What was pushed.
    pub spec: RunSpec,
    /// When the first attempt was made.
    pub created_at: Timestamp,
    pub(super) repository_id: u64,
    pub(super) plan: Option<Plan>,
    pub(super) past: Vec<Attempt>,
    pub(super) current: Attempt,
}

impl Run {
    /// The latest attempt.
    pub fn current(&self) -> &Attempt {
        &self.current
    }

    /// All attempts, the first one first.
    pub fn attempts(&self) -> impl DoubleEndedIterator<Item = &Attempt> {
        self.past.iter().chain(std::iter::once(&self.current))
    }

    /// One attempt.
    pub fn attempt(&self, number: RunAttempt) -> Option<&Attempt> {
        self.attempts().find(|attempt| attempt.number == number)
    }

    /// Whether the latest attempt is not completed, so that GitHub refuses a re-run.
    pub fn is_active(&self) -> bool {
        self.current.status != RunStatus::Completed
    }

    /// The records of a name in which it really ran on a runner, in order of attempts; what was
    /// carried over from an earlier attempt is left out.
    pub fn executions<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Job> {
        self.attempts()
            .flat_map(|attempt| attempt.jobs.values())
            .filter(move |job| job.name == name && job.runner.is_some())
            .filter(|job| !job.is_carried_over())
    }

    /// The same of one place in the workflow file, which equal names share none of.
    pub fn executions_at(&self, place: usize) -> impl Iterator<Item = &Job> {
        self.attempts()
            .flat_map(|attempt| attempt.jobs.values())
            .filter(move |job| job.place == place && job.runner.is_some())
            .filter(|job| !job.is_carried_over())
    }

    /// The jobs of the latest attempt that can start now, with how they start.
    pub(super) fn ready(&self) -> Vec<(usize, Start)> {
        let attempt = &self.current;
        let held = attempt.status == RunStatus::Pending && attempt.cancelled.is_none();
        match &self.plan {
            Some(plan) if !held => attempt
                .waiting
                .iter()
                .filter_map(|job| Some((*job, self.start_of(plan, *job)?)))
                .collect(),
            Some(_) | None => Vec::new(),
        }
    }

    fn start_of(&self, plan: &Plan, job: usize) -> Option<Start> {
        let ended = |need: &usize| self.current.by_spec(*need).is_some_and(Job::is_completed);
        if !plan.needs(job).iter().all(ended) {
            return None;
        }
        let passed = |before: usize| {
            self.current
                .by_spec(before)
                .is_some_and(|j| j.conclusion == Some(Conclusion::Success))
        };
        Some(match self.spec.jobs[job].condition {
            Condition::Always => Start::Queued,
            Condition::Necessary => match self.is_necessary(plan, job) {
                true => Start::Queued,
                false => Start::Skipped,
            },
            Condition::Success if !plan.before(job).into_iter().all(passed) => Start::Skipped,
            Condition::Success if self.current.cancelled.is_some() => Start::Cancelled,
            Condition::Success => Start::Queued,
        })
    }

    fn is_necessary(&self, plan: &Plan, job: usize) -> bool {
        let failed = |before: usize| {
            let record = self.current.by_spec(before);
            record.is_some_and(|record| {
                matches!(
                    record.conclusion,
                    Some(Conclusion::Failure | Conclusion::TimedOut)
                )
            })
        };
        // GitHub's `contains` ignores case.
        let name = format!(";{};", self.spec.jobs[job].name).to_lowercase();
        self.current.cancelled.is_none()
            && !plan.before(job).into_iter().any(failed)
            && self.current.necessary_jobs.to_lowercase().contains(&name)
    }

    /// What the workflow file says of a job.
    pub fn spec_of(&self, job: &Job) -> Option<&JobSpec> {
        self.spec.jobs.get(job.place)
    }
}

/// How a job that has its needs begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// It waits for a runner.
    Queued,
    /// Something before it did not succeed.
    Skipped,
    /// The run was cancelled meanwhile.
    Cancelled,
}

/// One attempt of a run.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Its number.
    pub number: RunAttempt,
    /// Where it stands.
    pub status: RunStatus,
    /// How it ended.
    pub conclusion: Option<Conclusion>,
    /// When it began: `run_started_at`.
    pub started_at: Timestamp,
    /// When something of it changed last.
    pub updated_at: Timestamp,
    /// Who pushed or re-ran.
    pub triggering_actor: String,
    /// Why it was cancelled as a whole.
    pub cancelled: Option<Cancel>,
    /// Its records by id, carried-over ones included. A dependent has none until its needs ended.
    pub jobs: BTreeMap<JobId, Job>,
    /// What a job put out as `necessary_jobs`; nothing before.
    pub(super) necessary_jobs: String,
    /// The id that each job of the workflow has or will have.
    pub(super) ids: Vec<JobId>,
    /// Jobs without a record yet.
    pub(super) waiting: BTreeSet<usize>,
}

impl Attempt {
    pub(super) fn by_spec(&self, place: usize) -> Option<&Job> {
        self.jobs.get(self.ids.get(place)?)
    }

    pub(super) fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.jobs.values().all(Job::is_completed)
    }
}

/// A job's record in one attempt.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its id, good for this attempt only.
    pub id: JobId,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Vec<String>,
    /// Where it stands.
    pub status: JobStatus,
    /// How it ended.
    pub conclusion: Option<Conclusion>,
    /// When this record was made, also for a carried-over one.
    pub created_at: Timestamp,
    /// When a runner took it, possibly in an earlier attempt.
    pub started_at: Option<Timestamp>,
    /// When it ended, possibly in an earlier attempt.
    pub completed_at: Option<Timestamp>,
    /// The runner that took it.
    pub runner: Option<Runner>,
    /// What its runner reported.
    pub steps: Vec<Step>,
    /// What GitHub says about it beside its log.
    pub annotations: Vec<Annotation>,
    /// The record of the previous attempt that this one repeats without an execution of its own.
    pub carried_over_from: Option<JobId>,
    /// Its place in the workflow file.
    pub(super) place: usize,
    /// When GitHub ends it without a word of its runner, and how.
    pub(super) deadline: Option<Deadline>,
}

impl Job {
    /// Whether it ended.
    pub fn is_completed(&self) -> bool {
        self.status == JobStatus::Completed
    }

    /// Whether GitHub is going to end it by itself, should nobody else.
    pub fn has_deadline(&self) -> bool {
        self.deadline.is_some()
    }

    /// Whether it did not execute in its attempt.
    pub fn is_carried_over(&self) -> bool {
        self.carried_over_from.is_some()
    }

    /// Its place among [`RunSpec::jobs`], the same in every attempt.
    pub fn place(&self) -> usize {
        self.place
    }

    /// The check run behind it; GitHub gives both the same number.
    pub fn check_run(&self) -> CheckRunId {
        CheckRunId(self.id.0)
    }

    /// Whether its runner has been told to stop.
    pub fn is_told_to_stop(&self) -> bool {
        self.deadline
            .as_ref()
            .is_some_and(|deadline| deadline.end == ForcedEnd::Stopped)
    }
}

/// A runner as GitHub shows it in a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runner {
    /// GitHub's number for it; an ephemeral runner gets one for its only job.
    pub id: u64,
    /// Its name.
    pub name: String,
}

/// A step of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// How it ended.
    pub conclusion: Conclusion,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub completed_at: Timestamp,
}

/// An annotation of a job's check run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// `failure`, `warning` or `notice`.
    pub level: &'static str,
    /// What people read.
    pub message: String,
}

impl Annotation {
    pub(super) fn failure(message: impl Into<String>) -> Self {
        Self {
            level: "failure",
            message: message.into(),
        }
    }
}

/// Why a whole attempt was cancelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cancel {
    /// By a person or an app, with its login.
    Person(String),
    /// By a newer run of its concurrency group.
    Superseded {
        /// The group.
        group: String,
    },
}

impl Cancel {
    pub(super) fn annotation(&self) -> Annotation {
        Annotation::failure(match self {
            Self::Person(login) => format!("The run was canceled by @{login}."),
            Self::Superseded { group } => {
                format!("Canceling since a higher priority waiting request for {group} exists")
            }
        })
    }
}

/// A moment at which GitHub ends a job by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Deadline {
    pub(super) at: Timestamp,
    pub(super) end: ForcedEnd,
}

/// Why GitHub ends a job by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ForcedEnd {
    /// No runner took it.
    QueuedTooLong,
    /// Its runner is silent.
    Lost,
    /// It was told to stop and took its time.
    Stopped,
}
