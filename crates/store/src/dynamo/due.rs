//! What is due: pages of the index, from the longest due on.

use std::ops::ControlFlow;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use tracing::error;

use super::item::{self, DUE, EXPIRES, Item, KEY, QUEUE};
use super::{DynamoStore, table};
use crate::contract::{DueKey, DueList, StoreError};
use crate::time::Millis;

/// The first page holds this many entries of some hundred bytes each: with 4 KB it costs as little as
/// any, and mostly tells all.
const FIRST_PAGE: usize = 20;

/// Another one holds this many: about 25 read units.
const PAGE: usize = 1_000;

impl DynamoStore {
    /// In one look: the index is read on past what is due, to the first entry that is not.
    pub(super) async fn list_due(&self, now: Millis, limit: usize) -> Result<DueList, StoreError> {
        let mut list = DueList::default();
        let (mut from, mut most) = (None, FIRST_PAGE);
        loop {
            let left = limit.saturating_sub(list.keys.len()).saturating_add(1);
            let query = self.entries(left.min(most));
            let page = query.set_exclusive_start_key(from).send().await;
            let page = page.map_err(|error| self.table.failed("read what is due", &error))?;
            let told = fill(&mut list, page.items(), now, limit);
            from = page.last_evaluated_key;
            if told.is_break() || from.is_none() {
                return Ok(list);
            }
            most = PAGE;
        }
    }

    /// The entries in the order of their due times, without those that have expired.
    fn entries(&self, limit: usize) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table.name)
            .index_name(table::INDEX)
            .key_condition_expression(format!("#{QUEUE} = :queue"))
            .filter_expression(format!("#{EXPIRES} > :now"))
            .expression_attribute_names(format!("#{QUEUE}"), QUEUE)
            .expression_attribute_names(format!("#{EXPIRES}"), EXPIRES)
            .expression_attribute_values(":queue", item::text(item::QUEUED))
            .expression_attribute_values(":now", item::number(self.now().0))
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
    }
}

/// Takes the entries of a page into the list. It breaks off where nothing that follows belongs there.
fn fill(list: &mut DueList, entries: &[Item], now: Millis, limit: usize) -> ControlFlow<()> {
    for (key, due) in entries.iter().filter_map(entry) {
        if due > now {
            list.next = Some(due.timestamp());
            return ControlFlow::Break(());
        }
        if list.keys.len() >= limit {
            return ControlFlow::Break(());
        }
        list.push(key, due.timestamp());
    }
    ControlFlow::Continue(())
}

/// An entry that was damaged by hand is reported and passed over: it must not hold up everything
/// else that is due.
fn entry(entry: &Item) -> Option<(DueKey, Millis)> {
    let key = item::text_of(entry, KEY).unwrap_or_default();
    let found = item::due_key(key).zip(item::number_of(entry, DUE).map(Millis));
    if found.is_none() {
        error!(
            record.key = key,
            "a record in the index of due work has a key or a time that cannot be read and is passed over"
        );
    }
    found
}
