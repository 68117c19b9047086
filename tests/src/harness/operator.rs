//! Somebody at a terminal who looks after a controller.

use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::process::Command;

use super::program::reprise;
use super::stage::Stage;

/// Far longer than any of the commands takes.
const PATIENCE: Duration = Duration::from_secs(90);

/// What a command left behind.
#[derive(Debug)]
pub struct Said {
    /// Its exit code.
    pub code: Option<i32>,
    /// Its standard output.
    pub told: String,
    /// Its standard error.
    pub complained: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            told: String::from_utf8_lossy(&output.stdout).into_owned(),
            complained: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Said {
    /// Its lines of JSON, when it ended well.
    pub fn lines(&self) -> Result<Vec<Value>> {
        ensure!(self.code == Some(0), "{self:?}");
        let lines = self.told.lines().map(serde_json::from_str);
        lines
            .collect::<Result<_, _>>()
            .with_context(|| format!("{self:?}"))
    }

    /// That it failed, and said so in these words.
    pub fn fails_with(&self, words: &[&str]) -> Result<()> {
        ensure!(self.code == Some(1), "{self:?}");
        for words in words {
            ensure!(self.complained.contains(words), "{words:?}: {self:?}");
        }
        Ok(())
    }
}

/// `reprise queue dead` with these arguments, for the stage's queues, with nothing of the caller's
/// environment.
pub fn queue_dead(stage: &Stage, arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(reprise()?);
    command
        .args(["queue", "dead"])
        .args(arguments)
        .env_clear()
        .env("REPRISE_CONFIG", stage.config())
        .env("AWS_ENDPOINT_URL_SQS", &stage.places().sqs_url)
        .env("AWS_REGION", stage.places().region.as_str())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ACCESS_KEY_ID", "AKIAFAKETESTFAKETEST")
        .env("AWS_SECRET_ACCESS_KEY", "fake-secret-key-of-the-tests")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    Ok(command)
}

/// The token of the controllers' API in [`API`].
pub const TOKEN: &str = "fake-token-of-the-tests";

/// The section by which a controller serves it.
pub const API: &str = "\n[api]\nlisten = \"127.0.0.1:0\"\ntoken = \"fake-token-of-the-tests\"\n";

/// `reprise` with these arguments, for the API at this address, with nothing of the caller's environment.
pub fn operator(api: &str, arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(reprise()?);
    command
        .args(arguments)
        .env_clear()
        .env("REPRISE_OPERATOR_API", api)
        .env("REPRISE_OPERATOR_TOKEN", TOKEN)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    Ok(command)
}

/// Waits for the end of a command.
pub async fn said(mut command: Command) -> Result<Said> {
    let ended = tokio::time::timeout(PATIENCE, command.output()).await;
    Ok(ended
        .with_context(|| format!("{command:?} did not end"))??
        .into())
}
