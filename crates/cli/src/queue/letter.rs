//! What a dead letter says, as far as it can be read, and whether sending it back can help.
//!
//! It reads as the controller does: a webhook counts only with its signature.

use std::error::Error;

use reprise_aws::Message;
use reprise_controller::intake::{Forgery, signature};
use reprise_model::ec2_event::{self, Ec2Event, Ec2EventKind};
use reprise_model::webhook::{self, Webhook};
use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Name;

/// A message with what was found out about it.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) queue: Name,
    pub(super) message: Message,
    /// What it is about, or why it cannot be read.
    pub(super) subject: Result<Subject, String>,
    pub(super) signature: Signature,
}

/// Whether somebody means this message: by SQS's id, or by GitHub's id of the delivery, since a
/// message that the controller buried has a new id of SQS's there.
pub(super) fn is_called(message: &Message, id: &str) -> bool {
    let delivery = message.attributes.get(signature::DELIVERY);
    message.id == id || delivery.is_some_and(|delivery| delivery == id)
}

/// Whether GitHub sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signature {
    /// EC2's events bear none.
    NotNeeded,
    /// No secret is at hand.
    Unchecked,
    /// One of the secrets made it.
    Valid,
    /// There is none.
    Missing,
    /// None of the secrets made it.
    Wrong,
}

/// What a message is about: the sentence, and the same as keys and values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) text: String,
    pub(super) facts: Map<String, Value>,
}

impl Letter {
    pub(super) fn read(queue: Name, message: Message, secrets: &[SecretString]) -> Self {
        let event = message.attributes.get(signature::EVENT);
        let body = message.body.as_bytes();
        let (subject, signature) = match queue {
            Name::Webhooks => (
                of_webhook(event.map_or("", String::as_str), body),
                Signature::of(&message, secrets),
            ),
            Name::Ec2Events => (of_ec2_event(body), Signature::NotNeeded),
        };
        Self {
            queue,
            message,
            subject,
            signature,
        }
    }

    /// GitHub's id of the delivery.
    pub(super) fn delivery(&self) -> Option<&str> {
        self.attribute(signature::DELIVERY)
    }

    /// GitHub's word for the event.
    pub(super) fn event(&self) -> Option<&str> {
        self.attribute(signature::EVENT)
    }

    fn attribute(&self, name: &str) -> Option<&str> {
        self.message.attributes.get(name).map(String::as_str)
    }

    /// What it is about, and what is wrong with it, in one line.
    pub(super) fn about(&self) -> String {
        let subject = match &self.subject {
            Ok(subject) => subject.text.clone(),
            Err(problem) => format!("cannot be read: {problem}"),
        };
        match self.signature {
            Signature::Missing | Signature::Wrong => {
                format!("{}; {subject}", self.signature.text())
            }
            Signature::NotNeeded | Signature::Unchecked | Signature::Valid => subject,
        }
    }

    /// Why the controller could do no more with it than before.
    pub(super) fn hopeless(&self) -> Option<&'static str> {
        match (self.signature, &self.subject) {
            (Signature::Missing | Signature::Wrong, _) => {
                Some("the controller would not believe it, and would throw it away")
            }
            (_, Err(_)) => Some("the controller could make nothing of it"),
            (Signature::NotNeeded | Signature::Unchecked | Signature::Valid, Ok(_)) => None,
        }
    }

    /// For other programs.
    pub(super) fn json(&self) -> Value {
        let message = &self.message;
        let mut line = json!({
            "id": message.id,
            "queue": self.queue.as_str(),
            "sent_at": message.sent_at.map(|at| at.to_string()),
            "receive_count": message.receive_count,
            "delivery": self.delivery(),
            "event": self.event(),
            "signature": self.signature.word(),
            "problem": self.subject.as_ref().err(),
        });
        if let (Ok(subject), Some(line)) = (&self.subject, line.as_object_mut()) {
            line.extend(subject.facts.clone());
        }
        line
    }
}

