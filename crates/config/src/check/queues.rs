//! `[queues]`.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use reprise_model::ids::Region;

use crate::QueuesConfig;
use crate::checker::Checker;
use crate::file;
use crate::url;

/// Long polls at once on a queue. Messages are dealt with aside, so that one poll brings ten of them
/// in each round trip, some 500 a second; more polls would share out what little comes at other
/// times, and each message would cost a call of its own.
const POLLERS: usize = 1;

/// Long polls at once, at most: a hundred that bring ten messages each are more than a controller
/// can work on.
const MOST_POLLERS: usize = 100;

/// Messages under way at once on a queue. Each failed spot job holds a place for a minute, so this
/// serves about a thousand such failures a minute.
const AT_ONCE: usize = 1_000;

/// What a deletion waits for company: ten messages are deleted for the price of one. Their outcomes
/// are durable already; one that is seen again because the process died meanwhile changes nothing.
/// In 20 seconds the messages of a few jobs a minute come together. A message is hidden for 30 seconds by
/// its queue's own setting; it is dealt with within five or hidden anew, so that it is deleted after 25 at
/// the latest, without a call to hide it longer.
const DELETE_WINDOW: SignedDuration = SignedDuration::from_secs(20);

/// From here on messages would have to be hidden for longer, which is a call again.
const MOST_DELETE_WINDOW: SignedDuration = SignedDuration::from_secs(20);

/// SQS lets so many messages of a queue be in flight.
const MOST_AT_ONCE: usize = 120_000;

/// `None` where there are mistakes, which `checker` knows of.
pub(super) fn queues(
    checker: &mut Checker<'_>,
    section: file::Queues,
    first_region: Option<Region>,
) -> Option<QueuesConfig> {
    let webhooks = checker.need("queues.webhooks", section.webhooks.clone());
    addresses(checker, &section);
    if let Some(region) = &section.region {
        checker.filled("queues.region", region, "write a region, as eu-west-1");
    }
    number(checker, "queues.pollers", section.pollers, MOST_POLLERS);
    number(checker, "queues.at_once", section.at_once, MOST_AT_ONCE);
    let delete_window = delete_window(checker, section.delete_window);
    Some(QueuesConfig {
        region: section.region.map(Region::new).or(first_region)?,
        webhooks: webhooks?,
        ec2_events: section.ec2_events,
        webhooks_dead_letters: section.webhooks_dead_letters,
        ec2_events_dead_letters: section.ec2_events_dead_letters,
        pollers: section.pollers.unwrap_or(POLLERS),
        at_once: section.at_once.unwrap_or(AT_ONCE),
        delete_window,
    })
}

fn delete_window(checker: &mut Checker<'_>, window: Option<SignedDuration>) -> SignedDuration {
    let window = window.unwrap_or(DELETE_WINDOW);
    if window.is_negative() || window > MOST_DELETE_WINDOW {
        let problem = format!("must be between 0s and {MOST_DELETE_WINDOW:#}");
        checker.wrong("queues.delete_window", problem);
    }
    window
}

fn number(checker: &mut Checker<'_>, key: &str, value: Option<usize>, most: usize) {
    match value {
        Some(0) => checker.wrong(
            key,
            "is 0, so that nothing would be received; write 1 or more",
        ),
        Some(value) if value > most => {
            checker.wrong(key, format!("is {value}; write at most {most}"));
        }
        Some(_) | None => {}
    }
}

/// Two kinds of message on one queue would be believed alike; a queue that is its own dead-letter
/// queue would never be empty.
fn addresses(checker: &mut Checker<'_>, section: &file::Queues) {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for (key, url) in [
        ("queues.webhooks", &section.webhooks),
        ("queues.ec2_events", &section.ec2_events),
        (
            "queues.webhooks_dead_letters",
            &section.webhooks_dead_letters,
        ),
        (
            "queues.ec2_events_dead_letters",
            &section.ec2_events_dead_letters,
        ),
    ] {
        let Some(url) = url else { continue };
        if !url::is_queue(url) {
            checker.wrong(
                key,
                "is no queue's URL; write it as https://sqs.REGION.amazonaws.com/ACCOUNT/NAME",
            );
        }
        let queue = url::queue(url);
        match seen.get(&queue) {
            Some(other) => checker.wrong(
                key,
                format!(
                    "is the same queue as {other}; what a message is, its queue says, so each \
                     needs one of its own"
                ),
            ),
            None => {
                seen.insert(queue, key);
            }
        }
    }
}
