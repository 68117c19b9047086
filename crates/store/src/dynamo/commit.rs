//! Commits: one conditional update, or several in a transaction.

use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{CancellationReason, TransactWriteItem};

use super::{DynamoStore, item};
use crate::contract::StoreError;
use crate::record::Write;

const OPERATION: &str = "commit a change";

/// How a transaction says that a condition did not hold.
pub(super) const CONDITION_FAILED: &str = "ConditionalCheckFailed";

impl DynamoStore {
    pub(super) async fn commit_one(&self, write: &Write) -> Result<(), StoreError> {
        let mark = self.mark();
        let update = item::update(&self.table.name, write, self.now(), &mark)
            .map_err(|error| self.table.unbuilt(OPERATION, error))?;
        let sent = self
            .client
            .update_item()
            .table_name(update.table_name)
            .set_key(Some(update.key))
            .update_expression(update.update_expression)
            .set_condition_expression(update.condition_expression)
            .set_expression_attribute_names(update.expression_attribute_names)
            .set_expression_attribute_values(update.expression_attribute_values)
            .set_return_values_on_condition_check_failure(
                update.return_values_on_condition_check_failure,
            )
            .send()
            .await;
        let Err(error) = sent else {
            return Ok(());
        };
        match error.as_service_error() {
            Some(failed) if is_done(failed, &mark) => Ok(()),
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => {
                let key = write.key.to_string();
                Err(StoreError::Conflict { key })
            }
            _ => Err(self.table.failed(OPERATION, &error)),
        }
    }

    pub(super) async fn commit_together(&self, writes: &[Write]) -> Result<(), StoreError> {
        let items = writes
            .iter()
            .map(|write| self.transact_item(write))
            .collect::<Result<Vec<_>, _>>()?;
        // The SDK draws a client token for the call and sends it again with each repetition.
        let sent = self
            .client
            .transact_write_items()
            .set_transact_items(Some(items))
            .send()
            .await;
        let Err(error) = sent else {
            return Ok(());
        };
        let refused = error.as_service_error().and_then(|error| {
            let mut reasons = reasons(error);
            reasons.position(|reason| reason.code() == Some(CONDITION_FAILED))
        });
        match refused.and_then(|place| writes.get(place)) {
            Some(write) => {
                let key = write.key.to_string();
                Err(StoreError::Conflict { key })
            }
            None => Err(self.table.failed(OPERATION, &error)),
        }
    }

    fn transact_item(&self, write: &Write) -> Result<TransactWriteItem, StoreError> {
        let update = item::update(&self.table.name, write, self.now(), &self.mark())
            .map_err(|error| self.table.unbuilt(OPERATION, error))?;
        Ok(TransactWriteItem::builder().update(update).build())
    }
}

/// Why DynamoDB cancelled a transaction, in the order of its items.
pub(super) fn reasons(
    error: &TransactWriteItemsError,
) -> impl Iterator<Item = &CancellationReason> {
    let reasons = if let TransactWriteItemsError::TransactionCanceledException(cancelled) = error {
        cancelled.cancellation_reasons()
    } else {
        &[]
    };
    reasons.iter()
}

/// The condition failed because this very write was done before, and its answer was lost.
fn is_done(error: &UpdateItemError, mark: &str) -> bool {
    let UpdateItemError::ConditionalCheckFailedException(failed) = error else {
        return false;
    };
    failed
        .item()
        .is_some_and(|found| item::mark(found) == Some(mark))
}
