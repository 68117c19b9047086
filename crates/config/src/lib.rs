//! The controller's configuration: a TOML file, overridden by the environment, checked as a whole.
//!
//! It reads that file and the files with secrets that it names, connects to nothing, and knows no
//! SDK, so that any command may read it and a fuzzer may try it.
//!
//! `REPRISE__SECTION__KEY=value` overrides `[section] key`. Every mistake names its place and what
//! would be right; an unknown key is a mistake, because a misspelt one would silently do nothing.

mod check;
mod checker;
mod environment;
mod error;
pub mod failures;
mod file;
mod form;
mod keys;
pub mod policies;
mod settings;
mod url;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use reprise_model::advice::EndpointName;
use reprise_model::ids::{AccountId, Region};
use reprise_model::runner_row::RoleId;
use secrecy::SecretString;
use serde::Deserialize;

use checker::Secrecy;
pub use error::{ConfigError, Mistake, Problem};
pub use failures::Failures;
pub use settings::{CheckSettings, FleetSettings, Place, Settings};

/// Where a controller's configuration is, unless somebody says otherwise.
pub const DEFAULT_PATH: &str = "/etc/reprise/controller.toml";

/// The variable by which somebody does.
pub const PATH_VARIABLE: &str = "REPRISE_CONFIG";

/// This process's environment. Other programs' variables may be no text; ours are.
pub fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// A configuration that was read and found good.
#[derive(Debug)]
pub struct Config {
    /// How to reach GitHub.
    pub github: GitHubConfig,
    /// The regions, with the role to take in each.
    pub regions: Vec<RegionConfig>,
    /// The queues.
    pub queues: QueuesConfig,
    /// The ledger.
    pub store: StoreConfig,
    /// Where `/metrics` and the health answers are served.
    pub listen: SocketAddr,
    /// The operator's API; `None` where it has no token.
    pub api: Option<ApiConfig>,
    /// How logs are written.
    pub log_format: LogFormat,
    /// How often everything is reconciled.
    pub sweep_every: jiff::SignedDuration,
    /// How new instances get their runners; `None` where they bring them along.
    pub runners: Option<RunnersConfig>,
    /// The endpoints that may be asked about re-runs.
    pub endpoints: BTreeMap<EndpointName, EndpointConfig>,
    /// What decisions go by.
    pub settings: Settings,
}

/// What a configuration says to those who need none of its secrets: they may be elsewhere, or nobody's business.
#[derive(Debug)]
pub struct Outline {
    /// The queues.
    pub queues: QueuesConfig,
    /// The ledger.
    pub store: StoreConfig,
    /// The webhook secrets, where all of them can be read; else none.
    pub webhook_secrets: Vec<SecretString>,
    /// What decisions go by.
    pub settings: Settings,
}

/// A region to work in, and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionConfig {
    /// Which region.
    pub region: Region,
    /// The account that owns its instances.
    pub account: AccountId,
    /// The role to take on for it; `None` uses the program's own credentials.
    pub role_arn: Option<String>,
}

/// How an endpoint is asked that has a say in re-runs.
#[derive(Debug)]
pub enum EndpointConfig {
    /// By HTTPS.
    Url {
        /// Where.
        url: String,
        /// What signs the questions.
        secret: SecretString,
    },
    /// As a Lambda function, by the program's own credentials.
    Lambda {
        /// Its name or ARN, perhaps with a version or an alias.
        function: String,
        /// In which region.
        region: Region,
    },
}

/// The operator's API.
#[derive(Debug)]
pub struct ApiConfig {
    /// Where it is served.
    pub listen: SocketAddr,
    /// Who has it may ask.
    pub token: SecretString,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// One readable line.
    Text,
}

/// How to reach GitHub.
#[derive(Debug, Clone)]
pub struct GitHubConfig {
    /// The REST API.
    pub base_url: String,
    /// The App.
    pub app_id: u64,
    /// Its private key.
    pub private_key: SecretString,
    /// The webhook secrets that are accepted.
    pub webhook_secrets: Vec<SecretString>,
}

/// Where the ledger is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreConfig {
    /// In a file, for one controller on one machine.
    Sqlite {
        /// The file.
        path: PathBuf,
    },
    /// In a table, for any number of controllers.
    DynamoDb {
        /// The table's name.
        table: String,
        /// Its region.
        region: Region,
    },
}

