//! Behaviour of the simulated SQS.

mod queue;
mod wire;

use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::{AccountId, Region};

use super::*;

const QUEUE: &str = "webhooks";

fn at(seconds: i64) -> Timestamp {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
    start + SignedDuration::from_secs(seconds)
}

fn sqs(settings: QueueSettings) -> Sqs {
    let mut sqs = Sqs::new(AccountId::new("123456789012"), Region::new("eu-west-1"), 5);
    sqs.create_queue(QUEUE, settings);
    sqs.create_queue("dead", QueueSettings::default());
    sqs
}

fn plain() -> Sqs {
    sqs(QueueSettings::default())
}

fn received(sqs: &mut Sqs, seconds: i64, queue: &str) -> Vec<Received> {
    sqs.receive(at(seconds), queue, 10, None).expect("received")
}

fn bodies(messages: &[Received]) -> Vec<&str> {
    messages.iter().map(|one| one.body.as_str()).collect()
}
