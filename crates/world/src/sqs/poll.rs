//! ReceiveMessage on the wire, long polls included.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::error::SqsError;
use super::message::{AttributeValue, MessageAttribute, Received, attributes_digest, body_digest};
use super::queue::later;
use super::requests::{ReceiveMessage, seconds};
use super::state::Sqs;
use super::wire::{LONGEST_VISIBILITY_SECONDS, queue_name};

/// SQS's limit of a long poll.
const LONGEST_POLL_SECONDS: i64 = 20;

/// What became of a poll.
pub(super) enum Polled {
    Answer(Value),
    AskAgainAt(Timestamp),
}

impl Sqs {
    /// One look into the queue for a poll that began at `asked_at`.
    pub(super) fn poll(
        &mut self,
        now: Timestamp,
        asked_at: Timestamp,
        request: &ReceiveMessage,
    ) -> Result<Polled, SqsError> {
        let queue = queue_name(&request.queue_url);
        let most = most_messages(request)?;
        let visibility = optional_seconds(
            "VisibilityTimeout",
            request.visibility_timeout,
            LONGEST_VISIBILITY_SECONDS,
        )?;
        let wait = optional_seconds(
            "WaitTimeSeconds",
            request.wait_time_seconds,
            LONGEST_POLL_SECONDS,
        )?;
        let received = self.receive(now, queue, most, visibility)?;
        if !received.is_empty() {
            let messages: Vec<Value> = received.iter().map(|one| render(one, request)).collect();
            return Ok(Polled::Answer(json!({ "Messages": messages })));
        }
        let deadline = later(asked_at, wait.unwrap_or_default());
        if now >= deadline {
            return Ok(Polled::Answer(json!({})));
        }
        let visible = self.next_visible_at(queue).filter(|at| *at > now);
        Ok(Polled::AskAgainAt(
            visible.map_or(deadline, |at| at.min(deadline)),
        ))
    }
}

fn most_messages(request: &ReceiveMessage) -> Result<usize, SqsError> {
    let most = request.max_number_of_messages.unwrap_or(1);
    usize::try_from(most)
        .ok()
        .filter(|most| (1..=10).contains(most))
        .ok_or_else(|| {
            SqsError::InvalidParameterValue(format!(
                "Value {most} for parameter MaxNumberOfMessages is invalid. Reason: Must be \
                 between 1 and 10, if provided."
            ))
        })
}

fn optional_seconds(
    name: &str,
    value: Option<i64>,
    most: i64,
) -> Result<Option<SignedDuration>, SqsError> {
    value.map(|value| seconds(name, value, most)).transpose()
}

fn render(received: &Received, request: &ReceiveMessage) -> Value {
    let mut message = json!({
        "MessageId": received.id,
        "ReceiptHandle": received.receipt,
        "MD5OfBody": body_digest(&received.body),
        "Body": received.body,
    });
    let wanted: Vec<(&String, &MessageAttribute)> = received
        .attributes
        .iter()
        .filter(|(name, _)| is_wanted(name, &request.message_attribute_names))
        .collect();
    if let Some(digest) = attributes_digest(wanted.iter().copied()) {
        message["MD5OfMessageAttributes"] = digest.into();
        message["MessageAttributes"] = wanted
            .into_iter()
            .map(|(name, attribute)| (name.clone(), render_attribute(attribute)))
            .collect::<Map<_, _>>()
            .into();
    }
    let system = system_attributes(received, request);
    if !system.is_empty() {
        message["Attributes"] = system.into();
    }
    message
}

/// `All`, `.*`, a name, or a prefix and `.*`.
fn is_wanted(name: &str, wanted: &[String]) -> bool {
    wanted
        .iter()
        .any(|pattern| match pattern.strip_suffix(".*") {
            Some(prefix) => name.starts_with(prefix),
            None => pattern == "All" || pattern == name,
        })
}

fn render_attribute(attribute: &MessageAttribute) -> Value {
    let data_type = &attribute.data_type;
    match &attribute.value {
        AttributeValue::Text(text) => json!({ "DataType": data_type, "StringValue": text }),
        AttributeValue::Binary(bytes) => {
            json!({ "DataType": data_type, "BinaryValue": STANDARD.encode(bytes) })
        }
    }
}

fn system_attributes(received: &Received, request: &ReceiveMessage) -> Map<String, Value> {
    let first = received.first_received_at.as_millisecond().to_string();
    [
        ("ApproximateFirstReceiveTimestamp", first),
        (
            "ApproximateReceiveCount",
            received.receive_count.to_string(),
        ),
        ("SenderId", "AIDAFAKESENDER".to_owned()),
        (
            "SentTimestamp",
            received.sent_at.as_millisecond().to_string(),
        ),
    ]
    .into_iter()
    .filter(|(name, _)| {
        let mut asked = request
            .message_system_attribute_names
            .iter()
            .chain(&request.attribute_names);
        asked.any(|one| one == "All" || one == name)
    })
    .map(|(name, value)| (name.to_owned(), value.into()))
    .collect()
}
