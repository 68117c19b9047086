//! EventBridge events of EC2.
//!
//! Reads and writes the envelope. Whether the event may be believed is said by the queue that it
//! came on, never by its shape.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::ids::{AccountId, InstanceId, Region};
use crate::instance::InstanceState;
use crate::json::JsonError;

const SOURCE: &str = "aws.ec2";
const INTERRUPTION_WARNING: &str = "EC2 Spot Instance Interruption Warning";
const REBALANCE_RECOMMENDATION: &str = "EC2 Instance Rebalance Recommendation";
const STATE_CHANGE: &str = "EC2 Instance State-change Notification";

/// An event of EventBridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ec2Event {
    /// The account it happened in.
    pub account: AccountId,
    /// The region it happened in.
    pub region: Region,
    /// When it happened, by AWS.
    pub time: Timestamp,
    /// What happened.
    pub kind: Ec2EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ec2EventKind {
    /// EC2 will take the instance back, in two minutes at best.
    InterruptionWarning {
        /// Which instance.
        instance: InstanceId,
        /// How it will be taken.
        action: InterruptAction,
    },
    /// EC2 may take the instance back sooner than others: advice, not evidence.
    RebalanceRecommendation {
        /// Which instance.
        instance: InstanceId,
    },
    /// The instance's state changed; why is asked of EC2.
    StateChange {
        /// Which instance.
        instance: InstanceId,
        /// Its new state.
        state: InstanceState,
    },
    /// An event that Reprise has no use for; its detail is not looked at.
    Other {
        /// Who sent it, as `aws.ec2`.
        source: String,
        /// Its kind in AWS's words.
        detail_type: String,
    },
}

/// What EC2 does to an interrupted instance.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InterruptAction {
    /// End it.
    Terminate,
    /// Stop it; its disk and tags stay.
    Stop,
    /// Save its memory and stop it; begins at once, without two minutes.
    Hibernate,
    /// A word added since.
    #[serde(untagged)]
    Unknown(String),
}

/// Why an EventBridge event cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Ec2EventError {
    /// Not an EventBridge envelope.
    #[error(
        "failed to read an EventBridge envelope; the rule must send the matched event as it is, \
         without an input transformer"
    )]
    Envelope(#[source] JsonError),
    /// The envelope is fine, and what is in it is not what AWS documents.
    #[error("failed to read the detail of an event {detail_type:?}")]
    Detail {
        /// Its kind in AWS's words.
        detail_type: String,
        /// What is wrong with it.
        #[source]
        source: JsonError,
    },
}

/// Reads an event.
pub fn parse(body: &[u8]) -> Result<Ec2Event, Ec2EventError> {
    let envelope: Envelope =
        serde_json::from_slice(body).map_err(|error| Ec2EventError::Envelope(error.into()))?;
    let kind = envelope.kind()?;
    Ok(Ec2Event {
        account: envelope.account,
        region: envelope.region,
        time: envelope.time,
        kind,
    })
}

/// Writes an event as EventBridge does: for the simulated EventBridge, and for tests. `id` is the
/// envelope's own id.
pub fn body(event: &Ec2Event, id: &str) -> Value {
    let (source, detail_type) = names(&event.kind);
    json!({
        "version": "0",
        "id": id,
        "detail-type": detail_type,
        "source": source,
        "account": event.account,
        "time": event.time,
        "region": event.region,
        "resources": resources(event),
        "detail": detail(&event.kind),
    })
}

#[derive(Debug, Deserialize)]
struct Envelope {
    source: String,
    #[serde(rename = "detail-type")]
    detail_type: String,
    account: AccountId,
    region: Region,
    time: Timestamp,
    #[serde(default)]
    detail: Value,
}

impl Envelope {
    fn kind(&self) -> Result<Ec2EventKind, Ec2EventError> {
        match (self.source.as_str(), self.detail_type.as_str()) {
            (SOURCE, INTERRUPTION_WARNING) => {
                self.detail()
                    .map(|detail: WarningDetail| Ec2EventKind::InterruptionWarning {
                        instance: detail.instance,
                        action: detail.action,
                    })
            }
            (SOURCE, REBALANCE_RECOMMENDATION) => {
                self.detail().map(
                    |detail: RebalanceDetail| Ec2EventKind::RebalanceRecommendation {
                        instance: detail.instance,
                    },
                )
            }
            (SOURCE, STATE_CHANGE) => {
                self.detail()
                    .map(|detail: StateDetail| Ec2EventKind::StateChange {
                        instance: detail.instance,
                        state: InstanceState::from_word(&detail.state),
                    })
            }
            (source, detail_type) => Ok(Ec2EventKind::Other {
                source: source.to_owned(),
                detail_type: detail_type.to_owned(),
            }),
        }
    }

    fn detail<'a, D: Deserialize<'a>>(&'a self) -> Result<D, Ec2EventError> {
        D::deserialize(&self.detail).map_err(|source| Ec2EventError::Detail {
            detail_type: self.detail_type.clone(),
            source: source.into(),
        })
    }
}

#[derive(Debug, Deserialize)]
struct WarningDetail {
    #[serde(rename = "instance-id")]
    instance: InstanceId,
    #[serde(rename = "instance-action")]
    action: InterruptAction,
}

#[derive(Debug, Deserialize)]
struct RebalanceDetail {
    #[serde(rename = "instance-id")]
    instance: InstanceId,
}

#[derive(Debug, Deserialize)]
struct StateDetail {
    #[serde(rename = "instance-id")]
    instance: InstanceId,
    state: String,
}

fn names(kind: &Ec2EventKind) -> (&str, &str) {
    match kind {
        Ec2EventKind::InterruptionWarning { .. } => (SOURCE, INTERRUPTION_WARNING),
        Ec2EventKind::RebalanceRecommendation { .. } => (SOURCE, REBALANCE_RECOMMENDATION),
        Ec2EventKind::StateChange { .. } => (SOURCE, STATE_CHANGE),
        Ec2EventKind::Other {
            source,
            detail_type,
        } => (source, detail_type),
    }
}

/// The ARNs; that of an interruption warning has no account, which is why none is ever read.
fn resources(event: &Ec2Event) -> Vec<String> {
    let region = &event.region;
    match &event.kind {
        Ec2EventKind::InterruptionWarning { instance, .. }
        | Ec2EventKind::RebalanceRecommendation { instance } => {
            vec![format!("arn:aws:ec2:{region}:instance/{instance}")]
        }
        Ec2EventKind::StateChange { instance, .. } => {
            let account = &event.account;
            vec![format!(
                "arn:aws:ec2:{region}:{account}:instance/{instance}"
            )]
        }
        Ec2EventKind::Other { .. } => Vec::new(),
    }
}

fn detail(kind: &Ec2EventKind) -> Value {
    match kind {
        Ec2EventKind::InterruptionWarning { instance, action } => {
            json!({ "instance-id": instance, "instance-action": action })
        }
        Ec2EventKind::RebalanceRecommendation { instance } => json!({ "instance-id": instance }),
        Ec2EventKind::StateChange { instance, state } => {
            json!({ "instance-id": instance, "state": state.as_str() })
        }
        Ec2EventKind::Other { .. } => json!({}),
    }
}

#[cfg(test)]
mod tests;
