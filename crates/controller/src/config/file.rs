//! The file as it is written: every key optional, so that the environment may hold it instead.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::SignedDuration;
use reprise_model::policy::OnDemandRetries;
use secrecy::SecretString;
use serde::Deserialize;

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
    pub(super) webhook_secrets: Vec<SecretString>,
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
    pub(super) retry: String,
}

fn anything() -> String {
    "*".to_owned()
}
