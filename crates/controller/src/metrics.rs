//! What `/metrics` shows. Every label value is one of a fixed set, so that no stranger's text can
//! make a series; of the images in use the oldest few are shown.

use prometheus::{
    Encoder, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};
use reprise_engine::image_age::ImageAge;
use reprise_model::breaker::PoolKey;

/// A fleet has a handful of images; where labels may name more, these are those that matter.
const MOST_IMAGES: usize = 50;

/// The controller's metrics, in a registry of their own.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    received: IntCounterVec,
    receive_failures: IntCounterVec,
    messages: IntCounterVec,
    verdicts: IntCounterVec,
    judged: IntCounterVec,
    evidence: IntCounterVec,
    launches: IntCounterVec,
    reruns: IntCounterVec,
    terminations: IntCounterVec,
    work_failures: IntCounter,
    sweeps: IntCounterVec,
    redeliveries: IntCounterVec,
    deliveries_given_up: IntCounterVec,
    deliveries_open: IntGauge,
    unannounced: IntCounterVec,
    breakers: IntGaugeVec,
    breakers_opened: IntCounterVec,
    launch_waits: IntCounterVec,
    told: IntCounterVec,
    asked_again: IntCounterVec,
    job_tags: IntCounterVec,
    stray_runners: IntCounterVec,
    later_attempts_on_spot: IntCounter,
    rate_remaining: IntGauge,
    image_ages: IntGaugeVec,
    turns_waited: IntCounterVec,
    turns_put_off: IntCounterVec,
    throttled: IntCounterVec,
    ec2_pace: IntGaugeVec,
    github_pace: IntGauge,
}

