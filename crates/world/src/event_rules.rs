//! EventBridge's rules, as far as somebody looks at them: one sends EC2's warnings to the queue.
//!
//! What is sent where is the world's own affair; nothing follows from a rule here.

use http::{Request, Response, StatusCode};
use reprise_model::ids::{AccountId, Region};
use serde_json::{Value, json};

/// The name of the only rule.
const NAME: &str = "reprise-interruption-warning";

/// What its target begins with in a request.
const TARGET: &str = "AWSEvents.";

/// The rules, as they are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRules {
    /// Whether the rule is switched on.
    pub enabled: bool,
    /// What it lets through.
    pub pattern: Value,
    /// The code of the refusal that whoever looks at it gets.
    pub refused: Option<&'static str>,
}

impl Default for EventRules {
    fn default() -> Self {
        Self {
            enabled: true,
            pattern: json!({
                "source": ["aws.ec2"],
                "detail-type": ["EC2 Spot Instance Interruption Warning"],
            }),
            refused: None,
        }
    }
}

/// Whether a request is meant for EventBridge.
pub(crate) fn is_for_events(request: &Request<Vec<u8>>) -> bool {
    action(request).is_some()
}

fn action(request: &Request<Vec<u8>>) -> Option<&str> {
    let target = request.headers().get("x-amz-target")?;
    target.to_str().ok()?.strip_prefix(TARGET)
}

impl EventRules {
    /// Answers a request; the rule of this ARN sends to the queue of this name. The first page of a list is
    /// empty, as AWS allows itself (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/>).
    pub(crate) fn handle(
        &self,
        arn: &str,
        queue: &str,
        request: &Request<Vec<u8>>,
    ) -> Response<Vec<u8>> {
        if let Some(code) = self.refused {
            return refusal(code, "the world refuses this as it was told");
        }
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default();
        match action(request) {
            Some("ListRuleNamesByTarget") if text("NextToken").is_empty() => {
                let page = json!({ "RuleNames": [], "NextToken": "second" });
                answer(StatusCode::OK, &page)
            }
            Some("ListRuleNamesByTarget") => {
                let is_it = text("TargetArn").rsplit(':').next() == Some(queue);
                let names = if is_it { vec![NAME] } else { Vec::new() };
                answer(StatusCode::OK, &json!({ "RuleNames": names }))
            }
            Some("DescribeRule") if text("Name") == NAME => answer(StatusCode::OK, &self.rule(arn)),
            Some("DescribeRule") => refusal("ResourceNotFoundException", "Rule does not exist."),
            Some(_) | None => refusal("UnknownOperationException", "no such call"),
        }
    }

    fn rule(&self, arn: &str) -> Value {
        json!({
            "Name": NAME,
            "Arn": arn,
            "State": if self.enabled { "ENABLED" } else { "DISABLED" },
            "EventPattern": self.pattern.to_string(),
        })
    }
}

/// The rule's ARN.
pub(crate) fn arn(region: &Region, account: &AccountId) -> String {
    format!("arn:aws:events:{region}:{account}:rule/{NAME}")
}

/// The policy of a queue that admits the rule, as `terraform/modules/ingress` writes it.
pub(crate) fn admission(region: &Region, account: &AccountId) -> String {
    let policy = json!({ "Statement": [{
        "Effect": "Allow",
        "Principal": { "Service": "events.amazonaws.com" },
        "Action": "sqs:SendMessage",
        "Condition": { "ArnEquals": { "aws:SourceArn": [arn(region, account)] } },
    }] });
    policy.to_string()
}

fn refusal(code: &str, words: &str) -> Response<Vec<u8>> {
    let body = json!({ "__type": code, "message": words });
    answer(StatusCode::BAD_REQUEST, &body)
}

fn answer(status: StatusCode, body: &Value) -> Response<Vec<u8>> {
    let mut response = Response::new(body.to_string().into_bytes());
    *response.status_mut() = status;
    response
}
