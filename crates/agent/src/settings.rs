//! The agent's settings: a TOML file, over it the environment.
//!
//! Precedence: `REPRISE_AGENT_*`, then AWS's own variables, then the file, then the default. What
//! cannot be understood is refused with its place, all of it at once but what follows a mistake in the file's own
//! grammar; nothing is silently ignored.

use std::collections::BTreeMap;
use std::path::PathBuf;

use reprise_model::tags::TagKeys;
use serde::Deserialize;

use crate::endpoint::Endpoint;

mod environment;
mod interruption;
mod logs;
mod problem;
mod runner;
mod values;

use environment::{Environment, PathKey};
use interruption::InterruptionFile;
pub use interruption::{EndJob, InterruptionSettings, NoticeSpan, OnRebalance};
pub use logs::{Console, LogFormat, LogLevel};
pub use problem::{SettingsError, SettingsProblem};
use runner::RunnerFile;
pub use runner::{CommandWords, OnEnd, RunnerSettings, Span};
pub use values::{PollInterval, TagPrefix};

/// Where the settings are unless the command line says otherwise; it need not exist.
pub const DEFAULT_PATH: &str = "/etc/reprise/agent.toml";

/// The variables of this program begin so.
const PREFIX: &str = "REPRISE_AGENT_";

/// Sections of the controller's configuration that the agent has not.
const OF_THE_CONTROLLER: &[&str] = &[
    "github", "aws", "queues", "store", "http", "fleet", "retry", "tags",
];

/// Every variable with that prefix; the first is the command line's.
const VARIABLES: &[&str] = &[
    "REPRISE_AGENT_CONFIG",
    "REPRISE_AGENT_METADATA_ENDPOINT",
    "REPRISE_AGENT_EC2_ENDPOINT",
    "REPRISE_AGENT_DYNAMODB_ENDPOINT",
    "REPRISE_AGENT_CA_BUNDLE",
    "REPRISE_AGENT_TAG_PREFIX",
    "REPRISE_AGENT_POLL_INTERVAL",
    "REPRISE_AGENT_LOG_FORMAT",
    "REPRISE_AGENT_LOG_LEVEL",
    "REPRISE_AGENT_CONSOLE",
    "REPRISE_AGENT_RUNNER_TABLE",
    "REPRISE_AGENT_RUNNER_ROLE_ID",
    "REPRISE_AGENT_RUNNER_COMMAND",
    "REPRISE_AGENT_RUNNER_CONFIG_FILE",
    "REPRISE_AGENT_RUNNER_USER",
    "REPRISE_AGENT_RECORD_FILE",
    "REPRISE_AGENT_HOOKS_FOLDER",
    "REPRISE_AGENT_HOOK_TIMEOUT",
    "REPRISE_AGENT_RUNNERS_BELOW",
    "REPRISE_AGENT_END_JOB",
    "REPRISE_AGENT_FINISH_UNTIL",
    "REPRISE_AGENT_STOP_RUNNER_AT",
    "REPRISE_AGENT_STEP_GRACE",
    "REPRISE_AGENT_ON_REBALANCE",
    "REPRISE_AGENT_RUNNER_FOLDER",
    "REPRISE_AGENT_RUNNER_IDLE_LIMIT",
    "REPRISE_AGENT_RUNNER_LINGER",
    "REPRISE_AGENT_RUNNER_ON_END",
    "REPRISE_AGENT_RUNNER_LEAVE",
];

const CA_BUNDLE: PathKey = PathKey {
    key: "`ca_bundle`",
    variables: &["REPRISE_AGENT_CA_BUNDLE", "AWS_CA_BUNDLE"],
    example: "/etc/ssl/certs/ca-certificates.crt, or leave it out",
    may_be_empty: false,
};

/// What the agent can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where the metadata service is.
    pub metadata_endpoint: Endpoint,
    /// Where EC2's API is; the region's own endpoint if not set.
    pub ec2_endpoint: Option<Endpoint>,
    /// Where DynamoDB's API is; the region's own endpoint if not set.
    pub dynamodb_endpoint: Option<Endpoint>,
    /// The authorities that prove a server of AWS's, in PEM; those that are built in if not set.
    pub ca_bundle: Option<PathBuf>,
    /// The runner that it starts; without one it only watches, beside a fleet's own runner.
    pub runner: Option<RunnerSettings>,
    /// What it does on a notice, beside the tag.
    pub interruption: InterruptionSettings,
    /// What its tags' keys begin with.
    pub tag_prefix: TagPrefix,
    /// The time between two polls.
    pub poll_interval: PollInterval,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Which log lines there are.
    pub log_level: LogLevel,
    /// Where the lines go too that are to survive the host.
    pub console: Console,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            metadata_endpoint: Endpoint::metadata_default(),
            ec2_endpoint: None,
            dynamodb_endpoint: None,
            ca_bundle: None,
            runner: None,
            interruption: InterruptionSettings::default(),
            tag_prefix: TagPrefix::default(),
            poll_interval: PollInterval::default(),
            log_format: LogFormat::default(),
            log_level: LogLevel::default(),
            console: Console::default(),
        }
    }
}

impl Settings {
    /// Reads the file's text, if there is a file, and the variables of the environment.
    pub fn load(
        file: Option<&str>,
        variables: &BTreeMap<String, String>,
    ) -> Result<Self, SettingsError> {
        let environment = Environment::new(variables);
        let settings = match toml::from_str(file.unwrap_or_default()) {
            Ok(file) => Self::of(file, &environment),
            Err(error) => {
                environment.refuse(not_ours(file.unwrap_or_default(), &error));
                Self::default()
            }
        };
        match environment.into_problems() {
            none if none.is_empty() => Ok(settings),
            problems => Err(SettingsError(problems)),
        }
    }