impl Metrics {
    /// Registers everything.
    ///
    /// # Errors
    /// When two metrics have one name.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let counter = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let received = counters(
            "reprise_messages_received_total",
            "Messages received from a queue.",
            &["queue"],
        )?;
        let receive_failures = counters(
            "reprise_receive_failures_total",
            "Receive calls that failed.",
            &["queue"],
        )?;
        let messages = counters(
            "reprise_messages_total",
            "Messages by how they ended.",
            &["queue", "outcome"],
        )?;
        let verdicts = counters(
            "reprise_job_verdicts_total",
            "Completed jobs by verdict.",
            &["reason"],
        )?;
        let judged = counters(
            "reprise_failures_judged_total",
            "Failures judged by what the job left behind, by class.",
            &["class"],
        )?;
        let evidence = counters(
            "reprise_evidence_total",
            "Evidence of interruptions by its source.",
            &["source"],
        )?;
        let launches = counters(
            "reprise_launches_total",
            "Launch calls by capacity and answer.",
            &["capacity", "answer"],
        )?;
        let reruns = counters(
            "reprise_reruns_total",
            "Re-runs asked for, by target and answer.",
            &["target", "answer"],
        )?;
        let terminations = counters(
            "reprise_terminations_total",
            "Instances ended, by reason.",
            &["reason"],
        )?;
        let sweeps = counters("reprise_sweeps_total", "Sweeps by result.", &["result"])?;
        let redeliveries = counters(
            "reprise_redeliveries_total",
            "Failed webhook deliveries that were asked for again, by event and answer.",
            &["event", "answer"],
        )?;
        let deliveries_given_up = counters(
            "reprise_deliveries_given_up_total",
            "Failed webhook deliveries that are not asked for again, by event and reason.",
            &["event", "reason"],
        )?;
        let unannounced = counters(
            "reprise_unannounced_jobs_total",
            "Queued jobs that no event announced, by what became of them.",
            &["outcome"],
        )?;
        let breakers_opened = counters(
            "reprise_breaker_opened_total",
            "Breakers of spot pools that this replica opened, by reason.",
            &["reason"],
        )?;
        let launch_waits = counters(
            "reprise_launch_waits_total",
            "Launches put off because there are as many instances as there may be, by what is full.",
            &["reason"],
        )?;
        let breakers = IntGaugeVec::new(
            Opts::new(
                "reprise_breaker_state",
                "Breakers of spot pools that were opened lately: 0 closed, 1 half-open, 2 open.",
            ),
            &["region", "zone", "family"],
        )?;
        registry.register(Box::new(breakers.clone()))?;
        let told = counters(
            "reprise_jobs_without_machine_total",
            "What GitHub was told of jobs that get no machine, by what and answer.",
            &["what", "answer"],
        )?;
        let asked_again = counters(
            "reprise_launched_jobs_asked_about_total",
            "Launched jobs that were asked about, by what was found.",
            &["reason"],
        )?;
        let job_tags = counters(
            "reprise_job_tags_total",
            "Instances tagged with the job that their runner took, by result.",
            &["result"],
        )?;
        let stray_runners = counters(
            "reprise_stray_runners_total",
            "Runners that were to leave GitHub, of machines that are gone or idle, by result.",
            &["result"],
        )?;
        let later_attempts_on_spot = IntCounter::new(
            "reprise_later_attempts_on_spot_total",
            "Jobs of later attempts that GitHub gave to spot instances after all.",
        )?;
        registry.register(Box::new(later_attempts_on_spot.clone()))?;
        let deliveries_open = IntGauge::new(
            "reprise_deliveries_failed",
            "Webhook deliveries that failed and have not arrived since, as the replica that sweeps sees them.",
        )?;
        registry.register(Box::new(deliveries_open.clone()))?;
        let turns_waited = counters(
            "reprise_turns_waited_total",
            "Waits in place for a turn to call EC2 or GitHub.",
            &["service", "action"],
        )?;
        let turns_put_off = counters(
            "reprise_turns_put_off_total",
            "Calls to EC2 or GitHub that were not made for want of a turn; they are made later.",
            &["service", "action", "reason"],
        )?;
        let throttled = counters(
            "reprise_throttled_total",
            "Calls that EC2 or GitHub answered with: not so fast.",
            &["service", "action"],
        )?;
        let ec2_pace = IntGaugeVec::new(
            Opts::new(
                "reprise_ec2_calls_per_1000_seconds",
                "Calls to EC2 that this replica allows itself.",
            ),
            &["region", "action"],
        )?;
        registry.register(Box::new(ec2_pace.clone()))?;
        let github_pace = IntGauge::new(
            "reprise_github_points_per_minute",
            "Points that this replica allows itself at GitHub, in the installation where they are fewest.",
        )?;
        registry.register(Box::new(github_pace.clone()))?;
        let work_failures = IntCounter::new(
            "reprise_work_failures_total",
            "Due records whose work failed and is tried again.",
        )?;
        registry.register(Box::new(work_failures.clone()))?;
        let image_ages = IntGaugeVec::new(
            Opts::new(
                "reprise_image_age_seconds",
                "How old the images are that instances run from, as the replica that sweeps sees them.",
            ),
            &["region", "image"],
        )?;
        registry.register(Box::new(image_ages.clone()))?;
        let rate_remaining = IntGauge::new(
            "reprise_github_rate_remaining",
            "Requests that GitHub's rate limit still allows, as last seen.",
        )?;
        registry.register(Box::new(rate_remaining.clone()))?;
        Ok(Self {
            registry,
            received,
            receive_failures,
            messages,
            verdicts,
            judged,
            evidence,
            launches,
            reruns,
            terminations,
            work_failures,
            sweeps,
            redeliveries,
            deliveries_given_up,
            deliveries_open,
            unannounced,
            breakers,
            breakers_opened,
            launch_waits,
            told,
            asked_again,
            job_tags,
            stray_runners,
            later_attempts_on_spot,
            rate_remaining,
            image_ages,
            turns_waited,
            turns_put_off,
            throttled,
            ec2_pace,
            github_pace,
        })
    }

    /// The text format that Prometheus scrapes.
    ///
    /// # Errors
    /// When a metric cannot be written as text.
    pub fn text(&self) -> Result<Vec<u8>, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }

    pub(crate) fn received(&self, queue: &str, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.received.with_label_values(&[queue]).inc_by(count);
    }

    pub(crate) fn receive_failed(&self, queue: &str) {
        self.receive_failures.with_label_values(&[queue]).inc();
    }

    pub(crate) fn message(&self, queue: &str, outcome: &str) {
        self.messages.with_label_values(&[queue, outcome]).inc();
    }

    pub(crate) fn verdict(&self, reason: &str) {
        self.verdicts.with_label_values(&[reason]).inc();
    }

    pub(crate) fn judged(&self, class: &str) {
        self.judged.with_label_values(&[class]).inc();
    }

    pub(crate) fn evidence(&self, source: &str) {
        self.evidence.with_label_values(&[source]).inc();
    }

    pub(crate) fn launch(&self, capacity: &str, answer: &str) {
        self.launches.with_label_values(&[capacity, answer]).inc();
    }

    pub(crate) fn rerun(&self, target: &str, answer: &str) {
        self.reruns.with_label_values(&[target, answer]).inc();
    }

    pub(crate) fn terminated(&self, reason: &str) {
        self.terminations.with_label_values(&[reason]).inc();
    }

    pub(crate) fn work_failed(&self) {
        self.work_failures.inc();
    }

    pub(crate) fn swept(&self, result: &str) {
        self.sweeps.with_label_values(&[result]).inc();
    }

    pub(crate) fn redelivery(&self, event: &str, answer: &str) {
        self.redeliveries.with_label_values(&[event, answer]).inc();
    }

    pub(crate) fn delivery_given_up(&self, event: &str, reason: &str) {
        self.deliveries_given_up
            .with_label_values(&[event, reason])
            .inc();
    }

    pub(crate) fn deliveries_open(&self, open: usize) {
        self.deliveries_open
            .set(i64::try_from(open).unwrap_or(i64::MAX));
    }

    pub(crate) fn unannounced(&self, outcome: &str) {
        self.unannounced.with_label_values(&[outcome]).inc();
    }

    /// Shows these, the oldest first, and no other.
    pub(crate) fn image_ages(&self, ages: &[ImageAge]) {
        self.image_ages.reset();
        for ImageAge { image, age } in ages.iter().take(MOST_IMAGES) {
            let labels = [image.region.as_str(), image.image.as_str()];
            self.image_ages
                .with_label_values(&labels)
                .set(age.as_secs());
        }
    }

    /// The pool's names are EC2's: a job's labels only choose among them.
    pub(crate) fn breaker_stands(&self, pool: &PoolKey, number: i64) {
        let labels = [pool.region.as_str(), &pool.zone, &pool.family];
        self.breakers.with_label_values(&labels).set(number);
    }

    pub(crate) fn breaker_opened(&self, reason: &str) {
        self.breakers_opened.with_label_values(&[reason]).inc();
    }

    pub(crate) fn launch_waits(&self, reason: &str) {
        self.launch_waits.with_label_values(&[reason]).inc();
    }

    pub(crate) fn turn_waited(&self, service: &str, action: &str) {
        self.turns_waited
            .with_label_values(&[service, action])
            .inc();
    }

    pub(crate) fn turn_put_off(&self, service: &str, action: &str, reason: &str) {
        self.turns_put_off
            .with_label_values(&[service, action, reason])
            .inc();
    }

    pub(crate) fn throttled(&self, service: &str, action: &str) {
        self.throttled.with_label_values(&[service, action]).inc();
    }

    pub(crate) fn ec2_pace(&self, region: &str, action: &str, calls: i64) {
        self.ec2_pace
            .with_label_values(&[region, action])
            .set(calls);
    }

    pub(crate) fn github_pace(&self, points: u32) {
        self.github_pace.set(points.into());
    }

    pub(crate) fn told(&self, what: &str, answer: &str) {
        self.told.with_label_values(&[what, answer]).inc();
    }

    pub(crate) fn asked_again(&self, reason: &str) {
        self.asked_again.with_label_values(&[reason]).inc();
    }

    pub(crate) fn job_tagged(&self, result: &str) {
        self.job_tags.with_label_values(&[result]).inc();
    }

    pub(crate) fn stray_runner(&self, result: &str) {
        self.stray_runners.with_label_values(&[result]).inc();
    }

    pub(crate) fn later_attempt_on_spot(&self) {
        self.later_attempts_on_spot.inc();
    }

    pub(crate) fn rate_remaining(&self, remaining: u64) {
        self.rate_remaining
            .set(i64::try_from(remaining).unwrap_or(i64::MAX));
    }
}
