//! The JSON protocol: `X-Amz-Target` names the action, the body holds its parameters.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::error::SqsError;
use super::poll::Polled;
use super::queue::{DeadLetter, QueueSettings};
use super::requests::{
    ChangeVisibility, CreateQueue, DeleteMessage, GetAttributes, GetUrl, RedrivePolicy,
    SendMessage, seconds,
};
use super::state::{LONGEST_MESSAGE, Sqs};
use crate::aws_auth::{Unsigned, signer};

/// SQS's limit of a visibility timeout.
pub(super) const LONGEST_VISIBILITY_SECONDS: i64 = 43_200;

/// The answer to a request, or when to ask for it again.
#[derive(Debug)]
pub enum SqsReply {
    /// The answer.
    Ready(http::Response<Vec<u8>>),
    /// A long poll without messages: ask again (with [`Sqs::handle_again`]) when something was
    /// sent or changed, and at this time at the latest.
    WaitUntil(Timestamp),
}

impl Sqs {
    /// Answers one HTTP request of an AWS SDK.
    pub fn handle(&mut self, now: Timestamp, request: &http::Request<Vec<u8>>) -> SqsReply {
        self.reply(now, now, request, true)
    }

    /// Asks again for a long poll that began at `asked_at`.
    pub fn handle_again(
        &mut self,
        now: Timestamp,
        asked_at: Timestamp,
        request: &http::Request<Vec<u8>>,
    ) -> SqsReply {
        self.reply(now, asked_at, request, false)
    }

    fn reply(
        &mut self,
        now: Timestamp,
        asked_at: Timestamp,
        request: &http::Request<Vec<u8>>,
        first_time: bool,
    ) -> SqsReply {
        let polled = self
            .authenticate(request)
            .and_then(|()| action_of(request))
            .and_then(|action| {
                if first_time {
                    self.admit(&action)?;
                }
                self.perform(now, asked_at, &action, request)
            });
        let request_id = self.message_id();
        match polled {
            Ok(Polled::AskAgainAt(at)) => SqsReply::WaitUntil(at),
            Ok(Polled::Answer(answer)) => SqsReply::Ready(respond(200, &answer, None, &request_id)),
            Err(error) => SqsReply::Ready(refuse(&error, &request_id)),
        }
    }

    fn authenticate(&self, request: &http::Request<Vec<u8>>) -> Result<(), SqsError> {
        let signer = signer(request).map_err(|unsigned| match unsigned {
            Unsigned::Missing => SqsError::MissingAuthenticationToken,
            Unsigned::Malformed => SqsError::IncompleteSignature,
        })?;
        if signer.service == "sqs" && signer.region == self.region.as_str() {
            Ok(())
        } else {
            Err(SqsError::IncompleteSignature)
        }
    }

    fn admit(&mut self, action: &str) -> Result<(), SqsError> {
        *self.request_counts.entry(action.to_owned()).or_default() += 1;
        let fault = self.faults.get_mut(action).and_then(VecDeque::pop_front);
        fault.map_or(Ok(()), Err)
    }

    fn perform(
        &mut self,
        now: Timestamp,
        asked_at: Timestamp,
        action: &str,
        request: &http::Request<Vec<u8>>,
    ) -> Result<Polled, SqsError> {
        let body = request.body();
        let answer = match action {
            "ReceiveMessage" => return self.poll(now, asked_at, &read(body)?),
            "SendMessage" => {
                let SendMessage { queue_url, message } = read(body)?;
                self.send_one(now, queue_name(&queue_url), message)?.into()
            }
            "SendMessageBatch" => self.send_batch(now, read(body)?)?,
            "DeleteMessage" => {
                let asked: DeleteMessage = read(body)?;
                self.delete(queue_name(&asked.queue_url), &asked.receipt_handle)?;
                json!({})
            }
            "DeleteMessageBatch" => self.delete_batch(read(body)?)?,
            "ChangeMessageVisibility" => self.change_one(now, &read(body)?)?,
            "ChangeMessageVisibilityBatch" => self.change_batch(now, read(body)?)?,
            "GetQueueAttributes" => self.attributes(now, &read(body)?)?,
            "GetQueueUrl" => {
                let GetUrl { queue_name } = read(body)?;
                self.settings(&queue_name)?;
                self.url_answer(request, &queue_name)
            }
            "CreateQueue" => self.create(request, &read(body)?)?,
            other => return Err(SqsError::UnknownOperation(other.to_owned())),
        };
        Ok(Polled::Answer(answer))
    }

    fn change_one(&mut self, now: Timestamp, asked: &ChangeVisibility) -> Result<Value, SqsError> {
        let timeout = seconds(
            "VisibilityTimeout",
            asked.visibility_timeout,
            LONGEST_VISIBILITY_SECONDS,
        )?;
        let queue = queue_name(&asked.queue_url);
        self.change_visibility(now, queue, &asked.receipt_handle, timeout)?;
        Ok(json!({}))
    }

    fn create(
        &mut self,
        request: &http::Request<Vec<u8>>,
        asked: &CreateQueue,
    ) -> Result<Value, SqsError> {
        let settings = read_settings(&asked.attributes)?;
        match self.settings(&asked.queue_name) {
            Ok(present) if *present != settings => return Err(SqsError::QueueNameExists),
            Ok(_) | Err(_) => self.create_queue(asked.queue_name.clone(), settings),
        }
        Ok(self.url_answer(request, &asked.queue_name))
    }

