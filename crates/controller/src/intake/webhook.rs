//! A message of the webhook queue.

use std::collections::BTreeMap;

use reprise_model::reason::IgnoreReason;
use reprise_model::webhook::{
    self, JobAction, RunAction, Webhook, WorkflowJobEvent, WorkflowRunEvent,
};
use secrecy::SecretString;

use crate::context::{Controller, WorkError};
use crate::intake::{LedBy, Outcome, signature};
use crate::logging::chain;
use crate::ports::Ports;

impl<P: Ports> Controller<P> {
    /// Deals with one message of the webhook queue.
    ///
    /// # Errors
    /// When something outside failed: the message is to be handed back.
    pub async fn webhook(
        &self,
        secrets: &[SecretString],
        body: &str,
        attributes: &BTreeMap<String, String>,
    ) -> Result<Outcome, WorkError> {
        let attribute = |name| attributes.get(name).map(String::as_str);
        if let Err(forgery) =
            signature::verify(secrets, body.as_bytes(), attribute(signature::SIGNATURE))
        {
            return Ok(Outcome::Forged(forgery));
        }
        let event = attribute(signature::EVENT).unwrap_or_default();
        match webhook::parse(event, body.as_bytes()) {
            Ok(Webhook::WorkflowJob(event)) => self.workflow_job(event).await,
            Ok(Webhook::WorkflowRun(event)) => self.workflow_run(event).await,
            Ok(Webhook::Other { .. }) => Ok(Outcome::Ignored(IgnoreReason::NothingToDecide)),
            Err(error) => Ok(Outcome::Unparsable {
                problem: chain(&error).to_string(),
            }),
        }
    }

    async fn workflow_job(&self, event: WorkflowJobEvent) -> Result<Outcome, WorkError> {
        match event.action {
            JobAction::Queued => {
                let (repository, job) = (&event.repository, &event.job);
                self.queued(repository, job, LedBy::Message).await
            }
            JobAction::Completed => self.completed(&event.repository, &event.job).await,
            JobAction::InProgress => Ok(self.in_progress(&event.repository, &event.job).await),
            JobAction::Waiting | JobAction::Unknown(_) => {
                Ok(Outcome::Ignored(IgnoreReason::NothingToDecide))
            }
        }
    }

    async fn workflow_run(&self, event: WorkflowRunEvent) -> Result<Outcome, WorkError> {
        match event.action {
            RunAction::Completed => self.run_completed(&event.repository, &event.run).await,
            RunAction::Requested | RunAction::InProgress | RunAction::Unknown(_) => {
                Ok(Outcome::Ignored(IgnoreReason::NothingToDecide))
            }
        }
    }
}
