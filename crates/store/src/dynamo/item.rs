//! Records as items: the names of the attributes, and the way there and back.

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ReturnValuesOnConditionCheckFailure, Update, builders::UpdateBuilder,
};
use reprise_model::ids::{JobId, RunId};
use reprise_model::ledger::{ClaimKey, RunKey};
use serde::de::Error as _;

use crate::contract::{DueKey, Expect, StoreError, Version, Versioned};
use crate::format::{self, FORMAT as NEWEST};
use crate::record::{self, Kind, Record, RecordKey, Write};
use crate::time::{Millis, Seconds};

pub(super) const KEY: &str = "pk";
pub(super) const EXPIRES: &str = "ttl";
pub(super) const QUEUE: &str = "q";
pub(super) const DUE: &str = "due";

/// What stands in [`QUEUE`] while something is to be done.
pub(super) const QUEUED: &str = "due";

/// What stands there for a run in which nothing is to be done any more; [`DUE`] tells since when.
pub(super) const ENDED: &str = "ended";

const VERSION: &str = "v";
const FORMAT: &str = "fmt";
const BODY: &str = "body";
const MARK: &str = "by";
const STATE: &str = "state";
const REPOSITORY: &str = "repo";
const RUN: &str = "run";
const JOB: &str = "job";
const INSTANCE: &str = "instance";

/// An item as the SDK hands it out.
#[expect(
    clippy::disallowed_types,
    reason = "the SDK's own type; it is only ever asked for one attribute"
)]
pub(super) type Item = std::collections::HashMap<String, AttributeValue>;

pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(super) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(super) fn key(key: &RecordKey) -> AttributeValue {
    text(format!("{}/{}", key.kind().as_str(), key.text()))
}

/// Which write the item came of.
pub(super) fn mark(item: &Item) -> Option<&str> {
    text_of(item, MARK)
}

pub(super) fn text_of<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

pub(super) fn number_of<N: std::str::FromStr>(item: &Item, name: &str) -> Option<N> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

/// The write, on its condition. A record that has expired counts as absent, so a new one may take
/// its place; it takes the next version, so that nobody who has read the old one can overwrite it.
pub(super) fn update(
    table: &str,
    write: &Write,
    now: Seconds,
    mark: &str,
) -> Result<Update, BuildError> {
    let mut set = format!("SET #{VERSION} = if_not_exists(#{VERSION}, :zero) + :one");
    let mut remove = String::new();
    let mut update = Update::builder()
        .table_name(table)
        .key(KEY, key(&write.key))
        .expression_attribute_names(format!("#{VERSION}"), VERSION)
        .expression_attribute_values(":zero", number(0))
        .expression_attribute_values(":one", number(1))
        .expression_attribute_values(":now", number(now.0))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    for (name, value) in attributes(write, mark) {
        update = update.expression_attribute_names(format!("#{name}"), name);
        match value {
            Some(value) => {
                set.push_str(&format!(", #{name} = :{name}"));
                update = update.expression_attribute_values(format!(":{name}"), value);
            }
            None => {
                let comma = if remove.is_empty() { " REMOVE" } else { "," };
                remove.push_str(&format!("{comma} #{name}"));
            }
        }
    }
    on_condition(update, write.expect)
        .update_expression(set + &remove)
        .build()
}

fn on_condition(update: UpdateBuilder, expect: Expect) -> UpdateBuilder {
    match expect {
        Expect::Absent => update
            .condition_expression(format!(
                "attribute_not_exists(#{KEY}) OR #{EXPIRES} <= :now"
            ))
            .expression_attribute_names(format!("#{KEY}"), KEY),
        Expect::At(Version(version)) => update
            .condition_expression(format!("#{VERSION} = :expected AND #{EXPIRES} > :now"))
            .expression_attribute_values(":expected", number(version)),
    }
}

/// All attributes but key and version. What is `None` is removed.
fn attributes(write: &Write, mark: &str) -> [(&'static str, Option<AttributeValue>); 11] {
    let columns = &write.columns;
    let due = columns.due.map(|due| (QUEUED, due.at));
    let ended = columns.ended_at.map(|at| (ENDED, at));
    let indexed = due.or(ended);
    let time = indexed.map(|(_, at)| Millis::reached(at).0);
    let expires = Seconds::reached(write.expires_at).0;
    let repository = columns.repository.as_ref().map(ToString::to_string);
    let instance = columns.instance_id.as_ref().map(|id| id.as_str());
    [
        (FORMAT, Some(number(NEWEST))),
        (BODY, Some(text(write.body.as_str()))),
        (EXPIRES, Some(number(expires))),
        (MARK, Some(text(mark))),
        (STATE, Some(text(columns.state))),
        (QUEUE, indexed.map(|(queue, _)| text(queue))),
        (DUE, time.map(number)),
        (REPOSITORY, repository.map(text)),
        (RUN, columns.run_id.map(|id| number(id.0))),
        (JOB, columns.job_id.map(|id| number(id.0))),
        (INSTANCE, instance.map(text)),
    ]
}

/// The record in the item, unless it has expired.
pub(super) fn decode<R: Record>(
    key: &RecordKey,
    item: &Item,
    now: Seconds,
) -> Result<Option<Versioned<R>>, StoreError> {
    let expires: i64 = needed(key, EXPIRES, number_of(item, EXPIRES))?;
    if expires <= now.0 {
        return Ok(None);
    }
    let version = needed(key, VERSION, number_of(item, VERSION))?;
    let format = needed(key, FORMAT, number_of(item, FORMAT))?;
    let body = needed(key, BODY, text_of(item, BODY))?;
    Ok(Some(Versioned {
        record: format::decode(key, format, body.as_bytes())?,
        version: Version(version),
    }))
}

fn needed<T>(key: &RecordKey, name: &str, value: Option<T>) -> Result<T, StoreError> {
    value.ok_or_else(|| StoreError::Damaged {
        key: key.to_string(),
        source: serde_json::Error::custom(format!("its attribute {name} is missing or damaged")),
    })
}

/// The way back from [`key()`].
pub(super) fn due_key(key: &str) -> Option<DueKey> {
    let (kind, rest) = key.split_once('/')?;
    Some(match Kind::parse(kind)? {
        // They hold no work.
        Kind::Breakers | Kind::Budget => return None,
        Kind::Instance => DueKey::Instance(record::instance(rest)?),
        Kind::Run => DueKey::Run(run_key(rest)?),
        Kind::Check => DueKey::Check(run_key(rest)?),
        Kind::Claim => {
            let (repository, id) = rest.rsplit_once('/')?;
            DueKey::Claim(ClaimKey {
                repository: repository.parse().ok()?,
                job_id: JobId(id.parse().ok()?),
            })
        }
    })
}

fn run_key(text: &str) -> Option<RunKey> {
    let (repository, id) = text.rsplit_once('/')?;
    Some(RunKey {
        repository: repository.parse().ok()?,
        run_id: RunId(id.parse().ok()?),
    })
}
