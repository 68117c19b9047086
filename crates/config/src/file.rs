//! The file as it is written: every key optional, so that the environment may hold it instead.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use jiff::SignedDuration;
use reprise_model::machine::Architecture;
use reprise_model::policy::{
    EvidenceRule, FailurePolicy, MixedReruns, OnDemandRetries, OnLaunchExhausted,
};
use secrecy::SecretString;
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::LogFormat;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct File {
    pub(crate) github: GitHub,
    pub(crate) checks: Checks,
    pub(crate) aws: Aws,
    pub(crate) queues: Queues,
    pub(crate) store: StoreSection,
    pub(crate) http: Http,
    pub(crate) api: Api,
    pub(crate) fleet: Fleet,
    pub(crate) breaker: Breaker,
    pub(crate) runner: Runner,
    pub(crate) retry: Retry,
    pub(crate) tags: Tags,
    pub(crate) log: Log,
    pub(crate) limits: Limits,
    pub(crate) failures: Failures,
    pub(crate) ask: BTreeMap<String, Ask>,
    pub(crate) policy: Vec<Policy>,
    pub(crate) runners: BTreeMap<String, NamedRunner>,
    pub(crate) images: BTreeMap<String, Image>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct GitHub {
    pub(crate) base_url: Option<String>,
    pub(crate) app_id: Option<u64>,
    pub(crate) private_key: Option<SecretString>,
    pub(crate) private_key_file: Option<PathBuf>,
    pub(crate) webhook_secrets: Secrets,
    pub(crate) webhook_secret_file: Option<PathBuf>,
    pub(crate) repositories: Option<Vec<String>>,
    pub(crate) redeliver_every: Option<SignedDuration>,
    pub(crate) redeliver_within: Option<SignedDuration>,
    pub(crate) redeliver_tries: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Checks {
    pub(crate) reports: Option<bool>,
    pub(crate) merge_queue: Vec<String>,
    pub(crate) merge_queue_workflows: Option<Vec<String>>,
    pub(crate) merge_queue_limit: Option<SignedDuration>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Aws {
    pub(crate) request_rate_percent: Option<u32>,
    pub(crate) regions: Vec<AwsRegion>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AwsRegion {
    pub(crate) region: String,
    pub(crate) account: String,
    pub(crate) role_arn: Option<String>,
    #[serde(default)]
    pub(crate) subnets: Vec<String>,
    #[serde(default)]
    pub(crate) private_subnets: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Queues {
    pub(crate) region: Option<String>,
    pub(crate) webhooks: Option<String>,
    pub(crate) ec2_events: Option<String>,
    pub(crate) webhooks_dead_letters: Option<String>,
    pub(crate) ec2_events_dead_letters: Option<String>,
    pub(crate) pollers: Option<usize>,
    pub(crate) at_once: Option<usize>,
    pub(crate) delete_window: Option<SignedDuration>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct StoreSection {
    pub(crate) kind: Option<StoreKind>,
    pub(crate) path: Option<PathBuf>,
    pub(crate) table: Option<String>,
    pub(crate) region: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StoreKind {
    Sqlite,
    DynamoDb,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Http {
    pub(crate) listen: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Api {
    pub(crate) listen: Option<String>,
    pub(crate) token: Option<SecretString>,
    pub(crate) token_file: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Fleet {
    pub(crate) enabled: Option<bool>,
    pub(crate) stack: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) launch_template: Option<String>,
    pub(crate) launch_template_version: Option<String>,
    pub(crate) subnets: Vec<String>,
    pub(crate) private_subnets: Vec<String>,
    pub(crate) types: Vec<FleetType>,
    pub(crate) architecture: Option<Architecture>,
    pub(crate) root_device: Option<String>,
    pub(crate) environment: Option<String>,
    pub(crate) launch_tries: Option<u32>,
    pub(crate) most_launches: Option<u32>,
    pub(crate) on_launch_exhausted: Option<OnLaunchExhausted>,
    pub(crate) tag_jobs: Option<bool>,
    pub(crate) find_queued_every: Option<SignedDuration>,
    pub(crate) old_image_after: Option<SignedDuration>,
    pub(crate) max_run_time: Option<SignedDuration>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Breaker {
    pub(crate) failures: Option<u32>,
    pub(crate) within: Option<SignedDuration>,
    pub(crate) open_for: Option<SignedDuration>,
    pub(crate) open_for_at_most: Option<SignedDuration>,
    pub(crate) most_open: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FleetType {
    pub(crate) name: String,
    pub(crate) cpu: u32,
    pub(crate) ram: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Runner {
    pub(crate) name_pattern: Option<String>,
    pub(crate) table: Option<String>,
    pub(crate) role_id: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) work_folder: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Retry {
    pub(crate) look_window: Option<SignedDuration>,
    pub(crate) look_again_after: Option<SignedDuration>,
    pub(crate) evidence: Option<EvidenceRule>,
    pub(crate) mixed: Option<MixedReruns>,
    pub(crate) on_demand_retries: Option<OnDemandRetries>,
    pub(crate) sweep_every: Option<SignedDuration>,
    pub(crate) allow: Vec<FailurePolicy>,
    pub(crate) when_failed_delays: Option<Vec<SignedDuration>>,
    pub(crate) when_transient_delays: Option<Vec<SignedDuration>>,
    pub(crate) most_an_hour: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Failures {
    pub(crate) transient: Vec<FailurePattern>,
    pub(crate) permanent: Vec<FailurePattern>,
    pub(crate) harmless: Vec<FailurePattern>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FailurePattern {
    pub(crate) patterns: Vec<String>,
    #[serde(default)]
    pub(crate) reach: Option<FailureReach>,
    #[serde(default)]
    pub(crate) except: Vec<String>,
    #[serde(default)]
    pub(crate) unless: Vec<String>,
    #[serde(default)]
    pub(crate) note: String,
    #[serde(default)]
    pub(crate) examples: Vec<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FailureReach {
    Step,
    End,
    Error,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Tags {
    pub(crate) prefix: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Log {
    pub(crate) format: Option<LogFormat>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limits {
    pub(crate) families: Option<Vec<String>>,
    pub(crate) cpu: Option<u32>,
    pub(crate) ram: Option<u32>,
    pub(crate) volume: Option<u32>,
    pub(crate) iops: Option<u32>,
    pub(crate) image_owners: Vec<String>,
    pub(crate) labels: Vec<String>,
    pub(crate) regions: Option<Vec<String>>,
    pub(crate) instances: Option<u32>,
    pub(crate) instances_per_repository: Option<u32>,
    pub(crate) instances_per_run: Option<u32>,
    pub(crate) longest_wait: Option<SignedDuration>,
}

/// The keys of labels that say a part of a machine.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NamedRunner {
    pub(crate) cpu: Option<Said>,
    pub(crate) ram: Option<Said>,
    pub(crate) family: Option<Said>,
    pub(crate) image: Option<Said>,
    pub(crate) volume: Option<Said>,
    pub(crate) spot: Option<Said>,
    pub(crate) region: Option<Said>,
    pub(crate) private: Option<Said>,
    pub(crate) tag: Option<Said>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Image {
    pub(crate) ami: Option<String>,
    pub(crate) owner: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) architecture: Option<Architecture>,
}

/// An endpoint that may be asked.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Ask {
    pub(crate) url: Option<String>,
    pub(crate) lambda: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) repositories: Option<Vec<String>>,
    pub(crate) secret: Option<SecretString>,
    pub(crate) secret_file: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Policy {
    #[serde(default = "anything")]
    pub(crate) repository: String,
    #[serde(default = "anything")]
    pub(crate) workflow: String,
    #[serde(default = "anything")]
    pub(crate) job: String,
    pub(crate) retry: PolicyRetry,
    pub(crate) delays: Option<Vec<SignedDuration>>,
}

/// A list of secrets, or one secret by itself.
#[derive(Debug, Default)]
pub(crate) struct Secrets(pub(crate) Vec<SecretString>);

impl<'de> Deserialize<'de> for Secrets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecretsVisitor)
    }
}

struct SecretsVisitor;

impl<'de> Visitor<'de> for SecretsVisitor {
    type Value = Secrets;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of texts")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Secrets, E> {
        Ok(Secrets(vec![SecretString::from(text)]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Secrets, A::Error> {
        let mut secrets = Vec::new();
        while let Some(secret) = list.next_element()? {
            secrets.push(secret);
        }
        Ok(Secrets(secrets))
    }
}

/// The words of `retry`; `false` and a number may stand without quotes.
#[derive(Debug)]
pub(crate) struct PolicyRetry(pub(crate) String);

impl<'de> Deserialize<'de> for PolicyRetry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PolicyRetryVisitor)
    }
}

struct PolicyRetryVisitor;

impl Visitor<'_> for PolicyRetryVisitor {
    type Value = PolicyRetry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a policy as \"when-interrupted\", a number of re-runs, or false")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<PolicyRetry, E> {
        Ok(PolicyRetry(value.to_string()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<PolicyRetry, E> {
        Ok(PolicyRetry(value.to_string()))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<PolicyRetry, E> {
        Ok(PolicyRetry(text.to_owned()))
    }
}

/// A value as a label would say it: a text, a number, true or false, or a list of these.
#[derive(Debug)]
pub(crate) struct Said(pub(crate) String);

impl<'de> Deserialize<'de> for Said {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SaidVisitor)
    }
}

struct SaidVisitor;

impl<'de> Visitor<'de> for SaidVisitor {
    type Value = Said;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what a label would say")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Said, E> {
        Ok(Said(value.to_string()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Said, E> {
        Ok(Said(value.to_string()))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Said, E> {
        Ok(Said(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Said, A::Error> {
        let mut parts = Vec::new();
        while let Some(Said(part)) = list.next_element()? {
            parts.push(part);
        }
        Ok(Said(parts.join("+")))
    }
}

fn anything() -> String {
    "*".to_owned()
}
