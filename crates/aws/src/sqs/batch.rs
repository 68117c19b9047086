//! DeleteMessageBatch and ChangeMessageVisibilityBatch: one call, each entry with a fate of its own.
//!
//! SQS answers entries in any order and may fail some, so that an answer is found by the id that
//! its entry was sent with, never by position.

use std::collections::BTreeMap;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::BuildError;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
};

use super::Receipt;
use crate::error::{CallError, SqsError};

pub(super) const DELETE: &str = "delete a message";
pub(super) const EXTEND: &str = "change a message's visibility";

/// A receipt and its new visibility in seconds.
pub(super) type Change = (Receipt, i32);

type Answers<K> = BTreeMap<K, Result<(), SqsError>>;

/// Deletes up to ten messages.
pub(super) async fn delete(
    client: Client,
    url: String,
    receipts: Vec<Receipt>,
) -> Answers<Receipt> {
    let call = async {
        let answer = client
            .delete_message_batch()
            .queue_url(url)
            .set_entries(Some(entries(DELETE, &receipts, deletion)?))
            .send()
            .await
            .map_err(|error| CallError::from_sdk(DELETE, &error))?;
        let done = answer.successful.into_iter().map(|entry| entry.id);
        Ok((done.collect(), answer.failed))
    };
    route(DELETE, call.await, receipts)
}

/// Changes the visibility of up to ten messages.
pub(super) async fn extend(client: Client, url: String, changes: Vec<Change>) -> Answers<Change> {
    let call = async {
        let answer = client
            .change_message_visibility_batch()
            .queue_url(url)
            .set_entries(Some(entries(EXTEND, &changes, extension)?))
            .send()
            .await
            .map_err(|error| CallError::from_sdk(EXTEND, &error))?;
        let done = answer.successful.into_iter().map(|entry| entry.id);
        Ok((done.collect(), answer.failed))
    };
    route(EXTEND, call.await, changes)
}

fn deletion(id: String, receipt: &Receipt) -> Result<DeleteMessageBatchRequestEntry, BuildError> {
    DeleteMessageBatchRequestEntry::builder()
        .id(id)
        .receipt_handle(receipt.as_str())
        .build()
}

fn extension(
    id: String,
    (receipt, seconds): &Change,
) -> Result<ChangeMessageVisibilityBatchRequestEntry, BuildError> {
    ChangeMessageVisibilityBatchRequestEntry::builder()
        .id(id)
        .receipt_handle(receipt.as_str())
        .visibility_timeout(*seconds)
        .build()
}

/// An entry's name within its call. A receipt would not do: SQS allows 80 characters.
fn entry_id(at: usize) -> String {
    format!("entry-{at}")
}

fn entries<K, E>(
    operation: &str,
    keys: &[K],
    entry: impl Fn(String, &K) -> Result<E, BuildError>,
) -> Result<Vec<E>, SqsError> {
    let named = keys.iter().enumerate();
    named
        .map(|(at, key)| entry(entry_id(at), key))
        .collect::<Result<_, _>>()
        .map_err(|error| CallError::unbuilt(operation, &error))
}

/// The ids of the entries that succeeded, and the failed ones.
type Outcome = (Vec<String>, Vec<BatchResultErrorEntry>);

/// Finds each key's answer by its entry's id; an error of the whole call is everybody's.
fn route<K: Ord>(operation: &str, outcome: Result<Outcome, SqsError>, keys: Vec<K>) -> Answers<K> {
    let mut answers = outcome.map(|outcome| by_entry(operation, outcome));
    let keys = keys.into_iter().enumerate();
    keys.map(|(at, key)| {
        let answer = match &mut answers {
            Ok(answers) => answers
                .remove(&entry_id(at))
                .unwrap_or_else(|| Err(CallError::unanswered(operation))),
            Err(error) => Err(error.clone()),
        };
        (key, answer)
    })
    .collect()
}

fn by_entry(operation: &str, (done, failed): Outcome) -> Answers<String> {
    let done = done.into_iter().map(|id| (id, Ok(())));
    let failed = failed.into_iter().map(|entry| {
        let fault = entry.sender_fault();
        let error = CallError::of_entry(operation, entry.code(), entry.message(), fault);
        (entry.id, Err(error))
    });
    done.chain(failed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::FailureKind;

    fn receipts(handles: &[&str]) -> Vec<Receipt> {
        handles.iter().map(|handle| Receipt::new(*handle)).collect()
    }

    fn failure(id: &str, code: &str, sender_fault: bool) -> BatchResultErrorEntry {
        BatchResultErrorEntry::builder()
            .id(id)
            .code(code)
            .sender_fault(sender_fault)
            .build()
            .expect("complete")
    }

    #[test]
    fn a_partial_failure_reaches_the_right_caller_in_whatever_order_sqs_answers() {
        let done = vec!["entry-2".to_owned(), "entry-0".to_owned()];
        let failed = vec![failure("entry-1", "ReceiptHandleIsInvalid", true)];
        let answers = route(DELETE, Ok((done, failed)), receipts(&["a", "b", "c"]));
        let kinds: Vec<_> = answers
            .iter()
            .map(|(key, answer)| (key.as_str(), answer.as_ref().err().map(|error| error.kind)))
            .collect();
        assert_eq!(
            kinds,
            [("a", None), ("b", Some(FailureKind::Refused)), ("c", None)]
        );
    }

    #[test]
    fn a_failure_that_is_not_the_senders_is_unclear() {
        let failed = vec![failure("entry-0", "InternalError", false)];
        let answers = route(DELETE, Ok((vec![], failed)), receipts(&["a"]));
        let error = answers[&Receipt::new("a")].clone().expect_err("failed");
        assert_eq!(error.kind, FailureKind::Unclear);
    }

    #[test]
    fn an_entry_that_the_answer_leaves_out_is_unclear_and_not_done() {
        let answers = route(
            DELETE,
            Ok((vec!["entry-0".to_owned()], vec![])),
            receipts(&["a", "b"]),
        );
        assert_eq!(answers[&Receipt::new("a")], Ok(()));
        assert_eq!(
            answers[&Receipt::new("b")],
            Err(CallError::unanswered(DELETE))
        );
    }

    #[test]
    fn an_error_of_the_whole_call_is_everybodys() {
        let error = CallError::of_entry(DELETE, "QueueDoesNotExist", None, true);
        let answers = route(DELETE, Err(error.clone()), receipts(&["a", "b"]));
        assert!(answers.values().all(|answer| *answer == Err(error.clone())));
        assert_eq!(answers.len(), 2);
    }

    #[test]
    fn each_entry_is_sent_under_the_id_by_which_its_answer_is_found() {
        let changes = [(Receipt::new("a"), 30), (Receipt::new("a"), 0)];
        let sent = entries(EXTEND, &changes, extension).expect("complete");
        let sent: Vec<_> = sent
            .iter()
            .map(|entry| {
                (
                    entry.id(),
                    entry.receipt_handle(),
                    entry.visibility_timeout(),
                )
            })
            .collect();
        assert_eq!(
            sent,
            [("entry-0", "a", Some(30)), ("entry-1", "a", Some(0))]
        );
    }
}
