//! The runner that the agent starts and watches, if it starts one at all.

use std::path::PathBuf;

use jiff::SignedDuration;
use reprise_model::runner_row::RoleId;
use serde::Deserialize;

use super::{Environment, PathKey, SettingsProblem};
use crate::tenure::Limits;

/// Where the configuration is left unless said otherwise: in memory, so that it is gone with the boot.
const DEFAULT_CONFIG_FILE: &str = "/run/reprise/runner.jitconfig";

/// Where the runner's programs are unless said otherwise.
const DEFAULT_FOLDER: &str = "/opt/actions-runner";

/// The user of `reprise-runner.service`, which takes the configuration's file away.
const SERVICE_USER: &str = "runner";

const CONFIG_FILE: PathKey = PathKey {
    key: "`config_file` under [runner]",
    variables: &["REPRISE_AGENT_RUNNER_CONFIG_FILE"],
    example: DEFAULT_CONFIG_FILE,
    may_be_empty: false,
};

const FOLDER: PathKey = PathKey {
    key: "`folder` under [runner]",
    variables: &["REPRISE_AGENT_RUNNER_FOLDER"],
    example: DEFAULT_FOLDER,
    may_be_empty: false,
};

/// How this instance's runner comes up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerSettings {
    /// The DynamoDB table with its configuration.
    pub table: String,
    /// The unique id of the instance's role.
    pub role_id: RoleId,
    /// What starts it; without one, whoever waits for the configuration's file, as a path unit does.
    pub command: Option<CommandWords>,
    /// Where the configuration is left.
    pub config_file: PathBuf,
    /// Who may read that file; without one, the agent's own user, which the package's units cannot serve.
    pub user: Option<String>,
    /// Where its programs are: only processes of those are it.
    pub folder: PathBuf,
    /// How long it may be without a job.
    pub idle_limit: Span,
    /// How long after its end the instance is left to the controller.
    pub linger: Span,
    /// What becomes of the instance then.
    pub on_end: OnEnd,
    /// What powers it off.
    pub leave: CommandWords,
}

impl RunnerSettings {
    /// What of it the package's units do not know of, if it is they that start the runner: key, value, and the value
    /// that they are made for.
    pub fn unknown_to_units(&self) -> Vec<(&'static str, String, &'static str)> {
        if self.command.is_some() {
            return Vec::new();
        }
        let user = self.user.clone().unwrap_or_default();
        let all = [
            ("user", user, SERVICE_USER),
            (
                "config_file",
                self.config_file.display().to_string(),
                DEFAULT_CONFIG_FILE,
            ),
            ("folder", self.folder.display().to_string(), DEFAULT_FOLDER),
        ];
        let other = |(_, value, made_for): &(&str, String, &str)| value.as_str() != *made_for;
        all.into_iter().filter(other).collect()
    }

    /// For how long things may stay as they are.
    pub fn limits(&self) -> Limits {
        Limits {
            idle: self.idle_limit.get(),
            linger: self.linger.get(),
        }
    }
}

/// What becomes of an instance whose runner has ended, or has no job for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnEnd {
    /// It is powered off.
    PowerOff,
    /// It stays, and its runner is not watched.
    Stay,
}

/// A time from a second to a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Span(SignedDuration);

impl Span {
    /// The time.
    pub fn get(self) -> SignedDuration {
        self.0
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bounds = SignedDuration::from_secs(1)..=SignedDuration::from_hours(24);
        match text.parse::<SignedDuration>() {
            Ok(span) if bounds.contains(&span) => Ok(Self(span)),
            Ok(_) => Err(format!("{text:?} is not between 1s and 24h")),
            Err(_) => Err(format!("{text:?} is no time; write it as 10m or 90s")),
        }
    }
}

/// A program with its arguments.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Words")]
pub struct CommandWords {
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

/// The runner that the agent brings up; without this table it only watches, beside whatever runner there is.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RunnerFile {
    /// The DynamoDB table with its configuration.
    ///
    /// Required with a runner.
    table: Option<String>,
    /// The unique id of the instance's role, which `aws iam get-role` shows as RoleId.
    ///
    /// Required with a runner.
    role_id: Option<RoleId>,
    /// A program that starts the runner, with the file's name in `REPRISE_RUNNER_CONFIG_FILE`; the package's units
    /// need none. A list, or words with spaces in between.
    ///
    /// Default: none.
    command: Option<CommandWords>,
    /// Where the configuration is left, in memory.
    ///
    /// Default: `"/run/reprise/runner.jitconfig"`.
    config_file: Option<PathBuf>,
    /// Who may read that file: the user of the service that takes it away.
    ///
    /// Default: `"runner"`, with a `command` the agent's own user.
    user: Option<String>,
    /// Where the runner's programs are.
    ///
    /// Default: `"/opt/actions-runner"`.
    folder: Option<PathBuf>,
    /// A runner without a job for so long is asked to end, and its instance goes.
    ///
    /// Default: `"10m"`. Range: `"1s"` to `"24h"`.
    idle_limit: Option<Span>,
    /// After a runner's end the controller has so long to end the instance itself.
    ///
    /// Default: `"3m"`. Range: `"1s"` to `"24h"`.
    linger: Option<Span>,
    /// The instance is powered off then, or stays, and its runner is not watched.
    ///
    /// Default: `"power-off"`, with a `command` `"stay"`.
    on_end: Option<OnEnd>,
    /// What powers it off; its shutdown behaviour is to be `terminate`.
    ///
    /// Default: `["systemctl", "poweroff"]`.
    leave: Option<CommandWords>,
}

