//! microburst: AWS's errors, delays and lost connections, in front of another server.

use anyhow::{Context, Result, ensure};
use http::Request;
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::peers;
use crate::process::Server;

/// A running microburst.
#[derive(Debug)]
pub struct Microburst {
    server: Server,
}

impl Microburst {
    /// Starts it before `upstream`, without a fault.
    pub async fn start(upstream: &str) -> Result<Self> {
        let program = peers::python_program("microburst")?;
        let server = Server::start("microburst", |port, _| {
            let mut command = Command::new(&program);
            command
                .args(["--host", "127.0.0.1", "--no-resign", "--port"])
                .arg(port.to_string())
                .args(["--upstream", upstream]);
            command
        });
        Ok(Self {
            server: server.await?,
        })
    }

    /// Its endpoint.
    pub fn url(&self) -> String {
        self.server.url()
    }
}

/// What a microburst at an address does, also one of another process.
#[derive(Debug)]
pub struct Faults {
    url: String,
}

impl Faults {
    /// Of the microburst at this address.
    pub fn of(url: &str) -> Self {
        Self {
            url: url.to_owned(),
        }
    }

    /// From now on these rules, and no others; forgets what has happened.
    pub async fn set(&self, rules: Value) -> Result<()> {
        self.ask("DELETE", "fired", &json!(null)).await?;
        self.ask("POST", "rules", &rules).await.map(drop)
    }

    /// What was done to which operation since, as `UpdateItem latency`, in order. It remembers the last
    /// thousand.
    pub async fn fired(&self) -> Result<Vec<String>> {
        let fired = self.ask("GET", "fired?limit=1000", &json!(null)).await?;
        let fired = fired.as_array().context("no list of what fired")?;
        let words = fired.iter().map(|event| {
            let word = |name: &str| event[name].as_str().unwrap_or("?").to_owned();
            format!("{} {}", word("operation"), word("action"))
        });
        Ok(words.collect())
    }

    async fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/_microburst/{path}", self.url))
            .body(body.to_string())?;
        let client = Client::builder(TokioExecutor::new()).build_http::<String>();
        let answer = client
            .request(request)
            .await
            .with_context(|| format!("failed to ask microburst for {path}"))?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        let text = String::from_utf8_lossy(&body);
        ensure!(status.is_success(), "{path} answered {status}: {text}");
        serde_json::from_str(&text).with_context(|| format!("{path} answered {text}"))
    }
}
