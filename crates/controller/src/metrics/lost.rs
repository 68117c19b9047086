//! Webhooks that did not arrive, and jobs that none announced.

use prometheus::{IntCounterVec, IntGauge};

use super::{Metrics, Registrar};

#[derive(Debug, Clone)]
pub(super) struct Lost {
    redeliveries: IntCounterVec,
    deliveries_given_up: IntCounterVec,
    deliveries_open: IntGauge,
    unannounced: IntCounterVec,
}

impl Lost {
    pub(super) fn new(registrar: &mut Registrar) -> Result<Self, prometheus::Error> {
        Ok(Self {
            redeliveries: registrar.counters(
                "reprise_redeliveries_total",
                "Failed webhook deliveries that were asked for again, by event and answer.",
                &["event", "answer"],
            )?,
            deliveries_given_up: registrar.counters(
                "reprise_deliveries_given_up_total",
                "Failed webhook deliveries that are not asked for again, by event and reason.",
                &["event", "reason"],
            )?,
            deliveries_open: registrar.gauge(
                "reprise_deliveries_failed",
                "Webhook deliveries that failed and have not arrived since, as the replica that sweeps sees them.",
            )?,
            unannounced: registrar.counters(
                "reprise_unannounced_jobs_total",
                "Queued jobs that no event announced, by what became of them.",
                &["outcome"],
            )?,
        })
    }
}

impl Metrics {
    pub(crate) fn redelivery(&self, event: &str, answer: &str) {
        let redeliveries = &self.lost.redeliveries;
        redeliveries.with_label_values(&[event, answer]).inc();
    }

    pub(crate) fn delivery_given_up(&self, event: &str, reason: &str) {
        let given_up = &self.lost.deliveries_given_up;
        given_up.with_label_values(&[event, reason]).inc();
    }

    pub(crate) fn deliveries_open(&self, open: usize) {
        let open = i64::try_from(open).unwrap_or(i64::MAX);
        self.lost.deliveries_open.set(open);
    }

    pub(crate) fn unannounced(&self, outcome: &str) {
        self.lost.unannounced.with_label_values(&[outcome]).inc();
    }
}