    fn of(mut file: File, environment: &Environment<'_>) -> Self {
        let mut settings = Self {
            runner: RunnerFile::settings(file.runner.take(), environment),
            interruption: file
                .interruption
                .take()
                .unwrap_or_default()
                .settings(environment),
            ..Self::default()
        };
        settings.apply_file(file, environment);
        settings.apply_environment(environment);
        if let Some(runner) = &settings.runner {
            let below = &mut settings.interruption.runners_below;
            below.get_or_insert_with(|| runner.folder.clone());
        }
        if !settings.metadata_endpoint.is_plain_http() {
            environment.refuse(SettingsProblem::MetadataOverTls);
        }
        settings
    }

    /// The keys of its tags.
    pub fn tag_keys(&self) -> TagKeys {
        TagKeys::with_prefix(self.tag_prefix.to_string())
    }

    fn apply_file(&mut self, file: File, environment: &Environment<'_>) {
        replace(&mut self.metadata_endpoint, file.metadata_endpoint);
        replace(&mut self.tag_prefix, file.tag_prefix);
        replace(&mut self.poll_interval, file.poll_interval);
        replace(&mut self.log_format, file.log_format);
        replace(&mut self.log_level, file.log_level);
        replace(&mut self.console, file.console);
        self.ec2_endpoint = file.ec2_endpoint;
        self.dynamodb_endpoint = file.dynamodb_endpoint;
        self.ca_bundle = environment.path(&CA_BUNDLE, file.ca_bundle);
    }

    fn apply_environment(&mut self, e: &Environment<'_>) {
        let metadata = [
            "REPRISE_AGENT_METADATA_ENDPOINT",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT",
        ];
        let ec2 = [
            "REPRISE_AGENT_EC2_ENDPOINT",
            "AWS_ENDPOINT_URL_EC2",
            "AWS_ENDPOINT_URL",
        ];
        let dynamodb = [
            "REPRISE_AGENT_DYNAMODB_ENDPOINT",
            "AWS_ENDPOINT_URL_DYNAMODB",
            "AWS_ENDPOINT_URL",
        ];
        replace(&mut self.metadata_endpoint, e.first(&metadata));
        if let Some(endpoint) = e.first(&ec2) {
            self.ec2_endpoint = Some(endpoint);
        }
        if let Some(endpoint) = e.first(&dynamodb) {
            self.dynamodb_endpoint = Some(endpoint);
        }
        replace(&mut self.tag_prefix, e.first(&["REPRISE_AGENT_TAG_PREFIX"]));
        replace(
            &mut self.poll_interval,
            e.first(&["REPRISE_AGENT_POLL_INTERVAL"]),
        );
        replace(&mut self.log_format, e.first(&["REPRISE_AGENT_LOG_FORMAT"]));
        replace(&mut self.log_level, e.first(&["REPRISE_AGENT_LOG_LEVEL"]));
        replace(&mut self.console, e.first(&["REPRISE_AGENT_CONSOLE"]));
    }
}

/// What is wrong with a file that is none of the agent's, or has mistakes.
fn not_ours(text: &str, error: &toml::de::Error) -> SettingsProblem {
    let table: toml::Table = toml::from_str(text).unwrap_or_default();
    let mut sections = OF_THE_CONTROLLER.iter();
    match sections.find(|section| table.contains_key(**section)) {
        Some(section) => SettingsProblem::ControllersFile(section),
        None => SettingsProblem::File(error.to_string().trim_end().to_owned()),
    }
}

/// Where things are, and how the agent tells of them.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Where the metadata service is. `AWS_EC2_METADATA_SERVICE_ENDPOINT` is heard too.
    ///
    /// Default: `"http://169.254.169.254"`.
    metadata_endpoint: Option<Endpoint>,
    /// Where EC2's API is. `AWS_ENDPOINT_URL_EC2` and `AWS_ENDPOINT_URL` are heard too.
    ///
    /// Default: the region's own.
    ec2_endpoint: Option<Endpoint>,
    /// Where DynamoDB's API is, in which the runner's configuration lies. `AWS_ENDPOINT_URL_DYNAMODB` and
    /// `AWS_ENDPOINT_URL` are heard too.
    ///
    /// Default: the region's own.
    dynamodb_endpoint: Option<Endpoint>,
    /// A file of certificates in PEM, of the authorities that prove EC2 and DynamoDB to be what they say, as where a
    /// proxy opens TLS. `AWS_CA_BUNDLE` is heard too.
    ///
    /// Default: those that are built in.
    ca_bundle: Option<PathBuf>,
    runner: Option<RunnerFile>,
    interruption: Option<InterruptionFile>,
    /// What its tags' keys begin with, in at most 90 characters; the same as `[tags] prefix` of the controller.
    ///
    /// Default: `"runs-on-"`.
    tag_prefix: Option<TagPrefix>,
    /// The time between two looks for a notice; the metadata service throttles those that ask much more often than
    /// once a second.
    ///
    /// Default: `"1s"`. Range: `"1ms"` to `"60s"`.
    poll_interval: Option<PollInterval>,
    /// For people, for machines, or into the journal; `auto` is the journal where systemd connected the agent to it,
    /// else text.
    ///
    /// Default: `"auto"`.
    log_format: Option<LogFormat>,
    /// These lines and those that are worse.
    ///
    /// Default: `"info"`.
    log_level: Option<LogLevel>,
    /// Where the lines go too that are to survive the host: `off` is nowhere, a path is a device or file, and `auto`
    /// is `/dev/console` for root.
    ///
    /// Default: `"auto"`.
    console: Option<Console>,
}

fn replace<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}

#[cfg(test)]
mod tests;
