//! The queues, and the rules that fill the one of EC2's events.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

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

/// Who sends it.
const EC2: &str = "aws.ec2";

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
    /// Its ARN.
    pub arn: String,
    /// Whether it is switched on.
    pub enabled: bool,
    /// For each field of an event the values that are let through, `None` for a condition that is no plain
    /// text. A rule without a pattern goes by the clock.
    pub pattern: Option<BTreeMap<String, Vec<Option<String>>>>,
}

/// Whether a rule lets EC2's warnings through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Lets {
    Nothing,
    /// Some of them: it has conditions that are not read here.
    Some,
    All,
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

/// Whether EC2's warnings reach the queue: by the rules that send there and that the queue's policy admits, or,
/// where rules may not be read, by the sources that the policy admits.
pub fn rules(rules: Option<&[Rule]>, admitted: &BTreeSet<String>) -> Finding {
    let Some(rules) = rules else {
        return unread(admitted);
    };
    let mut warning: Vec<(&Rule, Lets)> = rules
        .iter()
        .map(|rule| (rule, lets(rule)))
        .filter(|(_, lets)| *lets > Lets::Nothing)
        .collect();
    // The best one tells: one that is on and admitted, of these one without further conditions.
    warning.sort_by_key(|(rule, lets)| (rule.enabled, is_admitted(rule, admitted), *lets));
    let Some((rule, lets)) = warning.last() else {
        let says = "no rule sends interruption warnings to the queue";
        return Finding::wrong(RULE_CHECK, says, RULE_ADVICE);
    };
    let name = &rule.name;
    if !rule.enabled {
        let says = format!("{name} is switched off");
        return Finding::wrong(RULE_CHECK, says, "switch it on: `aws events enable-rule`");
    }
    if !is_admitted(rule, admitted) {
        return Finding::wrong(
            RULE_CHECK,
            format!("{name} sends interruption warnings, which the queue's policy does not admit"),
            format!(
                "admit {} in the queue's policy (aws:SourceArn), as terraform/modules/ingress does",
                rule.arn
            ),
        );
    }
    match lets {
        Lets::All => Finding::ok(RULE_CHECK, format!("{name} sends interruption warnings")),
        Lets::Some | Lets::Nothing => Finding::unknown(
            RULE_CHECK,
            format!("{name} sends what meets more conditions than are read here"),
            "see that its pattern lets every interruption warning of EC2 through",
        ),
    }
}

const RULE_CHECK: &str = "event rule";

const RULE_ADVICE: &str =
    "terraform/modules/ingress makes one; without it interruptions are seen by tags alone";

fn unread(admitted: &BTreeSet<String>) -> Finding {
    let named: Vec<&str> = admitted
        .iter()
        .map(String::as_str)
        .filter(|arn| arn.contains(":rule/"))
        .collect();
    match named.as_slice() {
        [] => Finding::wrong(
            RULE_CHECK,
            "the queue of EC2's events admits no rule of EventBridge",
            RULE_ADVICE,
        ),
        named => Finding::unknown(
            RULE_CHECK,
            format!(
                "the queue admits {}; whether it sends cannot be read",
                named.join(", ")
            ),
            "ask as somebody who may events:ListRuleNamesByTarget and events:DescribeRule",
        ),
    }
}

/// Every field that a pattern names must fit: EC2's warnings have this source and this kind.
fn lets(rule: &Rule) -> Lets {
    let Some(pattern) = &rule.pattern else {
        return Lets::Nothing;
    };
    let field = |(name, values): (&String, &Vec<Option<String>>)| {
        let wanted = match name.as_str() {
            "source" => EC2,
            "detail-type" => WARNING,
            _ => return Lets::Some,
        };
        if values.iter().flatten().any(|value| value == wanted) {
            Lets::All
        } else if values.contains(&None) {
            Lets::Some
        } else {
            Lets::Nothing
        }
    };
    pattern.iter().map(field).min().unwrap_or(Lets::All)
}

/// A policy may name several sources at once, with `*` and `?`.
fn is_admitted(rule: &Rule, admitted: &BTreeSet<String>) -> bool {
    let fits = |source: &String| {
        let source = regex::escape(source);
        let source = source.replace(r"\*", ".*").replace(r"\?", ".");
        Regex::new(&format!("^{source}$")).is_ok_and(|source| source.is_match(&rule.arn))
    };
    admitted.iter().any(fits)
}
