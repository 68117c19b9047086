//! Which dead-letter queues the configuration knows.

use anyhow::{Result, bail};
use reprise_aws::SqsQueue;
use reprise_config::{Outline, QueuesConfig};
use secrecy::SecretString;

use super::Name;
use crate::output::note;

/// A dead-letter queue and the queue that its messages came from.
pub(super) struct Place {
    pub(super) name: Name,
    pub(super) dead: SqsQueue,
    pub(super) source: SqsQueue,
    /// What webhooks are signed with.
    pub(super) secrets: Vec<SecretString>,
}

impl Place {
    /// For an error: what was being done with the dead-letter queue, and where the queue is said.
    pub(super) fn failed_to(&self, what: &str) -> String {
        format!(
            "failed to {what} the dead-letter queue {} ({})",
            self.dead.url(),
            key(self.name)
        )
    }
}

/// The queues of the configuration, one of them or both.
pub(super) async fn connect(config: &Outline, wanted: Option<Name>) -> Result<Vec<Place>> {
    let names = wanted.map_or_else(|| vec![Name::Webhooks, Name::Ec2Events], |name| vec![name]);
    if names.contains(&Name::Webhooks) && config.webhook_secrets.is_empty() {
        note("no signature is checked: no webhook secret of the configuration can be read here");
    }
    let mut places = Vec::new();
    for name in names {
        match urls(&config.queues, name) {
            (Some(source), Some(dead)) => places.push(Place {
                name,
                dead: connect_queue(dead, &config.queues).await,
                source: connect_queue(source, &config.queues).await,
                secrets: config.webhook_secrets.clone(),
            }),
            // Not every installation reads EC2's events.
            (None, _) if wanted.is_none() => {}
            (None, _) => bail!("the configuration has no queue {}", name.as_str()),
            (Some(_), None) if wanted.is_none() => {
                note(format_args!(
                    "{} is left out: {}",
                    name.as_str(),
                    missing(name)
                ));
            }
            (Some(_), None) => bail!(missing(name)),
        }
    }
    if places.is_empty() {
        bail!("there is no dead-letter queue to look at");
    }
    Ok(places)
}

/// A queue's address and that of its dead letters.
fn urls(queues: &QueuesConfig, name: Name) -> (Option<&str>, Option<&str>) {
    match name {
        Name::Webhooks => (
            Some(&queues.webhooks),
            queues.webhooks_dead_letters.as_deref(),
        ),
        Name::Ec2Events => (
            queues.ec2_events.as_deref(),
            queues.ec2_events_dead_letters.as_deref(),
        ),
    }
}

/// Where the configuration says the dead-letter queue.
fn key(name: Name) -> &'static str {
    match name {
        Name::Webhooks => "queues.webhooks_dead_letters",
        Name::Ec2Events => "queues.ec2_events_dead_letters",
    }
}

fn missing(name: Name) -> String {
    format!(
        "the configuration names no dead-letter queue for it; set {} to the URL of the queue that \
         the redrive policy of {} names",
        key(name),
        name.as_str()
    )
}

/// Somebody waits for each deletion, so that none waits for others.
async fn connect_queue(url: &str, queues: &QueuesConfig) -> SqsQueue {
    SqsQueue::connect(url, &queues.region, SqsQueue::SHORT_WINDOW).await
}
