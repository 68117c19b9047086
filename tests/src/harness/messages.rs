//! Messages as GitHub, EventBridge and strangers send them.

use anyhow::{Result, anyhow};
use hmac::{Hmac, KeyInit, Mac};
use reprise_world::world::Outgoing;
use serde_json::{Map, Value, json};
use sha2::Sha256;

use super::config::WEBHOOK_SECRET;
use crate::raw_aws;

/// A message for a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Its body.
    pub body: String,
    /// Its attributes, all of type String.
    pub attributes: Vec<(String, String)>,
}

impl From<Outgoing> for Letter {
    fn from(outgoing: Outgoing) -> Self {
        Self {
            body: outgoing.body,
            attributes: outgoing.attributes,
        }
    }
}

/// Sends it.
pub async fn send(sqs_url: &str, region: &str, queue_url: &str, letter: &Letter) -> Result<()> {
    let attribute = |(name, text): &(String, String)| {
        let value = json!({ "DataType": "String", "StringValue": text });
        (name.clone(), value)
    };
    let attributes: Map<String, Value> = letter.attributes.iter().map(attribute).collect();
    let request = json!({
        "QueueUrl": queue_url,
        "MessageBody": letter.body,
        "MessageAttributes": attributes,
    });
    raw_aws::sqs(sqs_url, region, "SendMessage", &request).await?;
    Ok(())
}

/// A message without attributes, as EventBridge sends it.
pub fn bare(body: impl Into<String>) -> Letter {
    Letter {
        body: body.into(),
        attributes: Vec::new(),
    }
}

/// A webhook that nobody signed.
pub fn unsigned(event: &str, body: impl Into<String>) -> Letter {
    Letter {
        body: body.into(),
        attributes: vec![("X-GitHub-Event".to_owned(), event.to_owned())],
    }
}

/// A webhook as GitHub sends it.
pub fn signed(event: &str, body: impl Into<String>) -> Result<Letter> {
    signed_with(WEBHOOK_SECRET, event, body)
}

/// A webhook that somebody signed who knows this secret.
pub fn signed_with(secret: &str, event: &str, body: impl Into<String>) -> Result<Letter> {
    let body = body.into();
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_err(|_| anyhow!("no key"))?;
    let digest = mac.chain_update(body.as_bytes()).finalize().into_bytes();
    let signature = format!("sha256={}", hex::encode(digest));
    let mut letter = unsigned(event, body);
    letter
        .attributes
        .push(("X-Hub-Signature-256".to_owned(), signature));
    Ok(letter)
}

/// EC2's warning that it takes an instance.
pub fn interruption_warning(account: &str, region: &str, instance: &str) -> Value {
    json!({
        "version": "0",
        "id": "12345678-1234-4234-8234-123456789012",
        "detail-type": "EC2 Spot Instance Interruption Warning",
        "source": "aws.ec2",
        "account": account,
        "time": "2026-03-01T10:20:00Z",
        "region": region,
        "resources": [format!("arn:aws:ec2:{region}a:instance/{instance}")],
        "detail": { "instance-id": instance, "instance-action": "terminate" },
    })
}

/// A job that a stranger speaks of.
#[derive(Debug, Clone)]
pub struct StrangeJob {
    /// Where it claims to run.
    pub repository: &'static str,
    /// Its run's id.
    pub run: u64,
    /// Its id.
    pub id: u64,
    /// Its labels.
    pub labels: Vec<String>,
    /// The runner that it claims to have run on.
    pub runner: Option<String>,
    /// When it claims to have run, as two RFC 3339 texts.
    pub ran: (String, String),
}

impl StrangeJob {
    /// The body of `workflow_job` `queued`.
    pub fn queued(&self) -> String {
        self.body("queued", Value::Null)
    }

    /// The body of `workflow_job` `completed` with `failure`.
    pub fn failed(&self) -> String {
        self.body("completed", json!("failure"))
    }

    fn body(&self, action: &str, conclusion: Value) -> String {
        let ended = conclusion.is_string();
        let body = json!({
            "action": action,
            "workflow_job": {
                "id": self.id,
                "run_id": self.run,
                "run_attempt": 1,
                "name": "strange",
                "workflow_name": "ci",
                "head_branch": "main",
                "head_sha": "0123456789abcdef0123456789abcdef01234567",
                "status": action,
                "conclusion": conclusion,
                "labels": self.labels,
                "runner_name": self.runner,
                "created_at": self.ran.0,
                "started_at": self.ran.0,
                "completed_at": ended.then_some(&self.ran.1),
            },
            "repository": { "full_name": self.repository },
            "sender": { "login": "mallory" },
        });
        body.to_string()
    }
}
