//! How a queue is set up, as its attributes tell.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_sqs::types::QueueAttributeName as Attribute;
use serde_json::Value;

/// What a queue's attributes tell. A number that SQS does not tell is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueueAttributes {
    /// Its ARN.
    pub arn: Option<String>,
    /// Messages to be received now.
    pub waiting: Option<u64>,
    /// Messages that somebody has received.
    pub hidden: Option<u64>,
    /// How many seconds a message is kept.
    pub retention: Option<u64>,
    /// How many seconds a received one is hidden.
    pub visibility: Option<u64>,
    /// Where those go that were received too often, and how often that is.
    pub redrive: Option<(String, u64)>,
    /// The sources (`aws:SourceArn`) that its policy names.
    pub sources: BTreeSet<String>,
}

pub(super) fn read(attributes: &BTreeMap<Attribute, String>) -> QueueAttributes {
    let number = |name| attributes.get(&name)?.parse().ok();
    let json = |name| -> Option<Value> { serde_json::from_str(attributes.get(&name)?).ok() };
    let mut sources = BTreeSet::new();
    if let Some(policy) = json(Attribute::Policy) {
        add_sources(&policy, &mut sources);
    }
    QueueAttributes {
        arn: attributes.get(&Attribute::QueueArn).cloned(),
        waiting: number(Attribute::ApproximateNumberOfMessages),
        hidden: number(Attribute::ApproximateNumberOfMessagesNotVisible),
        retention: number(Attribute::MessageRetentionPeriod),
        visibility: number(Attribute::VisibilityTimeout),
        redrive: json(Attribute::RedrivePolicy).as_ref().and_then(redrive),
        sources,
    }
}

/// The count is a number, or a text with one: both are seen.
fn redrive(policy: &Value) -> Option<(String, u64)> {
    let arn = policy.get("deadLetterTargetArn")?.as_str()?;
    let most = policy.get("maxReceiveCount")?;
    let most = most.as_u64().or_else(|| most.as_str()?.parse().ok())?;
    Some((arn.to_owned(), most))
}

/// Wherever in the policy's conditions they stand.
fn add_sources(policy: &Value, into: &mut BTreeSet<String>) {
    match policy {
        Value::Object(fields) => {
            for (name, value) in fields {
                if name.eq_ignore_ascii_case("aws:SourceArn") {
                    let texts = value
                        .as_array()
                        .map_or(std::slice::from_ref(value), Vec::as_slice);
                    into.extend(texts.iter().filter_map(Value::as_str).map(str::to_owned));
                } else {
                    add_sources(value, into);
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| add_sources(value, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_read_and_what_is_damaged_counts_as_not_told() {
        let policy = r#"{"Statement":[{"Condition":{"ArnEquals":{"aws:SourceArn":["arn:b","arn:a"]}}},
            {"Condition":{"ArnLike":{"AWS:SourceArn":"arn:c"}}}]}"#;
        let all = BTreeMap::from([
            (Attribute::QueueArn, "arn:q".to_owned()),
            (Attribute::MessageRetentionPeriod, "345600".to_owned()),
            (Attribute::ApproximateNumberOfMessages, "many".to_owned()),
            (Attribute::Policy, policy.to_owned()),
            (
                Attribute::RedrivePolicy,
                r#"{"deadLetterTargetArn":"arn:dead","maxReceiveCount":"5"}"#.to_owned(),
            ),
        ]);
        let read = super::read(&all);
        assert_eq!(read.retention, Some(345_600));
        assert_eq!(read.waiting, None);
        assert_eq!(read.redrive, Some(("arn:dead".to_owned(), 5)));
        let sources: Vec<&str> = read.sources.iter().map(String::as_str).collect();
        assert_eq!(sources, ["arn:a", "arn:b", "arn:c"]);
    }
}
