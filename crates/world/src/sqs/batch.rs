//! The batches: every entry succeeds or fails by itself.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::error::SqsError;
use super::message::{attributes_digest, body_digest};
use super::requests::{Batch, ChangeEntry, DeleteEntry, MessageFields, SendEntry, seconds};
use super::state::{LONGEST_MESSAGE, Sqs};
use super::wire::{LONGEST_VISIBILITY_SECONDS, queue_name};

/// SQS's limit of entries.
const MOST_ENTRIES: usize = 10;

impl Sqs {
    pub(super) fn send_batch(
        &mut self,
        now: Timestamp,
        batch: Batch<SendEntry>,
    ) -> Result<Value, SqsError> {
        let queue = queue_name(&batch.queue_url).to_owned();
        self.settings(&queue)?;
        check(batch.entries.iter().map(|entry| &entry.id))?;
        let bytes = batch.entries.iter().map(|entry| entry.message.len()).sum();
        if bytes > LONGEST_MESSAGE {
            return Err(SqsError::BatchRequestTooLong(bytes));
        }
        Ok(answer(batch.entries.into_iter().map(|entry| {
            let sent = self.send_one(now, &queue, entry.message);
            (entry.id, sent)
        })))
    }

    /// Sends one message; its id and digests for the answer.
    pub(super) fn send_one(
        &mut self,
        now: Timestamp,
        queue: &str,
        fields: MessageFields,
    ) -> Result<Map<String, Value>, SqsError> {
        let message = fields.read()?;
        let body = body_digest(&message.body);
        let attributes = attributes_digest(&message.attributes);
        let id = self.send(now, queue, message)?;
        let mut sent = Map::new();
        sent.insert("MessageId".to_owned(), id.into());
        sent.insert("MD5OfMessageBody".to_owned(), body.into());
        if let Some(digest) = attributes {
            sent.insert("MD5OfMessageAttributes".to_owned(), digest.into());
        }
        Ok(sent)
    }

    pub(super) fn delete_batch(&mut self, batch: Batch<DeleteEntry>) -> Result<Value, SqsError> {
        let queue = queue_name(&batch.queue_url).to_owned();
        self.settings(&queue)?;
        check(batch.entries.iter().map(|entry| &entry.id))?;
        Ok(answer(batch.entries.into_iter().map(|entry| {
            let deleted = self.delete(&queue, &entry.receipt_handle);
            (entry.id, deleted.map(|_| Map::new()))
        })))
    }

    pub(super) fn change_batch(
        &mut self,
        now: Timestamp,
        batch: Batch<ChangeEntry>,
    ) -> Result<Value, SqsError> {
        let queue = queue_name(&batch.queue_url).to_owned();
        self.settings(&queue)?;
        check(batch.entries.iter().map(|entry| &entry.id))?;
        Ok(answer(batch.entries.into_iter().map(|entry| {
            let value = entry.visibility_timeout.unwrap_or_default();
            let changed = seconds("VisibilityTimeout", value, LONGEST_VISIBILITY_SECONDS).and_then(
                |timeout| self.change_visibility(now, &queue, &entry.receipt_handle, timeout),
            );
            (entry.id, changed.map(|()| Map::new()))
        })))
    }
}

fn check<'a>(ids: impl ExactSizeIterator<Item = &'a String>) -> Result<(), SqsError> {
    if ids.len() == 0 {
        return Err(SqsError::EmptyBatchRequest);
    }
    if ids.len() > MOST_ENTRIES {
        return Err(SqsError::TooManyEntriesInBatchRequest(ids.len()));
    }
    let mut seen = BTreeSet::new();
    for id in ids {
        if !seen.insert(id) {
            return Err(SqsError::BatchEntryIdsNotDistinct(id.clone()));
        }
    }
    Ok(())
}

/// An empty list is left out, as the service does.
fn answer(outcomes: impl Iterator<Item = (String, Result<Map<String, Value>, SqsError>)>) -> Value {
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for (id, outcome) in outcomes {
        match outcome {
            Ok(mut fields) => {
                fields.insert("Id".to_owned(), id.into());
                successful.push(Value::Object(fields));
            }
            Err(error) => failed.push(json!({
                "Id": id,
                "SenderFault": error.is_senders_fault(),
                "Code": error.query_code(),
                "Message": error.to_string(),
            })),
        }
    }
    let mut answer = Map::new();
    for (name, list) in [("Successful", successful), ("Failed", failed)] {
        if !list.is_empty() {
            answer.insert(name.to_owned(), list.into());
        }
    }
    answer.into()
}
