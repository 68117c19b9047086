//! How things stand: whether the replica is ready, what waits in the queues, and what is overdue.

use jiff::SignedDuration;
use prometheus::{IntGauge, IntGaugeVec};

use super::{Metrics, Registrar};
use crate::ports::QueueCounts;

/// Messages that could be received now.
const WAITING: &str = "waiting";

/// Messages that somebody has, or that come again later.
const HIDDEN: &str = "hidden";

#[derive(Debug, Clone)]
pub(super) struct Standing {
    ready: IntGauge,
    queue_ages: IntGaugeVec,
    queue_messages: IntGaugeVec,
    dead_letters: IntGaugeVec,
    overdue: IntGaugeVec,
}

impl Standing {
    pub(super) fn new(registrar: &mut Registrar) -> Result<Self, prometheus::Error> {
        Ok(Self {
            ready: registrar.gauge(
                "reprise_ready",
                "Whether this replica is ready, as /readyz answers: 1, or 0.",
            )?,
            queue_ages: registrar.gauges(
                "reprise_queue_oldest_message_age_seconds",
                "How old the oldest message of a queue is that this replica knows of; after a minute without an answer, how long ago the last one was.",
                &["queue"],
            )?,
            queue_messages: registrar.gauges(
                "reprise_queue_messages",
                "Messages that a queue holds, waiting or hidden from others, as SQS told it; nothing where it does not tell.",
                &["queue", "state"],
            )?,
            dead_letters: registrar.gauges(
                "reprise_dead_letters",
                "Messages in the dead-letter queue of a queue, as SQS told it; nothing where it does not tell.",
                &["queue"],
            )?,
            overdue: registrar.gauges(
                "reprise_overdue_seconds",
                "How long the longest due record of a kind is due already: run is a re-run, instance a late look for evidence, claim a launch, check what people are told.",
                &["kind"],
            )?,
        })
    }
}

impl Metrics {
    pub(crate) fn ready(&self, is_ready: bool) {
        self.standing.ready.set(is_ready.into());
    }

    pub(crate) fn queue_age(&self, queue: &str, age: SignedDuration) {
        let ages = &self.standing.queue_ages;
        ages.with_label_values(&[queue]).set(age.as_secs());
    }

    pub(crate) fn queue_holds(&self, queue: &str, counts: &QueueCounts) {
        let messages = &self.standing.queue_messages;
        for (state, count) in [(WAITING, counts.waiting), (HIDDEN, counts.hidden)] {
            messages
                .with_label_values(&[queue, state])
                .set(number(count));
        }
    }

    pub(crate) fn queue_untold(&self, queue: &str) {
        for state in [WAITING, HIDDEN] {
            forget(&self.standing.queue_messages, &[queue, state]);
        }
    }

    /// Also those that somebody looks at.
    pub(crate) fn dead_letters(&self, queue: &str, counts: &QueueCounts) {
        let count = counts.waiting.saturating_add(counts.hidden);
        let dead = &self.standing.dead_letters;
        dead.with_label_values(&[queue]).set(number(count));
    }

    pub(crate) fn dead_letters_untold(&self, queue: &str) {
        forget(&self.standing.dead_letters, &[queue]);
    }

    pub(crate) fn overdue(&self, kind: &str, late: SignedDuration) {
        let overdue = &self.standing.overdue;
        overdue.with_label_values(&[kind]).set(late.as_secs());
    }
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// It may never have been shown, which is as well.
fn forget(gauges: &IntGaugeVec, labels: &[&str]) {
    let _ = gauges.remove_label_values(labels);
}