/// How new instances get their runners: by a configuration of GitHub's, handed over in a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnersConfig {
    /// The DynamoDB table, whatever keeps the ledger.
    pub table: String,
    /// Where instances are launched: each of these regions has a table of that name.
    pub regions: Vec<Region>,
    /// The unique id of the instances' role.
    pub role_id: RoleId,
    /// The runner group, where the repository is an organisation's.
    pub group: String,
    /// Where jobs work.
    pub work_folder: String,
    /// How long a configuration waits for others to share the call that hands it over.
    pub hand_over_window: jiff::SignedDuration,
}

/// The queues.
#[derive(Debug)]
pub struct QueuesConfig {
    /// In which region they are.
    pub region: Region,
    /// GitHub webhooks.
    pub webhooks: String,
    /// EC2 events.
    pub ec2_events: Option<String>,
    /// Where unreadable messages of the webhook queue go.
    pub webhooks_dead_letters: Option<String>,
    /// Where unreadable messages of the EC2 event queue go.
    pub ec2_events_dead_letters: Option<String>,
    /// Long polls at once, a queue.
    pub pollers: usize,
    /// Messages under way at once, a queue.
    pub at_once: usize,
    /// How long a deletion waits for others to share its call.
    pub delete_window: jiff::SignedDuration,
}

/// Reads a file with a secret.
pub type ReadFile<'a> = &'a dyn Fn(&Path) -> io::Result<String>;

impl Config {
    /// Reads the file, lays the environment over it and checks the result.
    ///
    /// # Errors
    /// All mistakes that were found, each with its place.
    pub fn load(path: &Path, environment: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let (name, text) = read_settings(path)?;
        Self::parse(&name, &text, environment, &|path| {
            std::fs::read_to_string(path)
        })
    }

    /// Reads where the health answers are served, and judges nothing else: a secret that is gone or a section that
    /// was just mistyped makes no running controller ill. It is also quick, as nothing else is read.
    ///
    /// # Errors
    /// When the file is none, or `http.listen` is no address.
    pub fn load_listen(
        path: &Path,
        environment: &BTreeMap<String, String>,
    ) -> Result<SocketAddr, ConfigError> {
        let (name, text) = read_settings(path)?;
        let file = environment::overlay(&name, &text, environment)?;
        check::check_listen(file).map_err(|problems| ConfigError::Wrong { name, problems })
    }

    /// The same for a text. `name` stands for the file in mistakes, and `read` is asked for the files
    /// that it names.
    ///
    /// # Errors
    /// All mistakes that were found, each with its place.
    pub fn parse(
        name: &str,
        text: &str,
        environment: &BTreeMap<String, String>,
        read: ReadFile<'_>,
    ) -> Result<Self, ConfigError> {
        checked(name, text, environment, (read, Secrecy::Needed))
    }
}

impl Outline {
    /// As [`Config::load`], but nothing is wrong with a secret that is not there.
    ///
    /// # Errors
    /// All mistakes that were found, each with its place.
    pub fn load(path: &Path, environment: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let (name, text) = read_settings(path)?;
        Self::parse(&name, &text, environment, &|path| {
            std::fs::read_to_string(path)
        })
    }

    /// The same for a text, as [`Config::parse`].
    ///
    /// # Errors
    /// All mistakes that were found, each with its place.
    pub fn parse(
        name: &str,
        text: &str,
        environment: &BTreeMap<String, String>,
        read: ReadFile<'_>,
    ) -> Result<Self, ConfigError> {
        let config = checked(name, text, environment, (read, Secrecy::LeftOut))?;
        Ok(Self {
            queues: config.queues,
            store: config.store,
            webhook_secrets: config.github.webhook_secrets,
            settings: config.settings,
        })
    }
}

fn checked(
    name: &str,
    text: &str,
    environment: &BTreeMap<String, String>,
    (read, secrecy): (ReadFile<'_>, Secrecy),
) -> Result<Config, ConfigError> {
    let file = environment::overlay(name, text, environment)?;
    check::check(file, read, secrecy).map_err(|problems| ConfigError::Wrong {
        name: name.to_owned(),
        problems,
    })
}

/// The file's name, as mistakes show it, and its text.
fn read_settings(path: &Path) -> Result<(String, String), ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    Ok((path.display().to_string(), text))
}

#[cfg(test)]
mod tests;
