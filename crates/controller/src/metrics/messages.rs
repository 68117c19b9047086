//! What came in by the queues, and the loops that deal with it.

use prometheus::{IntCounter, IntCounterVec};

use super::{Metrics, Registrar};

#[derive(Debug, Clone)]
pub(super) struct Messages {
    received: IntCounterVec,
    receive_failures: IntCounterVec,
    messages: IntCounterVec,
    signed_with: IntCounterVec,
    verdicts: IntCounterVec,
    judged: IntCounterVec,
    evidence: IntCounterVec,
    work_failures: IntCounter,
    sweeps: IntCounterVec,
}

impl Messages {
    pub(super) fn new(registrar: &mut Registrar) -> Result<Self, prometheus::Error> {
        Ok(Self {
            received: registrar.counters(
                "reprise_messages_received_total",
                "Messages received from a queue.",
                &["queue"],
            )?,
            receive_failures: registrar.counters(
                "reprise_receive_failures_total",
                "Receive calls that failed.",
                &["queue"],
            )?,
            messages: registrar.counters(
                "reprise_messages_total",
                "Messages by how they ended.",
                &["queue", "outcome"],
            )?,
            signed_with: registrar.counters(
                "reprise_webhooks_signed_total",
                "Webhooks that were believed, by the secret that signed them: the first of the list is the current one.",
                &["secret"],
            )?,
            verdicts: registrar.counters(
                "reprise_job_verdicts_total",
                "Completed jobs by verdict.",
                &["reason"],
            )?,
            judged: registrar.counters(
                "reprise_failures_judged_total",
                "Failures judged by what the job left behind, by class.",
                &["class"],
            )?,
            evidence: registrar.counters(
                "reprise_evidence_total",
                "Evidence of interruptions by its source.",
                &["source"],
            )?,
            work_failures: registrar.counter(
                "reprise_work_failures_total",
                "Due records whose work failed and is tried again.",
            )?,
            sweeps: registrar.counters("reprise_sweeps_total", "Sweeps by result.", &["result"])?,
        })
    }
}

impl Metrics {
    /// Shows that nothing failed yet: an increase from nothing is none to Prometheus.
    pub(crate) fn reads_queue(&self, queue: &str) {
        self.received(queue, 0);
        let failures = &self.messages.receive_failures;
        failures.with_label_values(&[queue]).inc_by(0);
    }

    pub(crate) fn received(&self, queue: &str, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        let received = &self.messages.received;
        received.with_label_values(&[queue]).inc_by(count);
    }

    pub(crate) fn receive_failed(&self, queue: &str) {
        let failures = &self.messages.receive_failures;
        failures.with_label_values(&[queue]).inc();
    }

    pub(crate) fn message(&self, queue: &str, outcome: &str) {
        let messages = &self.messages.messages;
        messages.with_label_values(&[queue, outcome]).inc();
    }

    pub(crate) fn signed_with(&self, secret: &str) {
        let signed_with = &self.messages.signed_with;
        signed_with.with_label_values(&[secret]).inc();
    }

    pub(crate) fn verdict(&self, reason: &str) {
        self.messages.verdicts.with_label_values(&[reason]).inc();
    }

    pub(crate) fn judged(&self, class: &str) {
        self.messages.judged.with_label_values(&[class]).inc();
    }

    pub(crate) fn evidence(&self, source: &str) {
        self.messages.evidence.with_label_values(&[source]).inc();
    }

    pub(crate) fn work_failed(&self) {
        self.messages.work_failures.inc();
    }

    pub(crate) fn swept(&self, result: &str) {
        self.messages.sweeps.with_label_values(&[result]).inc();
    }
}
