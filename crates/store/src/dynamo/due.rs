//! What is due: pages of the index, from the longest due on.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use tracing::error;

use super::item::{self, DUE, EXPIRES, Item, KEY, QUEUE};
use super::{DynamoStore, table};
use crate::contract::{DueKey, StoreError};
use crate::time::Millis;

/// A page holds this many entries of some hundred bytes each: about 25 read units.
const PAGE: usize = 1_000;

/// The next one, and some that have expired and are still in the index.
const NEXT_PAGE: usize = 5;

impl DynamoStore {
    pub(super) async fn list_due(
        &self,
        now: Millis,
        limit: usize,
    ) -> Result<Vec<DueKey>, StoreError> {
        let mut keys = Vec::new();
        let mut from = None;
        while keys.len() < limit {
            let left = limit - keys.len();
            let query = self.entries("<=", now, left.min(PAGE));
            let page = query.set_exclusive_start_key(from).send().await;
            let page = page.map_err(|error| self.table.failed("read what is due", &error))?;
            keys.extend(page.items().iter().filter_map(due_key));
            from = page.last_evaluated_key;
            if from.is_none() {
                break;
            }
        }
        Ok(keys)
    }

    pub(super) async fn first_due_after(
        &self,
        after: Millis,
    ) -> Result<Option<Millis>, StoreError> {
        let mut from = None;
        loop {
            let query = self.entries(">", after, NEXT_PAGE);
            let page = query.set_exclusive_start_key(from).send().await;
            let page = page.map_err(|error| {
                self.table
                    .failed("read when the next record is due", &error)
            })?;
            let mut times = page.items().iter();
            let first = times.find_map(|entry| item::number_of(entry, DUE));
            from = page.last_evaluated_key;
            if first.is_some() || from.is_none() {
                return Ok(first.map(Millis));
            }
        }
    }

    /// The entries whose due time compares so, in its order, without those that have expired.
    fn entries(&self, compares: &str, time: Millis, limit: usize) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table.name)
            .index_name(table::INDEX)
            .key_condition_expression(format!("#{QUEUE} = :queue AND #{DUE} {compares} :time"))
            .filter_expression(format!("#{EXPIRES} > :now"))
            .expression_attribute_names(format!("#{QUEUE}"), QUEUE)
            .expression_attribute_names(format!("#{DUE}"), DUE)
            .expression_attribute_names(format!("#{EXPIRES}"), EXPIRES)
            .expression_attribute_values(":queue", item::text(item::QUEUED))
            .expression_attribute_values(":time", item::number(time.0))
            .expression_attribute_values(":now", item::number(self.now().0))
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
    }
}

/// An entry that was damaged by hand is reported and passed over: it must not hold up everything
/// else that is due.
fn due_key(entry: &Item) -> Option<DueKey> {
    let key = item::text_of(entry, KEY).unwrap_or_default();
    let due = item::due_key(key);
    if due.is_none() {
        error!(
            record.key = key,
            "a due record has a key that cannot be read and is passed over"
        );
    }
    due
}
