//! The list of runs: pages of the index. The table itself is never scanned: for each run it holds
//! thousands of claims.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use jiff::Timestamp;
use reprise_model::ledger::RunKey;

use super::item::{self, DUE, ENDED, EXPIRES, Item, KEY, QUEUE, QUEUED};
use super::{DynamoStore, table};
use crate::contract::{DueKey, RunKeys, RunsWanted, StoreError};
use crate::time::Millis;

impl DynamoStore {
    pub(super) async fn list_runs(
        &self,
        wanted: &RunsWanted,
        limit: usize,
    ) -> Result<RunKeys, StoreError> {
        let mut found = RunKeys::default();
        let open = self.indexed(QUEUED);
        self.collect(open, wanted, limit, &mut found).await?;
        if !wanted.open_only && !found.more {
            let ended = self.ended(wanted.since);
            self.collect(ended, wanted, limit, &mut found).await?;
        }
        Ok(found)
    }

    /// Those in which nothing is to be done any more, the last first.
    fn ended(&self, since: Option<Timestamp>) -> QueryFluentBuilder {
        let query = self.indexed(ENDED).scan_index_forward(false);
        match since {
            Some(since) => query
                .key_condition_expression(format!("#{QUEUE} = :queue AND #{DUE} >= :since"))
                .expression_attribute_names(format!("#{DUE}"), DUE)
                .expression_attribute_values(":since", item::number(Millis::passed(since).0)),
            None => query,
        }
    }

    fn indexed(&self, queue: &str) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table.name)
            .index_name(table::INDEX)
            .key_condition_expression(format!("#{QUEUE} = :queue"))
            .filter_expression(format!("#{EXPIRES} > :now"))
            .expression_attribute_names(format!("#{QUEUE}"), QUEUE)
            .expression_attribute_names(format!("#{EXPIRES}"), EXPIRES)
            .expression_attribute_values(":queue", item::text(queue))
            .expression_attribute_values(":now", item::number(self.now().0))
    }

    /// Pages of a megabyte: some ten thousand entries, for 128 read units.
    async fn collect(
        &self,
        query: QueryFluentBuilder,
        wanted: &RunsWanted,
        limit: usize,
        found: &mut RunKeys,
    ) -> Result<(), StoreError> {
        let mut from = None;
        loop {
            let page = query.clone().set_exclusive_start_key(from).send().await;
            let page = page.map_err(|error| self.table.failed("list runs", &error))?;
            for key in page.items().iter().filter_map(|entry| run(entry, wanted)) {
                if found.keys.len() >= limit {
                    found.more = true;
                    return Ok(());
                }
                found.keys.push(key);
            }
            from = page.last_evaluated_key;
            if from.is_none() {
                return Ok(());
            }
        }
    }
}

/// The run of an entry, where it is one that is wanted.
fn run(entry: &Item, wanted: &RunsWanted) -> Option<RunKey> {
    match item::due_key(item::text_of(entry, KEY)?)? {
        DueKey::Run(key) => {
            let repository = wanted.repository.as_ref();
            let is_wanted = repository.is_none_or(|one| *one == key.repository);
            is_wanted.then_some(key)
        }
        DueKey::Instance(_) | DueKey::Claim(_) | DueKey::Check(_) => None,
    }
}