impl CommandWords {
    /// The instance's shutdown behaviour says what follows: it is to be `terminate`.
    fn power_off() -> Self {
        Self {
            program: "systemctl".to_owned(),
            arguments: vec!["poweroff".to_owned()],
        }
    }

    /// The program.
    pub fn program(&self) -> &str {
        &self.program
    }

    /// What follows it.
    pub fn arguments(&self) -> &[String] {
        &self.arguments
    }
}

impl TryFrom<Vec<String>> for CommandWords {
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

impl TryFrom<Words> for CommandWords {
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
    /// The file's words, if it has the table, with the environment's over them; `None` where neither speaks of a runner.
    pub(super) fn settings(
        written: Option<Self>,
        environment: &Environment<'_>,
    ) -> Option<RunnerSettings> {
        let is_there = written.is_some();
        let mut file = written.unwrap_or_default();
        file.hear(environment);
        match is_there || file != Self::default() {
            true => file.complete(environment),
            false => None,
        }
    }

    /// `None` where what must be there is not, which is noted.
    fn complete(self, environment: &Environment<'_>) -> Option<RunnerSettings> {
        let missing = [
            ("table", self.table.is_none()),
            ("role_id", self.role_id.is_none()),
        ];
        for (key, _) in missing.into_iter().filter(|(_, is_missing)| *is_missing) {
            environment.refuse(SettingsProblem::HalfARunner(key));
        }
        let table = self.table.as_deref();
        environment.word("`table` under [runner]", table, "reprise-runners");
        let user = self.user.as_deref();
        environment.word("`user` under [runner]", user, SERVICE_USER);
        // Whoever starts the runner in a way of his own has ways of his own to end its instance, and a user of his own.
        let (on_end, user) = match self.command {
            None => (OnEnd::PowerOff, Some(SERVICE_USER.to_owned())),
            Some(_) => (OnEnd::Stay, None),
        };
        let minutes = |n| Span(SignedDuration::from_mins(n));
        Some(RunnerSettings {
            table: self.table?,
            role_id: self.role_id?,
            command: self.command,
            config_file: self.config_file.unwrap_or(DEFAULT_CONFIG_FILE.into()),
            user: self.user.or(user),
            folder: self.folder.unwrap_or(DEFAULT_FOLDER.into()),
            idle_limit: self.idle_limit.unwrap_or(minutes(10)),
            linger: self.linger.unwrap_or(minutes(3)),
            on_end: self.on_end.unwrap_or(on_end),
            leave: self.leave.unwrap_or_else(CommandWords::power_off),
        })
    }

    fn hear(&mut self, e: &Environment<'_>) {
        set(&mut self.table, e.first(&["REPRISE_AGENT_RUNNER_TABLE"]));
        set(
            &mut self.role_id,
            e.first(&["REPRISE_AGENT_RUNNER_ROLE_ID"]),
        );
        set(
            &mut self.command,
            e.first(&["REPRISE_AGENT_RUNNER_COMMAND"]),
        );
        self.config_file = e.path(&CONFIG_FILE, self.config_file.take());
        set(&mut self.user, e.first(&["REPRISE_AGENT_RUNNER_USER"]));
        self.folder = e.path(&FOLDER, self.folder.take());
        set(
            &mut self.idle_limit,
            e.first(&["REPRISE_AGENT_RUNNER_IDLE_LIMIT"]),
        );
        set(&mut self.linger, e.first(&["REPRISE_AGENT_RUNNER_LINGER"]));
        set(&mut self.on_end, e.first(&["REPRISE_AGENT_RUNNER_ON_END"]));
        set(&mut self.leave, e.first(&["REPRISE_AGENT_RUNNER_LEAVE"]));
    }
}

fn set<T>(slot: &mut Option<T>, value: Option<T>) {
    if value.is_some() {
        *slot = value;
    }
}