impl Signature {
    fn of(message: &Message, secrets: &[SecretString]) -> Self {
        if secrets.is_empty() {
            return Self::Unchecked;
        }
        let signed = message.attributes.get(signature::SIGNATURE);
        let body = message.body.as_bytes();
        match signature::verify(secrets, body, signed.map(String::as_str)) {
            Ok(_) => Self::Valid,
            Err(Forgery::Unsigned) => Self::Missing,
            Err(Forgery::WrongSignature) => Self::Wrong,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::NotNeeded => "not-needed",
            Self::Unchecked => "unchecked",
            Self::Valid => "valid",
            Self::Missing => "missing",
            Self::Wrong => "wrong",
        }
    }

    pub(super) fn text(self) -> &'static str {
        match self {
            Self::NotNeeded => "none is needed on this queue",
            Self::Unchecked => {
                "not checked: no webhook secret of the configuration can be read here"
            }
            Self::Valid => "signed with a webhook secret of the configuration",
            Self::Missing => "not signed",
            Self::Wrong => "not signed with any webhook secret of the configuration",
        }
    }
}

fn of_webhook(event: &str, body: &[u8]) -> Result<Subject, String> {
    match webhook::parse(event, body) {
        Ok(Webhook::WorkflowJob(event)) => {
            let (repository, job, action) = (event.repository, event.job, word(&event.action));
            let (run, attempt) = (job.run_id, job.run_attempt);
            Ok(Subject::new(
                format!(
                    "workflow_job {action}: {} in {repository}, run {run}, attempt {attempt}, job {}",
                    job.name, job.id
                ),
                json!({
                    "action": action,
                    "repository": repository,
                    "run": run,
                    "attempt": attempt,
                    "job": job.id,
                    "job_name": job.name,
                }),
            ))
        }
        Ok(Webhook::WorkflowRun(event)) => {
            let (repository, run, action) = (event.repository, event.run, word(&event.action));
            let (id, attempt) = (run.id, run.run_attempt);
            let workflow = run.workflow_name.as_deref().unwrap_or("a workflow");
            Ok(Subject::new(
                format!(
                    "workflow_run {action}: {workflow} in {repository}, run {id}, attempt {attempt}"
                ),
                json!({
                    "action": action,
                    "repository": repository,
                    "run": id,
                    "attempt": attempt,
                }),
            ))
        }
        Ok(Webhook::Other { event }) if event.is_empty() => {
            Err("it has no attribute X-GitHub-Event".to_owned())
        }
        Ok(Webhook::Other { event }) => Ok(Subject::new(
            format!("{event}, which the controller has no use for"),
            json!({}),
        )),
        Err(error) => Err(chain(&error)),
    }
}

fn of_ec2_event(body: &[u8]) -> Result<Subject, String> {
    let event = ec2_event::parse(body).map_err(|error| chain(&error))?;
    let (what, instance) = match &event.kind {
        Ec2EventKind::InterruptionWarning { instance, action } => {
            (format!("notice to {}", word(action)), Some(instance))
        }
        Ec2EventKind::RebalanceRecommendation { instance } => {
            ("rebalance recommendation".to_owned(), Some(instance))
        }
        Ec2EventKind::StateChange { instance, state } => {
            (format!("now {}", word(state)), Some(instance))
        }
        Ec2EventKind::Other { detail_type, .. } => (
            format!("{detail_type}, which the controller has no use for"),
            None,
        ),
    };
    let Ec2Event {
        account,
        region,
        time,
        ..
    } = &event;
    let whose = instance.map_or_else(String::new, |instance| format!("{instance}: "));
    Ok(Subject::new(
        format!("{whose}{what}, in {region} of account {account} at {time}"),
        json!({
            "instance": instance,
            "account": account,
            "region": region,
            "happened_at": time.to_string(),
            "what": what,
        }),
    ))
}

impl Subject {
    fn new(text: String, facts: Value) -> Self {
        let facts = facts.as_object().cloned().unwrap_or_default();
        Self { text, facts }
    }
}

/// The other side's own word.
fn word(word: &impl Serialize) -> String {
    match serde_json::to_value(word) {
        Ok(Value::String(word)) => word,
        Ok(_) | Err(_) => "unknown".to_owned(),
    }
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(&format!(": {source}"));
        next = source.source();
    }
    text
}
