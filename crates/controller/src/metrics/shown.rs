//! What people are shown of runs on their commits, and what merge queues wait for.

use prometheus::IntCounterVec;

use super::{Metrics, Registrar};

#[derive(Debug, Clone)]
pub(super) struct Shown {
    check_runs: IntCounterVec,
    gates: IntCounterVec,
}

impl Shown {
    pub(super) fn new(registrar: &mut Registrar) -> Result<Self, prometheus::Error> {
        Ok(Self {
            check_runs: registrar.counters(
                "reprise_check_runs_total",
                "What people were told of runs on their commits, by what for, state and answer.",
                &["purpose", "state", "answer"],
            )?,
            gates: registrar.counters(
                "reprise_merge_gates_total",
                "Runs that a merge queue waited for, by what became of it.",
                &["end"],
            )?,
        })
    }
}

impl Metrics {
    pub(crate) fn check_run(&self, purpose: &str, state: &str, answer: &str) {
        let labels = [purpose, state, answer];
        self.shown.check_runs.with_label_values(&labels).inc();
    }

    pub(crate) fn gate(&self, end: &str) {
        self.shown.gates.with_label_values(&[end]).inc();
    }
}
