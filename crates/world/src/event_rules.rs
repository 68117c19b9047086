//! EventBridge's rules, as far as somebody looks at them: one sends EC2's warnings to the queue.
//!
//! What is sent where is the world's own affair; nothing follows from a rule here.

use http::{Request, Response, StatusCode};
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
    /// Whether nobody may look at it.
    pub denied: bool,
}

impl Default for EventRules {
    fn default() -> Self {
        Self {
            enabled: true,
            denied: false,
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
    /// Answers a request; the rule sends to the queue of this name.
    pub(crate) fn handle(&self, queue: &str, request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
        if self.denied {
            return refusal(
                "AccessDeniedException",
                "not authorized to perform this action",
            );
        }
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default();
        match action(request) {
            Some("ListRuleNamesByTarget") => {
                let is_it = text("TargetArn").rsplit(':').next() == Some(queue);
                let names = if is_it { vec![NAME] } else { Vec::new() };
                answer(StatusCode::OK, &json!({ "RuleNames": names }))
            }
            Some("DescribeRule") if text("Name") == NAME => answer(StatusCode::OK, &self.rule()),
            Some("DescribeRule") => refusal("ResourceNotFoundException", "Rule does not exist."),
            Some(_) | None => refusal("UnknownOperationException", "no such call"),
        }
    }

    fn rule(&self) -> Value {
        let pattern = json!({
            "source": ["aws.ec2"],
            "detail-type": ["EC2 Spot Instance Interruption Warning"],
        });
        json!({
            "Name": NAME,
            "State": if self.enabled { "ENABLED" } else { "DISABLED" },
            "EventPattern": pattern.to_string(),
        })
    }
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
