//! A controller process, and what an operator sees of it.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::process::{Child, Command};

use super::program::{ask_to_end, signal, spawn_into};
use crate::wait;

/// For a start, an answer or a line of the log, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(90);

/// How long it may take to end. ECS kills after 30 s.
const ENDS_WITHIN: Duration = Duration::from_secs(25);

/// A running controller; killed when it is dropped.
///
/// What it says of itself is read from its log and from `/metrics`. Whether it has started may be
/// left open: one that is about to be killed need not be waited for.
#[derive(Debug)]
pub struct Controller {
    child: Child,
    log: PathBuf,
    address: Option<String>,
}

impl Controller {
    /// Starts its process, and waits for nothing.
    pub fn spawn(command: Command, log: &Path) -> Result<Self> {
        Ok(Self {
            child: spawn_into(command, log)?,
            log: log.to_owned(),
            address: None,
        })
    }

    /// Waits until it says that it has started.
    pub async fn started(mut self) -> Result<Self> {
        let started = self.says("a started controller", |line| {
            line["http.address"].is_string()
        });
        let address = started.await?["http.address"].as_str().map(str::to_owned);
        self.address = Some(address.context("it does not say where it listens")?);
        Ok(self)
    }

    /// Fails if it has ended, which nobody asked it for.
    pub fn is_alive(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("the controller ended with {status}:\n{}", end_of(&self.log)),
            None => Ok(()),
        }
    }

    /// Waits for a line of its log, and answers the first of them.
    pub async fn says(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> Result<Value> {
        let (child, log) = (&mut self.child, &self.log);
        let said = wait::until(what, PATIENCE, async || {
            let found = lines(log)?.into_iter().find(&is_it);
            if found.is_none()
                && let Some(status) = child.try_wait()?
            {
                bail!("the controller ended with {status}");
            }
            Ok(found)
        });
        said.await
            .with_context(|| format!("the log ends:\n{}", end_of(log)))
    }

    /// Waits for a decision of this name, as `awaiting` or `rerun`.
    pub async fn decides(&mut self, decision: &str) -> Result<Value> {
        let what = format!("the decision {decision}");
        self.says(&what, |line| line["decision"] == decision).await
    }

    /// All lines of its log that a reader would look for.
    pub fn lines(&self) -> Result<Vec<Value>> {
        lines(&self.log)
    }

    /// All lines of one decision.
    pub fn decisions(&self, decision: &str) -> Result<Vec<Value>> {
        let lines = self.lines()?.into_iter();
        Ok(lines.filter(|line| line["decision"] == decision).collect())
    }

    /// Whether it lives and answers so.
    pub async fn is_healthy(&mut self) -> Result<()> {
        self.is_alive()?;
        let (status, body) = self.get("/healthz").await?;
        ensure!(
            status == StatusCode::OK,
            "/healthz answered {status}: {body}"
        );
        Ok(())
    }

    /// Whether it says that it is ready.
    pub async fn is_ready(&self) -> Result<bool> {
        let (status, _) = self.get("/readyz").await?;
        Ok(status == StatusCode::OK)
    }

    /// A counter, as `reprise_messages_total{outcome="unsigned",queue="webhooks"}`; 0 before its
    /// first event.
    pub async fn counter(&self, series: &str) -> Result<u64> {
        let text = self.metrics().await?;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(Ok(0), |value| {
            value
                .parse()
                .with_context(|| format!("{series} is {value}"))
        })
    }

    /// All metrics, as Prometheus reads them.
    pub async fn metrics(&self) -> Result<String> {
        let (status, text) = self.get("/metrics").await?;
        ensure!(
            status == StatusCode::OK,
            "/metrics answered {status}: {text}"
        );
        Ok(text)
    }

    /// The number of its process, while it lives.
    pub fn process(&self) -> Option<u32> {
        self.child.id()
    }

    /// How many messages of a queue ended so.
    pub async fn messages(&self, queue: &str, outcome: &str) -> Result<u64> {
        let labels = format!("{{outcome=\"{outcome}\",queue=\"{queue}\"}}");
        self.counter(&format!("reprise_messages_total{labels}"))
            .await
    }

    /// Waits until so many messages of a queue ended so.
    pub async fn counts(&self, queue: &str, outcome: &str, wanted: u64) -> Result<()> {
        let what = format!("message {wanted} of {queue} that ends {outcome}");
        let counted = wait::until(&what, PATIENCE, async || {
            let count = self.messages(queue, outcome).await?;
            ensure!(
                count <= wanted,
                "{count} messages of {queue} ended {outcome}"
            );
            Ok((count == wanted).then_some(()))
        });
        counted
            .await
            .with_context(|| format!("the log ends:\n{}", end_of(&self.log)))
    }

    /// SIGTERM; answers how it ended, within its limit.
    pub async fn terminate(self) -> Result<ExitStatus> {
        ask_to_end(&self.child).await?;
        self.ended().await
    }

    /// The same, where the child that was started is not the controller itself, which has this number.
    pub async fn ends_by(self, process: u32) -> Result<ExitStatus> {
        signal("TERM", process).await?;
        self.ended().await
    }

    async fn ended(mut self) -> Result<ExitStatus> {
        let ended = tokio::time::timeout(ENDS_WITHIN, self.child.wait()).await;
        Ok(ended.with_context(|| format!("it did not drain:\n{}", end_of(&self.log)))??)
    }

    /// Sends SIGKILL, and does not wait for the end.
    pub(super) fn start_kill(&mut self) -> Result<()> {
        self.child
            .start_kill()
            .context("failed to kill the controller")
    }

    /// SIGKILL: it ends in the middle of whatever it does.
    pub async fn kill(mut self) -> Result<()> {
        self.child
            .kill()
            .await
            .context("failed to kill the controller")
    }

    async fn get(&self, path: &str) -> Result<(StatusCode, String)> {
        let client = Client::builder(TokioExecutor::new()).build_http::<String>();
        let address = self
            .address
            .as_ref()
            .context("nobody waited for its start")?;
        let request = Request::get(format!("http://{address}{path}")).body(String::new())?;
        let answer = client
            .request(request)
            .await
            .with_context(|| format!("failed to get {path}"))?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}

/// The lines that are complete and JSON; the program's last words before its log began are not.
pub(super) fn lines(log: &Path) -> Result<Vec<Value>> {
    let text = std::fs::read_to_string(log)
        .with_context(|| format!("failed to read {}", log.display()))?;
    Ok(text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect())
}

pub(super) fn end_of(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines
        .get(lines.len().saturating_sub(25)..)
        .unwrap_or_default()
        .join("\n")
}
