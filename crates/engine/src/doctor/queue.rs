//! The queues, and the rules that fill the one of EC2's events.

use std::collections::BTreeSet;

use super::Finding;

/// How long messages must be kept at least: over a weekend.
const LEAST_RETENTION: u64 = 3 * 24 * 60 * 60;

/// How long a received message must be hidden at least: the controller extends it while it works, but not in
/// the first seconds.
const LEAST_VISIBILITY: u64 = 20;

/// How often a message must be received before it is dead at least: what passes by itself comes again.
const LEAST_RECEIVES: u64 = 3;

/// So many waiting messages are more than a moment's work: ten pollers take thousands a minute.
const MANY: u64 = 1_000;

/// What a rule must let through: the only event that tells of an interruption before it happens.
const WARNING: &str = "EC2 Spot Instance Interruption Warning";

/// A queue, as its attributes tell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Queue {
    /// Which key of the configuration names it.
    pub key: &'static str,
    /// Messages that wait.
    pub waiting: Option<u64>,
    /// Seconds for which a message is kept.
    pub retention: Option<u64>,
    /// Seconds for which a received one is hidden.
    pub visibility: Option<u64>,
    /// The ARN of its dead-letter queue, and how often a message is received before it goes there.
    pub redrive: Option<(String, u64)>,
    /// The ARN of the dead-letter queue that the configuration names.
    pub dead: Option<String>,
}

/// A dead-letter queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dead {
    /// Which key of the configuration names it.
    pub key: &'static str,
    /// Messages that wait or are looked at.
    pub messages: u64,
}

/// A rule of EventBridge that sends to a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// Whether it is switched on.
    pub enabled: bool,
    /// What it lets through, as JSON.
    pub pattern: String,
}

/// How a queue is set up.
pub fn queue(queue: &Queue) -> Finding {
    const CHECK: &str = "queue";
    let below = |value: Option<u64>, least: u64| value.is_some_and(|value| value < least);
    let mut mistakes = Vec::new();
    if below(queue.retention, LEAST_RETENTION) {
        mistakes.push("it keeps messages for less than three days".to_owned());
    }
    if below(queue.visibility, LEAST_VISIBILITY) {
        mistakes.push(format!(
            "it hides received messages for less than {LEAST_VISIBILITY} s"
        ));
    }
    match &queue.redrive {
        None => mistakes.push("it has no dead-letter queue".to_owned()),
        Some((_, most)) if *most < LEAST_RECEIVES => {
            mistakes.push(format!("messages are dead after {most} tries"));
        }
        Some((arn, _)) if queue.dead.as_ref().is_some_and(|dead| dead != arn) => {
            mistakes.push(format!(
                "its dead letters go to {arn}, which is not what the configuration names"
            ));
        }
        Some(_) => {}
    }
    if let Some(waiting) = queue.waiting.filter(|waiting| *waiting > MANY) {
        mistakes.push(format!("{waiting} messages wait: is a controller running?"));
    }
    let key = queue.key;
    if mistakes.is_empty() {
        let waiting = queue.waiting.unwrap_or_default();
        return Finding::ok(CHECK, format!("{key}: {waiting} messages wait"));
    }
    let advice = "terraform/modules/ingress sets it up; docs/operations.md says what for";
    Finding::wrong(CHECK, format!("{key}: {}", mistakes.join("; ")), advice)
}

/// Whether something lies in a dead-letter queue.
pub fn dead_letters(dead: Dead) -> Finding {
    const CHECK: &str = "dead letters";
    if dead.messages == 0 {
        return Finding::ok(CHECK, format!("{}: none", dead.key));
    }
    Finding::wrong(
        CHECK,
        format!("{}: {}", dead.key, dead.messages),
        "`reprise queue dead list` says what and why, `reprise queue dead redrive` sends them back",
    )
}

/// Whether EC2's warnings reach the queue: by the rules that send there, or, where those may not be read, by
/// the sources that the queue's policy admits.
pub fn rules(rules: Option<&[Rule]>, admitted: &BTreeSet<String>) -> Finding {
    const CHECK: &str = "event rule";
    const ADVICE: &str =
        "terraform/modules/ingress makes one; without it interruptions are seen by tags alone";
    let Some(rules) = rules else {
        let named: Vec<&str> = admitted
            .iter()
            .map(String::as_str)
            .filter(|arn| arn.contains(":rule/"))
            .collect();
        return match named.as_slice() {
            [] => Finding::wrong(
                CHECK,
                "the queue of EC2's events admits no rule of EventBridge",
                ADVICE,
            ),
            named => Finding::unknown(
                CHECK,
                format!(
                    "the queue admits {}; whether it sends cannot be read",
                    named.join(", ")
                ),
                "ask as somebody who may events:ListRuleNamesByTarget and events:DescribeRule",
            ),
        };
    };
    let warns =
        |rule: &&Rule| rule.pattern.contains(WARNING) || !rule.pattern.contains("detail-type");
    let warning: Vec<&Rule> = rules.iter().filter(warns).collect();
    if let Some(rule) = warning.iter().find(|rule| rule.enabled) {
        return Finding::ok(CHECK, format!("{} sends interruption warnings", rule.name));
    }
    match warning.first() {
        Some(rule) => {
            let says = format!("{} is switched off", rule.name);
            Finding::wrong(CHECK, says, "switch it on: `aws events enable-rule`")
        }
        None => Finding::wrong(
            CHECK,
            "no rule sends interruption warnings to the queue",
            ADVICE,
        ),
    }
}
