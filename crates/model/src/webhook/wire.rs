//! Jobs and runs as GitHub writes them, the same in webhooks and in REST answers.
//!
//! Invariant: whatever GitHub may leave out or set to null is optional here, and each gap is
//! closed in one place, on the way to [`Job`] and [`Run`].

use jiff::Timestamp;
use serde::Deserialize;

use crate::ids::{
    CheckRunId, JobId, Repository, RunAttempt, RunId, RunnerId, RunnerName, Sha, WorkflowId,
};
use crate::job::{Conclusion, Job, JobStatus};
use crate::run::{Run, RunStatus};

/// A job: `workflow_job` of a webhook, an entry of `jobs` of a REST answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct WireJob {
    id: JobId,
    run_id: RunId,
    #[serde(default)]
    run_attempt: Option<u32>,
    name: String,
    #[serde(default)]
    workflow_name: Option<String>,
    status: JobStatus,
    #[serde(default)]
    conclusion: Option<Conclusion>,
    #[serde(default)]
    labels: Option<Vec<String>>,
    #[serde(default)]
    runner_name: Option<String>,
    #[serde(default)]
    runner_id: Option<RunnerId>,
    #[serde(default)]
    created_at: Option<Timestamp>,
    #[serde(default)]
    started_at: Option<Timestamp>,
    #[serde(default)]
    completed_at: Option<Timestamp>,
    head_sha: Sha,
    #[serde(default)]
    head_branch: Option<String>,
    #[serde(default)]
    check_run_url: Option<String>,
}

impl WireJob {
    /// The job in our words.
    pub fn into_job(self) -> Job {
        Job {
            id: self.id,
            run_id: self.run_id,
            run_attempt: attempt(self.run_attempt),
            name: self.name,
            workflow_name: self.workflow_name,
            status: self.status,
            conclusion: self.conclusion,
            labels: self.labels.unwrap_or_default(),
            runner_name: self
                .runner_name
                .filter(|name| !name.is_empty())
                .map(RunnerName::new),
            // GitHub has written 0 for none.
            runner_id: self.runner_id.filter(|id| id.0 != 0),
            created_at: self.created_at,
            started_at: self.started_at,
            completed_at: self.completed_at,
            head_sha: self.head_sha,
            head_branch: self.head_branch,
            check_run: self.check_run_url.as_deref().and_then(check_run_of),
        }
    }
}

/// A run: `workflow_run` of a webhook, a REST answer, an entry of its `workflow_runs`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct WireRun {
    id: RunId,
    #[serde(default)]
    run_attempt: Option<u32>,
    #[serde(default)]
    status: Option<RunStatus>,
    #[serde(default)]
    conclusion: Option<Conclusion>,
    workflow_id: WorkflowId,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    path: Option<String>,
    event: String,
    head_sha: Sha,
    #[serde(default)]
    head_branch: Option<String>,
    created_at: Timestamp,
    #[serde(default)]
    run_started_at: Option<Timestamp>,
    #[serde(default)]
    updated_at: Option<Timestamp>,
}

impl WireRun {
    /// The run in our words. The repository is the caller's: the one that was asked for, or the
    /// webhook's own.
    pub fn into_run(self, repository: Repository) -> Run {
        Run {
            id: self.id,
            repository,
            run_attempt: attempt(self.run_attempt),
            // REST allows null; a run of which nothing is said has not completed.
            status: self
                .status
                .unwrap_or_else(|| RunStatus::Unknown("null".to_owned())),
            conclusion: self.conclusion,
            workflow_id: self.workflow_id,
            workflow_name: self.name.filter(|name| !name.is_empty()),
            path: self.path.map(without_ref),
            event: self.event,
            head_sha: self.head_sha,
            head_branch: self.head_branch,
            created_at: self.created_at,
            run_started_at: self.run_started_at,
            updated_at: self.updated_at,
        }
    }
}

/// The `repository` object of webhooks and REST answers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct WireRepository {
    full_name: Repository,
}

impl WireRepository {
    /// The repository.
    pub fn into_repository(self) -> Repository {
        self.full_name
    }
}

/// Payloads from before attempts were counted lack the field, and then nothing was ever re-run.
fn attempt(number: Option<u32>) -> RunAttempt {
    number
        .and_then(RunAttempt::new)
        .unwrap_or(RunAttempt::FIRST)
}

fn check_run_of(url: &str) -> Option<CheckRunId> {
    url.rsplit('/').next()?.parse().ok()
}

/// REST writes `.github/workflows/ci.yml@main` where a webhook writes the path alone; both must
/// give the same job key. A branch may be called `x.yml@2` itself, so the first mark counts.
pub(super) fn without_ref(mut path: String) -> String {
    let end = [".yml@", ".yaml@"]
        .iter()
        .filter_map(|mark| path.find(mark).map(|at| at + mark.len() - 1))
        .min();
    if let Some(end) = end {
        path.truncate(end);
    }
    path
}
