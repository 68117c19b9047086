//! Registering metrics, and remembering what each is for.

use prometheus::core::Collector;
use prometheus::{
    HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

/// A metric as people are told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// Its name.
    pub name: String,
    /// What kind it is.
    pub kind: Kind,
    /// Its labels.
    pub labels: Vec<String>,
    /// What it counts or shows.
    pub help: String,
}

/// What kind of metric it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It shows how things stand.
    Gauge,
    /// It counts by size.
    Histogram,
}

impl Kind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Registers metrics.
#[derive(Debug, Default)]
pub(super) struct Registrar {
    registry: Registry,
    described: Vec<Described>,
}

impl Registrar {
    pub(super) fn counter(
        &mut self,
        name: &str,
        help: &str,
    ) -> Result<IntCounter, prometheus::Error> {
        self.describe(name, Kind::Counter, &[], help);
        self.registered(IntCounter::new(name, help)?)
    }

    pub(super) fn counters(
        &mut self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntCounterVec, prometheus::Error> {
        self.describe(name, Kind::Counter, labels, help);
        self.registered(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    pub(super) fn gauge(&mut self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        self.describe(name, Kind::Gauge, &[], help);
        self.registered(IntGauge::new(name, help)?)
    }

    pub(super) fn gauges(
        &mut self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntGaugeVec, prometheus::Error> {
        self.describe(name, Kind::Gauge, labels, help);
        self.registered(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }

    pub(super) fn histograms(
        &mut self,
        name: &str,
        help: &str,
        labels: &[&str],
        buckets: &[f64],
    ) -> Result<HistogramVec, prometheus::Error> {
        self.describe(name, Kind::Histogram, labels, help);
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.registered(HistogramVec::new(options, labels)?)
    }

    pub(super) fn done(self) -> (Registry, Vec<Described>) {
        (self.registry, self.described)
    }

    fn registered<C: Collector + Clone + 'static>(
        &self,
        metric: C,
    ) -> Result<C, prometheus::Error> {
        self.registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn describe(&mut self, name: &str, kind: Kind, labels: &[&str], help: &str) {
        self.described.push(Described {
            name: name.to_owned(),
            kind,
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            help: help.to_owned(),
        });
    }
}
