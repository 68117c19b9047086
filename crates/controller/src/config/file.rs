//! The file as it is written: every key optional, so that the environment may hold it instead.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use jiff::SignedDuration;
use reprise_model::policy::OnDemandRetries;
use secrecy::SecretString;
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::logging::LogFormat;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct File {
    pub(super) github: GitHub,
    pub(super) aws: Aws,
    pub(super) queues: Queues,
    pub(super) store: StoreSection,
    pub(super) http: Http,
    pub(super) fleet: Fleet,
    pub(super) runner: Runner,
    pub(super) retry: Retry,
    pub(super) tags: Tags,
    pub(super) log: Log,
    pub(super) policy: Vec<Policy>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct GitHub {
    pub(super) base_url: Option<String>,
    pub(super) app_id: Option<u64>,
    pub(super) private_key: Option<SecretString>,
    pub(super) private_key_file: Option<PathBuf>,
    pub(super) webhook_secrets: Secrets,
    pub(super) webhook_secret_file: Option<PathBuf>,
    pub(super) repositories: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Aws {
    pub(super) regions: Vec<AwsRegion>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AwsRegion {
    pub(super) region: String,
    pub(super) account: String,
    pub(super) role_arn: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Queues {
    pub(super) region: Option<String>,
    pub(super) webhooks: Option<String>,
    pub(super) ec2_events: Option<String>,
    pub(super) webhooks_dead_letters: Option<String>,
    pub(super) ec2_events_dead_letters: Option<String>,
    pub(super) pollers: Option<usize>,
    pub(super) at_once: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct StoreSection {
    pub(super) path: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Http {
    pub(super) listen: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Fleet {
    pub(super) enabled: Option<bool>,
    pub(super) stack: Option<String>,
    pub(super) region: Option<String>,
    pub(super) launch_template: Option<String>,
    pub(super) launch_template_version: Option<String>,
    pub(super) subnets: Vec<String>,
    pub(super) types: Vec<FleetType>,
    pub(super) images: BTreeMap<String, String>,
    pub(super) launch_tries: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FleetType {
    pub(super) name: String,
    pub(super) cpu: u32,
    pub(super) ram: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Runner {
    pub(super) name_pattern: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Retry {
    pub(super) look_window: Option<SignedDuration>,
    pub(super) look_again_after: Option<SignedDuration>,
    pub(super) on_demand_retries: Option<OnDemandRetries>,
    pub(super) sweep_every: Option<SignedDuration>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Tags {
    pub(super) prefix: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Log {
    pub(super) format: Option<LogFormat>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Policy {
    #[serde(default = "anything")]
    pub(super) repository: String,
    #[serde(default = "anything")]
    pub(super) workflow: String,
    #[serde(default = "anything")]
    pub(super) job: String,
    pub(super) retry: PolicyRetry,
}

/// A list of secrets, or one secret by itself.
#[derive(Debug, Default)]
pub(super) struct Secrets(pub(super) Vec<SecretString>);

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

/// The words of `retry`; `false` may stand without quotes.
#[derive(Debug)]
pub(super) struct PolicyRetry(pub(super) String);

impl<'de> Deserialize<'de> for PolicyRetry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PolicyRetryVisitor)
    }
}

struct PolicyRetryVisitor;

impl Visitor<'_> for PolicyRetryVisitor {
    type Value = PolicyRetry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"when-interrupted\" or false")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<PolicyRetry, E> {
        Ok(PolicyRetry(value.to_string()))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<PolicyRetry, E> {
        Ok(PolicyRetry(text.to_owned()))
    }
}

fn anything() -> String {
    "*".to_owned()
}
