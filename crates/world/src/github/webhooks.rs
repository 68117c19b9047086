//! Webhooks out: GitHub's payloads, signed over their raw bytes.
//!
//! In order and once each; what a network does to them (loss, delay, doubling, another order) is
//! done by whoever carries them. `requested` is sent for a push only, never for a re-run.

use hmac::Mac;
use jiff::Timestamp;
use reprise_model::ids::{DeliveryId, JobId, RunId};
use reprise_model::job::{Conclusion, JobStatus};
use serde_json::{Value, json};

use super::GitHub;
use super::json::Wire;
use super::state::{Attempt, Job, Run};

/// One webhook on its way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// `X-GitHub-Delivery`.
    pub id: DeliveryId,
    /// `X-GitHub-Event`: `workflow_job`, `workflow_run` or `ping`.
    pub event: &'static str,
    /// The raw body.
    pub body: String,
    /// `X-Hub-Signature-256`.
    pub signature: String,
    /// When it was sent.
    pub at: Timestamp,
}

/// `action` of a `workflow_job` event.
#[derive(Debug, Clone, Copy)]
pub(super) enum JobAction {
    Queued,
    InProgress,
    Completed,
}

/// `action` of a `workflow_run` event.
#[derive(Debug, Clone, Copy)]
pub(super) enum RunAction {
    Requested,
    InProgress,
    Completed,
}

impl GitHub {
    /// The webhooks sent since the last call, in the order in which they were sent.
    pub fn take_deliveries(&mut self) -> Vec<Delivery> {
        std::mem::take(&mut self.deliveries)
    }

    /// Sends `workflow_run` `completed` although the run is still active, as GitHub was seen to do
    /// once (actions/runner#4035). Nothing but the event is untrue.
    pub fn send_early_completed(&mut self, now: Timestamp, run: RunId) {
        let run = self.runs.get(&run);
        let Some(run) = run.filter(|run| !self.is_gone(&run.spec.repository)) else {
            return;
        };
        let mut ended = run.current().clone();
        ended.status = reprise_model::run::RunStatus::Completed;
        ended.conclusion = Some(Conclusion::Failure);
        let body = self.run_body(run, &ended, RunAction::Completed);
        self.deliver(now, "workflow_run", &body);
    }

    /// Sends `ping`, as GitHub does when a webhook is set up: signed, and of no kind that matters.
    pub fn send_ping(&mut self, now: Timestamp) {
        let body = json!({ "zen": "Keep it logically awesome.", "hook_id": 1 });
        self.deliver(now, "ping", &body);
    }

    /// What anybody could write and post who has seen webhooks before: the body of a `completed`
    /// event of a job that has this conclusion only here. It bears no signature, and nothing is sent.
    pub fn imagined_completed(
        &self,
        now: Timestamp,
        id: JobId,
        conclusion: Conclusion,
    ) -> Option<String> {
        let (run, attempt, job) = self.job(id)?;
        let mut ended = job.clone();
        ended.status = JobStatus::Completed;
        ended.conclusion = Some(conclusion);
        ended.completed_at = ended.completed_at.or(Some(now));
        let mut body = self.envelope("completed", run, attempt);
        body["workflow_job"] = Wire(&self.settings).job(run, attempt, &ended);
        Some(body.to_string())
    }

    /// The same of a `queued` event with an id that no job has.
    pub fn imagined_queued(&self, id: JobId, nobody: JobId) -> Option<String> {
        let (run, attempt, job) = self.job(id)?;
        let queued = Job {
            id: nobody,
            status: JobStatus::Queued,
            conclusion: None,
            runner: None,
            started_at: None,
            completed_at: None,
            ..job.clone()
        };
        let mut body = self.envelope("queued", run, attempt);
        body["workflow_job"] = Wire(&self.settings).job(run, attempt, &queued);
        Some(body.to_string())
    }

    /// The signature that GitHub sends with a body.
    pub fn signature_of(&self, body: &str) -> String {
        let mut mac = self.webhook_key.clone();
        mac.update(body.as_bytes());
        format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
    }

    pub(super) fn announce_job(&mut self, now: Timestamp, id: JobId, action: JobAction) {
        let wire = Wire(&self.settings);
        let Some((run, attempt, job)) = self.job(id) else {
            return;
        };
        let action = match action {
            JobAction::Queued => "queued",
            JobAction::InProgress => "in_progress",
            JobAction::Completed => "completed",
        };
        if self.is_gone(&run.spec.repository) {
            return;
        }
        let mut body = self.envelope(action, run, attempt);
        body["workflow_job"] = wire.job(run, attempt, job);
        self.deliver(now, "workflow_job", &body);
    }

    pub(super) fn announce_run(&mut self, now: Timestamp, id: RunId, action: RunAction) {
        let Some(run) = self.runs.get(&id) else {
            return;
        };
        if self.is_gone(&run.spec.repository) {
            return;
        }
        let body = self.run_body(run, run.current(), action);
        self.deliver(now, "workflow_run", &body);
    }

    fn run_body(&self, run: &Run, attempt: &Attempt, action: RunAction) -> Value {
        let wire = Wire(&self.settings);
        let action = match action {
            RunAction::Requested => "requested",
            RunAction::InProgress => "in_progress",
            RunAction::Completed => "completed",
        };
        let mut body = self.envelope(action, run, attempt);
        body["workflow_run"] = wire.run(run, attempt);
        body["workflow"] = wire.workflow(run);
        body
    }

    fn envelope(&self, action: &str, run: &Run, attempt: &Attempt) -> Value {
        let wire = Wire(&self.settings);
        json!({
            "action": action,
            "repository": wire.repository(run),
            "sender": wire.user(&attempt.triggering_actor),
            "installation": {
                "id": self.settings.installation,
                "node_id": wire.node("Integration", self.settings.installation.0),
            },
        })
    }

    fn deliver(&mut self, at: Timestamp, event: &'static str, body: &Value) {
        let body = body.to_string();
        let signature = self.signature_of(&body);
        let id = DeliveryId::new(self.guid());
        self.deliveries.push(Delivery {
            id,
            event,
            body,
            signature,
            at,
        });
    }

    pub(super) fn guid(&mut self) -> String {
        let digits = format!("{:032x}", self.rng.u128(..));
        let cut = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
        format!(
            "{}-{}-{}-{}-{}",
            cut(0, 8),
            cut(8, 12),
            cut(12, 16),
            cut(16, 20),
            cut(20, 32)
        )
    }
}
