//! The runner that the agent starts, if it starts one at all.

use std::path::PathBuf;

use reprise_model::runner_row::RoleId;
use serde::Deserialize;

use super::{Environment, SettingsError, replace};

/// Where the configuration is left unless said otherwise: in memory, so that it is gone with the boot.
const DEFAULT_CONFIG_FILE: &str = "/run/reprise/runner.jitconfig";

/// How this instance's runner comes up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerSettings {
    /// The DynamoDB table with its configuration.
    pub table: String,
    /// The unique id of the instance's role.
    pub role_id: RoleId,
    /// What starts it.
    pub command: RunnerCommand,
    /// Where the command finds the configuration.
    pub config_file: PathBuf,
    /// Who may read that file; without one, the agent's own user.
    pub user: Option<String>,
}

/// A program with its arguments.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Words")]
pub struct RunnerCommand {
    program: String,
    arguments: Vec<String>,
}

/// As it may be written: a list of words, or a text of words with spaces in between.
#[derive(Deserialize)]
#[serde(untagged)]
enum Words {
    Text(String),
    List(Vec<String>),
}

/// `[runner]` as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RunnerFile {
    table: Option<String>,
    role_id: Option<RoleId>,
    command: Option<RunnerCommand>,
    config_file: Option<PathBuf>,
    user: Option<String>,
}

impl RunnerCommand {
    /// The program.
    pub fn program(&self) -> &str {
        &self.program
    }

    /// What follows it.
    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }
}

impl TryFrom<Vec<String>> for RunnerCommand {
    type Error = String;

    fn try_from(words: Vec<String>) -> Result<Self, Self::Error> {
        let mut words = words.into_iter();
        match words.next().filter(|program| !program.is_empty()) {
            Some(program) => Ok(Self {
                program,
                arguments: words.collect(),
            }),
            None => Err("the command is empty; name a program".to_owned()),
        }
    }
}

impl TryFrom<Words> for RunnerCommand {
    type Error = String;

    fn try_from(words: Words) -> Result<Self, Self::Error> {
        match words {
            Words::List(words) => words.try_into(),
            Words::Text(text) => {
                let words = text.split_whitespace().map(str::to_owned);
                words.collect::<Vec<_>>().try_into()
            }
        }
    }
}

impl RunnerFile {
    /// The file's words with the environment's over them; `None` where neither says anything.
    pub(super) fn settings(
        mut self,
        environment: &Environment<'_>,
    ) -> Result<Option<RunnerSettings>, SettingsError> {
        let e = environment;
        let word = |name: &'static str| e.first(&[name]);
        set(&mut self.table, word("REPRISE_AGENT_RUNNER_TABLE")?);
        set(&mut self.user, word("REPRISE_AGENT_RUNNER_USER")?);
        set(
            &mut self.role_id,
            e.first(&["REPRISE_AGENT_RUNNER_ROLE_ID"])?,
        );
        set(
            &mut self.command,
            e.first(&["REPRISE_AGENT_RUNNER_COMMAND"])?,
        );
        let file = e.first(&["REPRISE_AGENT_RUNNER_CONFIG_FILE"])?;
        set(&mut self.config_file, file);
        if self.is_empty() {
            return Ok(None);
        }
        let mut config_file = PathBuf::from(DEFAULT_CONFIG_FILE);
        replace(&mut config_file, self.config_file);
        Ok(Some(RunnerSettings {
            table: self.table.ok_or(SettingsError::HalfARunner("table"))?,
            role_id: self.role_id.ok_or(SettingsError::HalfARunner("role_id"))?,
            command: self.command.ok_or(SettingsError::HalfARunner("command"))?,
            config_file,
            user: self.user,
        }))
    }

    fn is_empty(&self) -> bool {
        let Self {
            table,
            role_id,
            command,
            config_file,
            user,
        } = self;
        let texts = table.is_none() && user.is_none() && config_file.is_none();
        texts && role_id.is_none() && command.is_none()
    }
}

fn set<T>(slot: &mut Option<T>, value: Option<T>) {
    if value.is_some() {
        *slot = value;
    }
}
