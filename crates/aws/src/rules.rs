//! EventBridge: which rules send to a queue, and whether they do.

use std::collections::BTreeMap;

use http::Method;
use reprise_model::ids::Region;
use serde_json::{Value, json};

use crate::error::CallError;
use crate::signed::{Asked, Service};

/// More rules than anybody has send to one queue: an answer that never ends is left here.
const MOST_PAGES: usize = 100;

/// A rule as EventBridge describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRule {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Whether it is switched on.
    pub enabled: bool,
    /// What it lets through; `None` for a rule without a pattern, which is one by the clock.
    pub pattern: Option<Pattern>,
}

/// What an event must be like: for each of its fields the values that are let through. `None` in their place is
/// a condition that is no plain text, as `{"prefix": "aws."}`
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html>).
pub type Pattern = BTreeMap<String, Vec<Option<String>>>;

/// What is being done, for an error.
const LIST: &str = "list the rules of a queue";

/// EventBridge in a region.
#[derive(Debug)]
pub struct EventRules(Service);

impl EventRules {
    /// Prepares it; nobody is asked yet.
    pub async fn connect(region: &Region) -> Result<Self, CallError> {
        Ok(Self(Service::connect("events", region, None).await?))
    }

    /// The rules of the default bus whose target is this queue. Needs `events:ListRuleNamesByTarget` and
    /// `events:DescribeRule`.
    pub async fn sending_to(&self, queue_arn: &str) -> Result<Vec<EventRule>, CallError> {
        let mut rules = Vec::new();
        let mut after = None;
        for _ in 0..MOST_PAGES {
            let body = page_of(queue_arn, after.as_deref());
            let target = "AWSEvents.ListRuleNamesByTarget";
            let named = self.ask(LIST, target, &body).await?;
            let names = named.get("RuleNames").and_then(Value::as_array);
            for name in names.into_iter().flatten().filter_map(Value::as_str) {
                rules.push(self.rule(name).await?);
            }
            after = next_page(&named);
            if after.is_none() {
                return Ok(rules);
            }
        }
        let words = format!("the list does not end after {MOST_PAGES} pages");
        Err(CallError::unclear(LIST, words))
    }

    async fn rule(&self, name: &str) -> Result<EventRule, CallError> {
        let body = json!({ "Name": name });
        let target = "AWSEvents.DescribeRule";
        let rule = self.ask("describe a rule", target, &body).await?;
        let text = |key| rule.get(key).and_then(Value::as_str).unwrap_or_default();
        Ok(EventRule {
            name: name.to_owned(),
            arn: text("Arn").to_owned(),
            enabled: text("State").starts_with("ENABLED"),
            pattern: pattern(text("EventPattern")),
        })
    }

    async fn ask(
        &self,
        operation: &str,
        target: &'static str,
        body: &Value,
    ) -> Result<Value, CallError> {
        let asked = Asked {
            operation,
            method: Method::POST,
            path: "/",
            target: Some(target),
            body: Some(body),
        };
        self.0.ask(asked).await
    }
}

fn page_of(queue_arn: &str, after: Option<&str>) -> Value {
    match after {
        None => json!({ "TargetArn": queue_arn }),
        Some(after) => json!({ "TargetArn": queue_arn, "NextToken": after }),
    }
}

fn next_page(answer: &Value) -> Option<String> {
    let token = answer.get("NextToken")?.as_str()?;
    (!token.is_empty()).then(|| token.to_owned())
}

fn pattern(text: &str) -> Option<Pattern> {
    let Ok(Value::Object(fields)) = serde_json::from_str(text) else {
        return None;
    };
    let plain = |value: &Value| value.as_str().map(str::to_owned);
    let values = |value: &Value| match value.as_array() {
        Some(all) => all.iter().map(plain).collect(),
        None => vec![None],
    };
    let read = |(name, value): (&String, &Value)| (name.clone(), values(value));
    Some(fields.iter().map(read).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_read_by_its_fields_and_what_is_no_plain_text_stands_for_itself() {
        let text = r#"{"source":["aws.ec2",{"prefix":"aws."}],"detail":{"state":["running"]}}"#;
        let expected = Pattern::from([
            ("source".to_owned(), vec![Some("aws.ec2".to_owned()), None]),
            ("detail".to_owned(), vec![None]),
        ]);
        assert_eq!(pattern(text), Some(expected));
        for none in ["", "[]", "{", "null"] {
            assert_eq!(pattern(none), None, "{none}");
        }
    }

    #[test]
    fn a_further_page_is_asked_for_where_the_answer_names_one() {
        let page = page_of("arn:q", Some("two"));
        assert_eq!(page, json!({ "TargetArn": "arn:q", "NextToken": "two" }));
        assert_eq!(page_of("arn:q", None), json!({ "TargetArn": "arn:q" }));
        let after = |answer: Value| next_page(&answer);
        assert_eq!(after(json!({ "NextToken": "two" })).as_deref(), Some("two"));
        assert_eq!(after(json!({ "NextToken": "" })), None);
        assert_eq!(after(json!({ "NextToken": null })), None);
        assert_eq!(after(json!({})), None);
    }
}
