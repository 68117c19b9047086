//! The file as it is written: every key optional, so that the environment may hold it instead.
//!
//! docs/configuration.md is made of what stands here (`cargo xtask config-reference`). The last paragraph of a
//! key's comment says what holds without it, `Default:` or `Required`, and perhaps its `Range:`; a test tries both.

mod fleet;
mod labels;
mod retry;
mod said;

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::SignedDuration;
use secrecy::SecretString;
use serde::Deserialize;

use crate::LogFormat;

pub(crate) use fleet::{Breaker, Fleet, FleetType, Runner};
pub(crate) use labels::{Image, Limits, NamedRunner};
pub(crate) use retry::{Ask, FailurePattern, FailureReach, Failures, Policy, Retry};
pub(crate) use said::{PolicyRetry, Said, Secrets};

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

/// The GitHub App, its secrets, and whom it serves.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct GitHub {
    /// The REST API. GitHub Enterprise Server: `https://HOST/api/v3`.
    ///
    /// Default: `"https://api.github.com"`.
    pub(crate) base_url: Option<String>,
    /// The App's id.
    ///
    /// Required. Range: at least `1`.
    pub(crate) app_id: Option<u64>,
    /// The text of the App's private key; for the environment.
    ///
    /// Default: what `private_key_file` holds.
    pub(crate) private_key: Option<SecretString>,
    /// The App's private key, the PEM file that GitHub gave.
    ///
    /// Required without `private_key`.
    pub(crate) private_key_file: Option<PathBuf>,
    /// The webhook's secret. In a list each counts, so that it can be changed without a gap.
    ///
    /// Required without `webhook_secret_file`.
    pub(crate) webhook_secrets: Secrets,
    /// A file with one secret, which then is the current one; the list holds older ones.
    ///
    /// Default: none.
    pub(crate) webhook_secret_file: Option<PathBuf>,
    /// Repositories that are served, as `owner/name`; `*` stands for any text.
    ///
    /// Default: `["*"]`.
    pub(crate) repositories: Option<Vec<String>>,
    /// How often the App's failed webhook deliveries are looked for, to have them made again; `"0s"` is never.
    ///
    /// Default: `"5m"`. Range: `"0s"` to `"6h"`.
    pub(crate) redeliver_every: Option<SignedDuration>,
    /// How old what failed may be.
    ///
    /// Default: `"72h"`. Range: more than `"0s"` to `"720h"`.
    pub(crate) redeliver_within: Option<SignedDuration>,
    /// How often one delivery is asked for before it is given up.
    ///
    /// Default: `5`. Range: at least `1`.
    pub(crate) redeliver_tries: Option<u32>,
}

/// What people are told on commits, and which merge queues wait for it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Checks {
    /// A check run "Reprise" on the commit of each run in which EC2 took a job's machine.
    ///
    /// Default: `true`.
    pub(crate) reports: Option<bool>,
    /// Repositories whose merge queues wait until no retry is due, by a check run a workflow that they require.
    ///
    /// Default: `[]`.
    pub(crate) merge_queue: Vec<String>,
    /// The workflows of those for which they wait, by name; only beside `merge_queue`.
    ///
    /// Default: `["*"]`.
    pub(crate) merge_queue_workflows: Option<Vec<String>>,
    /// How long a merge queue's check run waits before it fails.
    ///
    /// Default: `"1h"`. Range: `"5m"` to `"6h"`.
    pub(crate) merge_queue_limit: Option<SignedDuration>,
}

/// Where instances are.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Aws {
    /// What part this replica takes of the request rates that EC2 gives an account by default, in percent.
    ///
    /// Default: `100`. Range: `1` to `10000`.
    pub(crate) request_rate_percent: Option<u32>,
    /// The regions, one entry each.
    ///
    /// Required.
    pub(crate) regions: Vec<AwsRegion>,
}

