//! Launches and ends, and what keeps jobs from their machines.

use prometheus::{IntCounter, IntCounterVec, IntGaugeVec};
use reprise_engine::image_age::ImageAge;
use reprise_model::breaker::PoolKey;

use super::{Metrics, Registrar};

/// A fleet has a handful of images; where labels may name more, these are those that matter.
const MOST_IMAGES: usize = 50;

#[derive(Debug, Clone)]
pub(super) struct Machines {
    launches: IntCounterVec,
    terminations: IntCounterVec,
    breakers: IntGaugeVec,
    breakers_opened: IntCounterVec,
    launch_waits: IntCounterVec,
    told: IntCounterVec,
    asked_again: IntCounterVec,
    job_tags: IntCounterVec,
    stray_runners: IntCounterVec,
    later_attempts_on_spot: IntCounter,
    image_ages: IntGaugeVec,
    runner_ages: IntGaugeVec,
}

impl Machines {
    pub(super) fn new(registrar: &mut Registrar) -> Result<Self, prometheus::Error> {
        Ok(Self {
            launches: registrar.counters(
                "reprise_launches_total",
                "Launch calls by capacity and answer.",
                &["capacity", "answer"],
            )?,
            terminations: registrar.counters(
                "reprise_terminations_total",
                "Instances ended, by reason.",
                &["reason"],
            )?,
            breakers: registrar.gauges(
                "reprise_breaker_state",
                "Breakers of spot pools that were opened lately: 0 closed, 1 half-open, 2 open.",
                &["region", "zone", "family"],
            )?,
            breakers_opened: registrar.counters(
                "reprise_breaker_opened_total",
                "Breakers of spot pools that this replica opened, by reason.",
                &["reason"],
            )?,
            launch_waits: registrar.counters(
                "reprise_launch_waits_total",
                "Launches put off because there are as many instances as there may be, by what is full.",
                &["reason"],
            )?,
            told: registrar.counters(
                "reprise_jobs_without_machine_total",
                "What GitHub was told of jobs that get no machine, by what and answer.",
                &["what", "answer"],
            )?,
            asked_again: registrar.counters(
                "reprise_launched_jobs_asked_about_total",
                "Launched jobs that were asked about, by what was found.",
                &["reason"],
            )?,
            job_tags: registrar.counters(
                "reprise_job_tags_total",
                "Instances tagged with the job that their runner took, by result.",
                &["result"],
            )?,
            stray_runners: registrar.counters(
                "reprise_stray_runners_total",
                "Runners that were to leave GitHub, of machines that are gone or idle, by result.",
                &["result"],
            )?,
            later_attempts_on_spot: registrar.counter(
                "reprise_later_attempts_on_spot_total",
                "Jobs of later attempts that GitHub gave to spot instances after all.",
            )?,
            image_ages: registrar.gauges(
                "reprise_image_age_seconds",
                "How old the images are that instances run from, as the replica that sweeps sees them.",
                &["region", "image"],
            )?,
            runner_ages: registrar.gauges(
                "reprise_runner_age_seconds",
                "How old the runners in these images are: since their release where the image's tag reprise-runner-released says when that was, else at least as old as the image.",
                &["region", "image"],
            )?,
        })
    }
}

impl Metrics {
    pub(crate) fn launch(&self, capacity: &str, answer: &str) {
        let launches = &self.machines.launches;
        launches.with_label_values(&[capacity, answer]).inc();
    }

    pub(crate) fn terminated(&self, reason: &str) {
        self.machines
            .terminations
            .with_label_values(&[reason])
            .inc();
    }

    /// Shows these, the oldest first, and no other.
    pub(crate) fn image_ages(&self, ages: &[ImageAge]) {
        let (images, runners) = (&self.machines.image_ages, &self.machines.runner_ages);
        images.reset();
        runners.reset();
        for one in ages.iter().take(MOST_IMAGES) {
            let labels = [one.image.region.as_str(), one.image.image.as_str()];
            images.with_label_values(&labels).set(one.age.as_secs());
            runners
                .with_label_values(&labels)
                .set(one.runner_age.as_secs());
        }
    }

    /// The pool's names are EC2's: a job's labels only choose among them.
    pub(crate) fn breaker_stands(&self, pool: &PoolKey, number: i64) {
        let labels = [pool.region.as_str(), &pool.zone, &pool.family];
        self.machines
            .breakers
            .with_label_values(&labels)
            .set(number);
    }

    pub(crate) fn breaker_opened(&self, reason: &str) {
        let opened = &self.machines.breakers_opened;
        opened.with_label_values(&[reason]).inc();
    }

    pub(crate) fn launch_waits(&self, reason: &str) {
        self.machines
            .launch_waits
            .with_label_values(&[reason])
            .inc();
    }

    pub(crate) fn told(&self, what: &str, answer: &str) {
        self.machines.told.with_label_values(&[what, answer]).inc();
    }

    pub(crate) fn asked_again(&self, reason: &str) {
        self.machines.asked_again.with_label_values(&[reason]).inc();
    }

    pub(crate) fn job_tagged(&self, result: &str) {
        self.machines.job_tags.with_label_values(&[result]).inc();
    }

    pub(crate) fn stray_runner(&self, result: &str) {
        self.machines
            .stray_runners
            .with_label_values(&[result])
            .inc();
    }

    pub(crate) fn later_attempt_on_spot(&self) {
        self.machines.later_attempts_on_spot.inc();
    }
}