    /// The URL under the host that the client itself used, so that it finds the way back.
    fn url_answer(&self, request: &http::Request<Vec<u8>>, queue: &str) -> Value {
        let host = request
            .headers()
            .get(http::header::HOST)
            .and_then(|host| host.to_str().ok())
            .unwrap_or("localhost");
        json!({ "QueueUrl": format!("http://{host}/{}/{queue}", self.account) })
    }

    fn attributes(&mut self, now: Timestamp, asked: &GetAttributes) -> Result<Value, SqsError> {
        let name = queue_name(&asked.queue_url);
        let counts = self.counts(now, name)?;
        let settings = self.settings(name)?.clone();
        let arn = |queue: &str| format!("arn:aws:sqs:{}:{}:{queue}", self.region, self.account);
        let mut known: BTreeMap<&str, String> = BTreeMap::from([
            ("ApproximateNumberOfMessages", counts.visible.to_string()),
            (
                "ApproximateNumberOfMessagesDelayed",
                counts.delayed.to_string(),
            ),
            (
                "ApproximateNumberOfMessagesNotVisible",
                counts.in_flight.to_string(),
            ),
            ("DelaySeconds", "0".to_owned()),
            ("MaximumMessageSize", LONGEST_MESSAGE.to_string()),
            (
                "MessageRetentionPeriod",
                settings.retention.as_secs().to_string(),
            ),
            ("QueueArn", arn(name)),
            ("ReceiveMessageWaitTimeSeconds", "0".to_owned()),
            (
                "VisibilityTimeout",
                settings.visibility_timeout.as_secs().to_string(),
            ),
        ]);
        if let Some(DeadLetter {
            queue,
            max_receive_count,
        }) = &settings.dead_letter
        {
            let policy = json!({
                "deadLetterTargetArn": arn(queue),
                "maxReceiveCount": max_receive_count,
            });
            known.insert("RedrivePolicy", policy.to_string());
        }
        if let Some(policy) = settings.policy {
            known.insert("Policy", policy);
        }
        let all = asked.attribute_names.iter().any(|name| name == "All");
        let attributes: Map<String, Value> = known
            .into_iter()
            .filter(|(name, _)| all || asked.attribute_names.iter().any(|one| one == name))
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        Ok(json!({ "Attributes": attributes }))
    }
}

/// The last part of a queue's URL.
pub(super) fn queue_name(url: &str) -> &str {
    url.trim_end_matches('/').rsplit('/').next().unwrap_or(url)
}

fn action_of(request: &http::Request<Vec<u8>>) -> Result<String, SqsError> {
    let target = request.headers().get("x-amz-target");
    let target = target
        .and_then(|target| target.to_str().ok())
        .unwrap_or_default();
    target
        .strip_prefix("AmazonSQS.")
        .map(str::to_owned)
        .ok_or_else(|| SqsError::UnknownOperation(target.to_owned()))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, SqsError> {
    serde_json::from_slice(body).map_err(|error| {
        SqsError::MissingParameter(format!("The request must contain what it needs: {error}"))
    })
}

fn read_settings(attributes: &BTreeMap<String, String>) -> Result<QueueSettings, SqsError> {
    let mut settings = QueueSettings::default();
    for (name, value) in attributes {
        match name.as_str() {
            "VisibilityTimeout" => {
                settings.visibility_timeout = duration(name, value, LONGEST_VISIBILITY_SECONDS)?;
            }
            "MessageRetentionPeriod" => {
                settings.retention = duration(name, value, 14 * 24 * 3600)?;
            }
            "RedrivePolicy" => settings.dead_letter = Some(read_redrive(value)?),
            _ => return Err(SqsError::InvalidAttributeName(name.clone())),
        }
    }
    Ok(settings)
}

fn duration(name: &str, text: &str, most: i64) -> Result<SignedDuration, SqsError> {
    let invalid = || SqsError::InvalidParameterValue(format!("Invalid value for {name}."));
    seconds(name, text.parse().map_err(|_| invalid())?, most)
}

fn read_redrive(text: &str) -> Result<DeadLetter, SqsError> {
    let policy: Option<RedrivePolicy> = serde_json::from_str(text).ok();
    policy
        .and_then(|policy| {
            Some(DeadLetter {
                queue: policy.dead_letter_target_arn.rsplit(':').next()?.to_owned(),
                max_receive_count: policy.max_receive_count.get()?,
            })
        })
        .ok_or_else(|| {
            SqsError::InvalidParameterValue(format!(
                "Value {text} for parameter RedrivePolicy is invalid."
            ))
        })
}

fn refuse(error: &SqsError, request_id: &str) -> http::Response<Vec<u8>> {
    let blame = if error.is_senders_fault() {
        "Sender"
    } else {
        "Receiver"
    };
    let code = format!("{};{blame}", error.query_code());
    let body = json!({ "__type": error.shape(), "message": error.to_string() });
    respond(error.status(), &body, Some(&code), request_id)
}

fn respond(
    status: u16,
    body: &Value,
    query_error: Option<&str>,
    request_id: &str,
) -> http::Response<Vec<u8>> {
    let mut response = http::Response::new(body.to_string().into_bytes());
    *response.status_mut() =
        http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let texts = [
        ("content-type", Some("application/x-amz-json-1.0")),
        ("x-amzn-requestid", Some(request_id)),
        ("x-amzn-query-error", query_error),
    ];
    for (name, text) in texts {
        if let Some(value) = text.and_then(|text| http::HeaderValue::from_str(text).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
