//! What carries webhooks and EC2 events to the queues, late, twice or not at all.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reprise_world::sqs::{AttributeValue, MessageAttribute, NewMessage};
use reprise_world::world::{Outgoing, Queue, World};

use crate::plan::{Chance, Dice, Plan, PostRates};
use crate::trace::{self, Who};

/// How long a message takes that nothing befalls.
const USUAL: SignedDuration = SignedDuration::from_millis(900);

/// All that befalls messages.
pub const FAULTS: [&str; 4] = ["lost for good", "doubled", "lost at first", "delayed"];

/// Messages on their way.
#[derive(Debug)]
pub struct Post {
    rates: PostRates,
    /// Whether the ends of jobs must arrive, too.
    ends_are_vital: bool,
    dice: Dice,
    under_way: BTreeMap<(Timestamp, u64), Outgoing>,
    sent: u64,
}

impl Post {
    /// Nothing is under way yet.
    pub fn new(plan: &Plan, dice: Dice) -> Self {
        Self {
            rates: plan.post,
            // No sweep finds a job on a machine that was not launched for its run.
            ends_are_vital: plan.world.mandate.retries_only || !plan.world.labels_are_bound,
            dice,
            under_way: BTreeMap::new(),
            sent: 0,
        }
    }

    /// From now on it is quick and reliable; what is under way stays as late as it is.
    pub fn calm(&mut self) {
        self.rates = PostRates::default();
    }

    /// Takes a message in.
    pub fn take(&mut self, now: Timestamp, message: Outgoing) {
        let rates = self.rates;
        let lost_for_good = match message.queue {
            Queue::Webhooks if self.is_vital(&message) => Chance(0),
            Queue::Webhooks => rates.lost_for_good,
            Queue::Ec2Events => rates.ec2_lost_for_good,
        };
        if self.dice.hits(lost_for_good) {
            told("lost for good", &message);
            return;
        }
        if self.dice.hits(rates.doubled) {
            told("doubled", &message);
            let later = USUAL + self.dice.up_to(rates.doubled_within);
            self.carry(now, later, message.clone());
        }
        let takes = if self.dice.hits(rates.lost) {
            told("lost at first", &message);
            USUAL + self.dice.up_to(rates.redelivered_within)
        } else if self.dice.hits(rates.delayed) {
            told("delayed", &message);
            USUAL + self.dice.up_to(rates.delayed_up_to)
        } else {
            self.dice.up_to(USUAL)
        };
        self.carry(now, takes, message);
    }

    /// Puts what has arrived on its queue. Whether there was anything.
    pub fn deliver(&mut self, world: &mut World, now: Timestamp) -> bool {
        let mut any = false;
        while let Some(entry) = self.under_way.first_entry() {
            if entry.key().0 > now {
                break;
            }
            put(world, now, entry.remove());
            any = true;
        }
        any
    }

    /// When the next message arrives.
    pub fn next(&self) -> Option<Timestamp> {
        self.under_way.first_key_value().map(|((at, _), _)| *at)
    }

    /// Without it nobody would ever hear of the job, or of its end.
    fn is_vital(&self, message: &Outgoing) -> bool {
        let says = |action| message.body.contains(action);
        says("\"action\":\"queued\"")
            || (self.ends_are_vital
                && event(message) == Some("workflow_job")
                && says("\"action\":\"completed\""))
    }

    fn carry(&mut self, now: Timestamp, takes: SignedDuration, message: Outgoing) {
        let at = now.checked_add(takes).unwrap_or(Timestamp::MAX);
        self.sent += 1;
        self.under_way.insert((at, self.sent), message);
    }
}

fn put(world: &mut World, now: Timestamp, message: Outgoing) {
    let queue = world.settings().queues.of(message.queue).to_owned();
    let attributes = message.attributes.into_iter().map(|(name, text)| {
        let attribute = MessageAttribute {
            data_type: "String".to_owned(),
            value: AttributeValue::Text(text),
        };
        (name, attribute)
    });
    let message = NewMessage {
        attributes: attributes.collect(),
        ..NewMessage::from(message.body)
    };
    if let Err(error) = world.sqs_mut(now).send(now, &queue, message) {
        trace::line(Who::Post, format!("{queue} refuses a message: {error}"));
    }
}

/// The kind of a webhook.
fn event(message: &Outgoing) -> Option<&str> {
    let mut attributes = message.attributes.iter();
    let named = attributes.find(|(name, _)| name == "X-GitHub-Event");
    named.map(|(_, event)| event.as_str())
}

fn told(what: &'static str, message: &Outgoing) {
    trace::reached("post", what);
    let kind = event(message).unwrap_or("ec2 event");
    trace::line(Who::Post, format!("{what}: {kind} {}", gist(&message.body)));
}

/// The few words of a body that tell it from others.
fn gist(body: &str) -> String {
    const KEYS: [&str; 5] = ["action", "run_id", "name", "detail-type", "instance-id"];
    let words = KEYS.iter().filter_map(|key| {
        let (_, rest) = body.split_once(&format!("\"{key}\":"))?;
        let end = rest.find([',', '}'])?;
        rest.get(..end)
    });
    words.collect::<Vec<_>>().join(" ")
}
