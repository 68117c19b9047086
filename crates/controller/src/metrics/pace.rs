//! How fast EC2 and GitHub are asked, and what waits for that.

use prometheus::{IntCounterVec, IntGauge, IntGaugeVec};

use super::{Metrics, Registrar};

#[derive(Debug, Clone)]
pub(super) struct Pace {
    /// Without a label, so that it shows nothing before GitHub has answered.
    rate_remaining: IntGaugeVec,
    turns_waited: IntCounterVec,
    turns_put_off: IntCounterVec,
    throttled: IntCounterVec,
    ec2: IntGaugeVec,
    github: IntGauge,
}

impl Pace {
    pub(super) fn new(registrar: &mut Registrar) -> Result<Self, prometheus::Error> {
        Ok(Self {
            rate_remaining: registrar.gauges(
                "reprise_github_rate_remaining",
                "Requests that GitHub's rate limit still allows, as last seen; nothing before GitHub has answered.",
                &[],
            )?,
            turns_waited: registrar.counters(
                "reprise_turns_waited_total",
                "Waits in place for a turn to call EC2 or GitHub.",
                &["service", "action"],
            )?,
            turns_put_off: registrar.counters(
                "reprise_turns_put_off_total",
                "Calls to EC2 or GitHub that were not made for want of a turn; they are made later.",
                &["service", "action", "reason"],
            )?,
            throttled: registrar.counters(
                "reprise_throttled_total",
                "Calls that EC2 or GitHub answered with: not so fast.",
                &["service", "action"],
            )?,
            ec2: registrar.gauges(
                "reprise_ec2_calls_per_1000_seconds",
                "Calls to EC2 that this replica allows itself.",
                &["region", "action"],
            )?,
            github: registrar.gauge(
                "reprise_github_points_per_minute",
                "Points that this replica allows itself at GitHub, in the installation where they are fewest.",
            )?,
        })
    }
}

impl Metrics {
    pub(crate) fn turn_waited(&self, service: &str, action: &str) {
        let waited = &self.pace.turns_waited;
        waited.with_label_values(&[service, action]).inc();
    }

    pub(crate) fn turn_put_off(&self, service: &str, action: &str, reason: &str) {
        let put_off = &self.pace.turns_put_off;
        put_off.with_label_values(&[service, action, reason]).inc();
    }

    pub(crate) fn throttled(&self, service: &str, action: &str) {
        let throttled = &self.pace.throttled;
        throttled.with_label_values(&[service, action]).inc();
    }

    pub(crate) fn ec2_pace(&self, region: &str, action: &str, calls: i64) {
        self.pace
            .ec2
            .with_label_values(&[region, action])
            .set(calls);
    }

    pub(crate) fn github_pace(&self, points: u32) {
        self.pace.github.set(points.into());
    }

    pub(crate) fn rate_remaining(&self, remaining: u64) {
        let remaining = i64::try_from(remaining).unwrap_or(i64::MAX);
        self.pace
            .rate_remaining
            .with_label_values(&[] as &[&str])
            .set(remaining);
    }
}
