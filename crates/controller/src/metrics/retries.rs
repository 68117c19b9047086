//! Interruptions, and what becomes of the jobs that they hit.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{HistogramVec, IntCounterVec};
use reprise_model::ids::{InstanceId, Repository};
use reprise_model::instance::Instance;
use reprise_model::view::{RetryState, RetryView};

use super::capped::Capped;
use super::{Metrics, Registrar};

/// How many repositories are shown by name. With [`MOST_FAMILIES`] there are some 400 pairs at most, and a
/// histogram makes 13 series of each.
const MOST_REPOSITORIES: usize = 25;

/// How many families of instance types are shown by name.
const MOST_FAMILIES: usize = 15;

/// How many instances' families are remembered from the interruption to the job's end.
const MOST_MACHINES: usize = 10_000;

/// Where a family is not known: the replica that saw the instance was another one.
const UNKNOWN: &str = "unknown";

/// From a minute to eight hours, in seconds.
const BUCKETS: [f64; 10] = [
    60.0, 120.0, 300.0, 600.0, 1_200.0, 1_800.0, 3_600.0, 7_200.0, 14_400.0, 28_800.0,
];

#[derive(Debug, Clone)]
pub(super) struct Retries {
    reruns: IntCounterVec,
    interruptions: IntCounterVec,
    ended: IntCounterVec,
    recoveries: IntCounterVec,
    to_green: HistogramVec,
    exhausted: IntCounterVec,
    unverified: IntCounterVec,
    advised: IntCounterVec,
    parked: IntCounterVec,
    repositories: Capped,
    families: Capped,
    machines: Arc<Mutex<BTreeMap<InstanceId, String>>>,
}

impl Retries {
    pub(super) fn new(registrar: &mut Registrar) -> Result<Self, prometheus::Error> {
        Ok(Self {
            reruns: registrar.counters(
                "reprise_reruns_total",
                "Re-runs asked for, by target and answer.",
                &["target", "answer"],
            )?,
            interruptions: registrar.counters(
                "reprise_interruptions_total",
                "Jobs that are to come back because EC2 took their instances.",
                &["repository", "family"],
            )?,
            ended: registrar.counters(
                "reprise_retries_total",
                "Jobs that were to come back and are settled, by policy and outcome.",
                &["policy", "outcome", "repository", "family"],
            )?,
            recoveries: registrar.counters(
                "reprise_recoveries_total",
                "Jobs that a re-run brought through, by the attempt that did it; 6 stands for all later ones.",
                &["attempt", "repository", "family"],
            )?,
            to_green: registrar.histograms(
                "reprise_interruption_to_green_seconds",
                "How long it took from an interruption until a re-run was seen to have brought the job through.",
                &["repository", "family"],
                &BUCKETS,
            )?,
            exhausted: registrar.counters(
                "reprise_exhausted_total",
                "Jobs that did not come through and that nobody works on any more, by reason.",
                &["reason", "repository", "family"],
            )?,
            unverified: registrar.counters(
                "reprise_unverified_interruptions_total",
                "Settled jobs whose interruption nothing but the agent's tag shows; where proof is asked for, they were not re-run.",
                &["repository", "family"],
            )?,
            advised: registrar.counters(
                "reprise_ask_answers_total",
                "Questions to endpoints about jobs, by endpoint and outcome: yes, no, or why there was no answer.",
                &["endpoint", "outcome"],
            )?,
            parked: registrar.counters(
                "reprise_parked_jobs_total",
                "Jobs whose re-run was put off because their repository had had its re-runs of the hour.",
                &["repository", "family"],
            )?,
            repositories: Capped::new(MOST_REPOSITORIES),
            families: Capped::new(MOST_FAMILIES),
            machines: Arc::default(),
        })
    }

    /// Repository and family as they are shown.
    fn place<'a>(&self, repository: &'a str, family: &'a str) -> [&'a str; 2] {
        [self.repositories.of(repository), self.families.of(family)]
    }

    /// Nobody's where it ran on no instance that is known.
    fn family(&self, instance: Option<&Instance>) -> String {
        let machines = self.machines.lock().unwrap_or_else(PoisonError::into_inner);
        let family = instance.and_then(|instance| machines.get(&instance.id).cloned());
        family.unwrap_or_else(|| UNKNOWN.to_owned())
    }
}

impl Metrics {
    pub(crate) fn rerun(&self, target: &str, answer: &str) {
        let reruns = &self.retries.reruns;
        reruns.with_label_values(&[target, answer]).inc();
    }