/// A region where runners run.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AwsRegion {
    /// Its name, as `eu-west-1`.
    ///
    /// Required.
    pub(crate) region: String,
    /// The account there, twelve digits.
    ///
    /// Required.
    pub(crate) account: String,
    /// The role to take there, where the account is another one.
    ///
    /// Default: none.
    pub(crate) role_arn: Option<String>,
    /// Where labels may launch there, from a launch template of the fleet's name; those of the fleet's own region
    /// stand in `[fleet]`.
    ///
    /// Default: `[]`.
    #[serde(default)]
    pub(crate) subnets: Vec<String>,
    /// The same for jobs that say `private`.
    ///
    /// Default: `[]`.
    #[serde(default)]
    pub(crate) private_subnets: Vec<String>,
}

/// Where messages come from.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Queues {
    /// The queues' region.
    ///
    /// Default: the first of `[[aws.regions]]`.
    pub(crate) region: Option<String>,
    /// The URL of the queue with GitHub's webhooks.
    ///
    /// Required.
    pub(crate) webhooks: Option<String>,
    /// The URL of the queue with EC2's events. Only EventBridge may write to it: what is there is believed.
    ///
    /// Default: none.
    pub(crate) ec2_events: Option<String>,
    /// Where webhooks go that cannot be read; without it they are only logged.
    ///
    /// Default: none.
    pub(crate) webhooks_dead_letters: Option<String>,
    /// The same for EC2's events.
    ///
    /// Default: none.
    pub(crate) ec2_events_dead_letters: Option<String>,
    /// Receive calls that are open at once, a queue.
    ///
    /// Default: `1`. Range: `1` to `100`.
    pub(crate) pollers: Option<usize>,
    /// Messages under way at once, a queue.
    ///
    /// Default: `1000`. Range: `1` to `120000`.
    pub(crate) at_once: Option<usize>,
    /// How long a message that was dealt with waits for others, to be deleted in one call with them.
    ///
    /// Default: `"20s"`. Range: `"0s"` to `"20s"`.
    pub(crate) delete_window: Option<SignedDuration>,
}

/// The ledger.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct StoreSection {
    /// A file for one controller on one machine, or a table for any number of controllers.
    ///
    /// Default: `"sqlite"`.
    pub(crate) kind: Option<StoreKind>,
    /// The file; with `kind = "sqlite"`.
    ///
    /// Default: `"reprise.db"`.
    pub(crate) path: Option<PathBuf>,
    /// The DynamoDB table's name, 3 to 255 letters, digits, dots, dashes and underscores.
    ///
    /// Required with `kind = "dynamodb"`.
    pub(crate) table: Option<String>,
    /// The table's region; with `kind = "dynamodb"`.
    ///
    /// Default: that of the queues.
    pub(crate) region: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StoreKind {
    Sqlite,
    DynamoDb,
}

/// What is served to everybody: `/metrics`, `/healthz` and `/readyz`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Http {
    /// The address and port.
    ///
    /// Default: `"127.0.0.1:9464"`.
    pub(crate) listen: Option<String>,
}

/// The operator's API, in plain HTTP; it is served only where it has a token.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Api {
    /// The address and port, another than that of `[http]`.
    ///
    /// Default: `"127.0.0.1:9465"`.
    pub(crate) listen: Option<String>,
    /// The token itself; for the environment. 16 or more letters, digits and signs.
    ///
    /// Default: what `token_file` holds.
    pub(crate) token: Option<SecretString>,
    /// A file with the token.
    ///
    /// Default: none.
    pub(crate) token_file: Option<PathBuf>,
}

/// The tags of instances.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Tags {
    /// What their keys begin with, in at most 100 characters; the agent's `tag_prefix` must be the same.
    ///
    /// Default: `"runs-on-"`.
    pub(crate) prefix: Option<String>,
}

/// The controller's log.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Log {
    /// One JSON object a line for machines, or one readable line.
    ///
    /// Default: `"json"`.
    pub(crate) format: Option<LogFormat>,
}
