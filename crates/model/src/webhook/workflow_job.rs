//! `workflow_job`: a job was queued, waits, began or ended.

use serde::{Deserialize, Serialize};

use super::WireInstallation;
use super::wire::{WireJob, WireRepository};
use crate::ids::{InstallationId, Repository};
use crate::job::Job;

/// What happened to the job.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobAction {
    /// It wants a runner.
    Queued,
    /// It waits for an approval or a concurrency group.
    Waiting,
    /// A runner took it.
    InProgress,
    /// It ended.
    Completed,
    /// A word added since.
    #[serde(untagged)]
    Unknown(String),
}

/// A `workflow_job` webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowJobEvent {
    /// What happened.
    pub action: JobAction,
    /// Where the job runs.
    pub repository: Repository,
    /// The App's installation that the webhook was sent for.
    pub installation: Option<InstallationId>,
    /// The job as it was then.
    pub job: Job,
}

#[derive(Debug, Deserialize)]
pub(super) struct Payload {
    action: JobAction,
    workflow_job: WireJob,
    repository: WireRepository,
    #[serde(default)]
    installation: Option<WireInstallation>,
}

impl Payload {
    pub(super) fn into_event(self) -> WorkflowJobEvent {
        WorkflowJobEvent {
            action: self.action,
            repository: self.repository.into_repository(),
            installation: self.installation.map(|installation| installation.id),
            job: self.workflow_job.into_job(),
        }
    }
}
