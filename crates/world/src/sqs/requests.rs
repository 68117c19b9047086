//! The JSON shapes of requests.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use serde::Deserialize;

use super::error::SqsError;
use super::message::{AttributeValue, MessageAttribute, NewMessage};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendMessage {
    pub(super) queue_url: String,
    #[serde(flatten)]
    pub(super) message: MessageFields,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MessageFields {
    message_body: String,
    delay_seconds: Option<i64>,
    #[serde(default)]
    message_attributes: BTreeMap<String, AttributeFields>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AttributeFields {
    data_type: String,
    string_value: Option<String>,
    binary_value: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Batch<E> {
    pub(super) queue_url: String,
    #[serde(default = "Vec::new")]
    pub(super) entries: Vec<E>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendEntry {
    pub(super) id: String,
    #[serde(flatten)]
    pub(super) message: MessageFields,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReceiveMessage {
    pub(super) queue_url: String,
    pub(super) max_number_of_messages: Option<i64>,
    pub(super) wait_time_seconds: Option<i64>,
    pub(super) visibility_timeout: Option<i64>,
    #[serde(default)]
    pub(super) message_attribute_names: Vec<String>,
    #[serde(default)]
    pub(super) message_system_attribute_names: Vec<String>,
    #[serde(default)]
    pub(super) attribute_names: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteMessage {
    pub(super) queue_url: String,
    pub(super) receipt_handle: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteEntry {
    pub(super) id: String,
    pub(super) receipt_handle: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ChangeVisibility {
    pub(super) queue_url: String,
    pub(super) receipt_handle: String,
    pub(super) visibility_timeout: i64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ChangeEntry {
    pub(super) id: String,
    pub(super) receipt_handle: String,
    pub(super) visibility_timeout: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetAttributes {
    pub(super) queue_url: String,
    #[serde(default)]
    pub(super) attribute_names: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetUrl {
    pub(super) queue_name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateQueue {
    pub(super) queue_name: String,
    #[serde(default)]
    pub(super) attributes: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RedrivePolicy {
    pub(super) dead_letter_target_arn: String,
    pub(super) max_receive_count: NumberOrText,
}

/// A redrive policy is JSON inside JSON, and clients write its number either way.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum NumberOrText {
    Number(u32),
    Text(String),
}

impl NumberOrText {
    pub(super) fn get(&self) -> Option<u32> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
        }
    }
}

impl MessageFields {
    pub(super) fn len(&self) -> usize {
        self.message_body.len()
    }

    pub(super) fn read(self) -> Result<NewMessage, SqsError> {
        let attributes = self
            .message_attributes
            .into_iter()
            .map(|(name, fields)| Ok((name, fields.read()?)))
            .collect::<Result<_, SqsError>>()?;
        let delay = self.delay_seconds.unwrap_or_default();
        Ok(NewMessage {
            body: self.message_body,
            attributes,
            delay: seconds("DelaySeconds", delay, 900)?,
        })
    }
}

impl AttributeFields {
    fn read(self) -> Result<MessageAttribute, SqsError> {
        let kind = self.data_type.split('.').next().unwrap_or_default();
        let binary = |text: String| STANDARD.decode(text).ok();
        let value = match (kind, self.string_value, self.binary_value) {
            ("String" | "Number", Some(text), None) => Some(AttributeValue::Text(text)),
            ("Binary", None, Some(text)) => binary(text).map(AttributeValue::Binary),
            _ => None,
        };
        value
            .map(|value| MessageAttribute {
                value,
                data_type: self.data_type.clone(),
            })
            .ok_or_else(|| {
                SqsError::InvalidParameterValue(format!(
                    "The message attribute of type {} must use the value field of its type.",
                    self.data_type
                ))
            })
    }
}

/// A number of seconds from 0 to `most`.
pub(super) fn seconds(name: &str, value: i64, most: i64) -> Result<SignedDuration, SqsError> {
    if (0..=most).contains(&value) {
        Ok(SignedDuration::from_secs(value))
    } else {
        Err(SqsError::InvalidParameterValue(format!(
            "Value {value} for parameter {name} is invalid. Reason: Must be >= 0 and <= {most}, \
             if provided."
        )))
    }
}
