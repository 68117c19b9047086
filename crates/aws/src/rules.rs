//! EventBridge: which rules send to a queue, and whether they do.

use http::Method;
use reprise_model::ids::Region;
use serde_json::{Value, json};

use crate::error::CallError;
use crate::signed::{Asked, Service};

/// A rule as EventBridge describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRule {
    /// Its name.
    pub name: String,
    /// Whether it is switched on.
    pub enabled: bool,
    /// What it lets through, as JSON.
    pub pattern: String,
}

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
        let body = json!({ "TargetArn": queue_arn });
        let target = "AWSEvents.ListRuleNamesByTarget";
        let named = self.ask("list the rules of a queue", target, &body).await?;
        let names = named.get("RuleNames").and_then(Value::as_array);
        let mut rules = Vec::new();
        for name in names.into_iter().flatten().filter_map(Value::as_str) {
            rules.push(self.rule(name).await?);
        }
        Ok(rules)
    }

    async fn rule(&self, name: &str) -> Result<EventRule, CallError> {
        let body = json!({ "Name": name });
        let target = "AWSEvents.DescribeRule";
        let rule = self.ask("describe a rule", target, &body).await?;
        let text = |key| rule.get(key).and_then(Value::as_str).unwrap_or_default();
        Ok(EventRule {
            name: name.to_owned(),
            enabled: text("State").starts_with("ENABLED"),
            pattern: text("EventPattern").to_owned(),
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