    /// Remembers which type an instance is that was interrupted: its name begins with the family's.
    pub(crate) fn saw_machine(&self, id: &InstanceId, instance_type: &str) {
        let family = instance_type.split('.').next().unwrap_or(UNKNOWN);
        let machines = &self.retries.machines;
        let mut machines = machines.lock().unwrap_or_else(PoisonError::into_inner);
        // Ids say nothing of age; whichever goes was most likely settled long ago.
        while machines.len() >= MOST_MACHINES && machines.pop_first().is_some() {}
        machines.insert(id.clone(), family.to_owned());
    }

    pub(crate) fn interrupted(&self, repository: &Repository, instance: Option<&Instance>) {
        let (name, family) = (repository.to_string(), self.retries.family(instance));
        let place = self.retries.place(&name, &family);
        let interruptions = &self.retries.interruptions;
        interruptions.with_label_values(&place).inc();
    }

    /// A job that was to come back is settled. `seconds` lie between its interruption and now.
    pub(crate) fn retry_ended(
        &self,
        job: &RetryView,
        instance: Option<&Instance>,
        seconds: Option<i64>,
    ) {
        let retries = &self.retries;
        let (name, family) = (job.repository.to_string(), retries.family(instance));
        let [repository, family] = retries.place(&name, &family);
        let reason = job.reason.as_deref().unwrap_or(UNKNOWN);
        let policy = job.policy.as_deref().unwrap_or(UNKNOWN);
        let labels = [policy, reason, repository, family];
        retries.ended.with_label_values(&labels).inc();
        match job.state {
            RetryState::Recovered => {
                let attempt = job.attempt.get().min(6).to_string();
                let labels = [attempt.as_str(), repository, family];
                retries.recoveries.with_label_values(&labels).inc();
                if let Some(seconds) = seconds {
                    let to_green = retries.to_green.with_label_values(&[repository, family]);
                    to_green.observe(seconds as f64);
                }
            }
            RetryState::Exhausted => {
                let labels = [reason, repository, family];
                retries.exhausted.with_label_values(&labels).inc();
            }
            RetryState::Awaiting
            | RetryState::Parked
            | RetryState::Due
            | RetryState::Asked
            | RetryState::LeftAlone => {}
        }
    }

    /// An endpoint was asked: one of those that configuration names.
    pub(crate) fn advised(&self, endpoint: &str, outcome: &str) {
        let advised = &self.retries.advised;
        advised.with_label_values(&[endpoint, outcome]).inc();
    }

    /// The re-run of a job has to wait for the hour's budget.
    pub(crate) fn parked(&self, repository: &Repository, instance: Option<&Instance>) {
        let (name, family) = (repository.to_string(), self.retries.family(instance));
        let place = self.retries.place(&name, &family);
        self.retries.parked.with_label_values(&place).inc();
    }

    pub(crate) fn unverified(&self, repository: &Repository, instance: Option<&Instance>) {
        let (name, family) = (repository.to_string(), self.retries.family(instance));
        let place = self.retries.place(&name, &family);
        self.retries.unverified.with_label_values(&place).inc();
    }
}

#[cfg(test)]
mod tests {
    use reprise_model::ids::{AccountId, Region};

    use super::*;

    fn instance(number: u32) -> Instance {
        Instance {
            account: AccountId::new("123456789012"),
            region: Region::new("eu-west-1"),
            id: format!("i-{number:017x}").parse().expect("an id"),
        }
    }

    fn shown(metrics: &Metrics) -> String {
        String::from_utf8(metrics.text().expect("text")).expect("text")
    }

    #[test]
    fn strangers_make_no_more_series_than_the_cap_allows() {
        let metrics = Metrics::new().expect("metrics");
        for number in 0..500 {
            let repository = format!("acme/repo-{number}").parse().expect("valid");
            let host = instance(number);
            metrics.saw_machine(&host.id, &format!("c{number}a.large"));
            metrics.interrupted(&repository, Some(&host));
        }
        let text = shown(&metrics);
        let series = text
            .lines()
            .filter(|line| line.starts_with("reprise_interruptions_total{"));
        assert_eq!(series.count(), MOST_REPOSITORIES + 1);
        let rest = "reprise_interruptions_total{family=\"other\",repository=\"other\"} 475";
        assert!(text.lines().any(|line| line == rest), "{text}");
        assert!(
            text.contains("{family=\"c0a\",repository=\"acme/repo-0\"} 1"),
            "{text}"
        );
    }

    #[test]
    fn what_is_remembered_of_machines_is_bounded() {
        let metrics = Metrics::new().expect("metrics");
        for number in 0..=MOST_MACHINES {
            let number = u32::try_from(number).expect("small");
            metrics.saw_machine(&instance(number).id, "m7a.large");
        }
        let machines = metrics.retries.machines.lock().expect("no poison");
        assert_eq!(machines.len(), MOST_MACHINES);
    }
}
