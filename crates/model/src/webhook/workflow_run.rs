//! `workflow_run`: a run was asked for, began or ended. A re-run sends no `requested`.

use serde::{Deserialize, Serialize};

use super::WireInstallation;
use super::wire::{WireRepository, WireRun, without_ref};
use crate::ids::{InstallationId, Repository};
use crate::run::Run;

/// What happened to the run.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunAction {
    /// It was asked for; first attempts only.
    Requested,
    /// It began.
    InProgress,
    /// It ended. GitHub has sent this early, so the run is read before anything is asked.
    Completed,
    /// A word added since.
    #[serde(untagged)]
    Unknown(String),
}

/// A `workflow_run` webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowRunEvent {
    /// What happened.
    pub action: RunAction,
    /// Where the run runs.
    pub repository: Repository,
    /// The App's installation that the webhook was sent for.
    pub installation: Option<InstallationId>,
    /// The run as it was then.
    pub run: Run,
}

#[derive(Debug, Deserialize)]
pub(super) struct Payload {
    action: RunAction,
    workflow_run: WireRun,
    #[serde(default)]
    workflow: Option<WireWorkflow>,
    repository: WireRepository,
    #[serde(default)]
    installation: Option<WireInstallation>,
}

/// Says what old payloads leave out of the run itself, or leave empty.
#[derive(Debug, Default, Deserialize)]
struct WireWorkflow {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    path: Option<String>,
}

impl Payload {
    pub(super) fn into_event(self) -> WorkflowRunEvent {
        let repository = self.repository.into_repository();
        let workflow = self.workflow.unwrap_or_default();
        let run = self.workflow_run.into_run(repository.clone());
        WorkflowRunEvent {
            action: self.action,
            repository,
            installation: self.installation.map(|installation| installation.id),
            run: Run {
                workflow_name: run.workflow_name.or(workflow.name),
                path: run.path.or(workflow.path.map(without_ref)),
                ..run
            },
        }
    }
}
