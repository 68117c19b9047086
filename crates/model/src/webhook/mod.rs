//! GitHub webhooks: `workflow_job` and `workflow_run`, in our own words.
//!
//! Only what Reprise decides on is read, so that a field added, missing or null elsewhere in a
//! payload harms nothing; words that GitHub adds are kept as `Unknown`. Nothing here checks a
//! signature: whoever calls [`parse`] has done that.

pub mod body;
pub mod wire;
mod workflow_job;
mod workflow_run;

use serde::Deserialize;
use serde::de::DeserializeOwned;

pub use self::body::{workflow_job_body, workflow_run_body};
pub use self::workflow_job::{JobAction, WorkflowJobEvent};
pub use self::workflow_run::{RunAction, WorkflowRunEvent};
use crate::ids::InstallationId;
use crate::json::JsonError;

/// A webhook that GitHub sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Webhook {
    /// Something happened to a job.
    WorkflowJob(WorkflowJobEvent),
    /// Something happened to a run.
    WorkflowRun(WorkflowRunEvent),
    /// An event that Reprise has no use for; its body is not looked at.
    Other {
        /// Its `X-GitHub-Event`.
        event: String,
    },
}

/// Why a webhook cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(
    "failed to read the body of a {event} webhook; \
     the webhook's content type must be application/json"
)]
pub struct WebhookError {
    /// Its `X-GitHub-Event`.
    pub event: String,
    /// Where and why reading ended.
    #[source]
    pub source: JsonError,
}

/// Reads a webhook; `event` is the header `X-GitHub-Event`.
pub fn parse(event: &str, body: &[u8]) -> Result<Webhook, WebhookError> {
    match event {
        "workflow_job" => read::<workflow_job::Payload>(event, body)
            .map(|payload| Webhook::WorkflowJob(payload.into_event())),
        "workflow_run" => read::<workflow_run::Payload>(event, body)
            .map(|payload| Webhook::WorkflowRun(payload.into_event())),
        other => Ok(Webhook::Other {
            event: other.to_owned(),
        }),
    }
}

fn read<P: DeserializeOwned>(event: &str, body: &[u8]) -> Result<P, WebhookError> {
    serde_json::from_slice(body).map_err(|source| WebhookError {
        event: event.to_owned(),
        source: source.into(),
    })
}

/// The `installation` object; hooks of a repository or an organisation have none.
#[derive(Debug, Deserialize)]
struct WireInstallation {
    id: InstallationId,
}

#[cfg(test)]
mod tests;
