//! A message of the webhook queue.

use reprise_model::reason::IgnoreReason;
use reprise_model::webhook::{JobAction, RunAction, Webhook, WorkflowJobEvent, WorkflowRunEvent};

use crate::context::{Controller, WorkError};
use crate::intake::{LedBy, Outcome};
use crate::ports::Ports;

impl<P: Ports> Controller<P> {
    /// Deals with a webhook.
    pub(crate) async fn webhook(&self, webhook: Webhook) -> Result<Outcome, WorkError> {
        match webhook {
            Webhook::WorkflowJob(event) => self.workflow_job(event).await,
            Webhook::WorkflowRun(event) => self.workflow_run(event).await,
            Webhook::Other { .. } => Ok(Outcome::Ignored(IgnoreReason::NothingToDecide)),
        }
    }

    /// Each in a box of its own: a message that waits keeps the room that it needs, and not that of the
    /// largest of all.
    async fn workflow_job(&self, event: WorkflowJobEvent) -> Result<Outcome, WorkError> {
        match event.action {
            JobAction::Queued => {
                let (repository, job) = (&event.repository, &event.job);
                self.gate_of_job(repository, job).await?;
                Box::pin(self.queued(repository, job, LedBy::Message)).await
            }
            JobAction::Completed => Box::pin(self.completed(&event.repository, &event.job)).await,
            JobAction::InProgress => {
                Ok(Box::pin(self.in_progress(&event.repository, &event.job)).await)
            }
            JobAction::Waiting | JobAction::Unknown(_) => {
                Ok(Outcome::Ignored(IgnoreReason::NothingToDecide))
            }
        }
    }

    async fn workflow_run(&self, event: WorkflowRunEvent) -> Result<Outcome, WorkError> {
        match event.action {
            RunAction::Completed => {
                self.gate_has_news(&event.run).await?;
                Box::pin(self.run_completed(&event.repository, &event.run)).await
            }
            RunAction::Requested | RunAction::InProgress => self.gate_of_run(&event.run).await,
            RunAction::Unknown(_) => Ok(Outcome::Ignored(IgnoreReason::NothingToDecide)),
        }
    }
}
