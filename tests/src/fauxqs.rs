//! fauxqs: a quick SQS, for more messages than the others carry in a second.
//!
//! It takes any receipt handle for good, so nothing of SQS's semantics is asserted against it.

use anyhow::{Context, Result};
use serde_json::json;
use tokio::process::Command;

use crate::process::Server;
use crate::{peers, raw_aws};

/// The region of all that is in it.
const REGION: &str = "eu-west-1";

/// Its own program listens on every address of the machine; this one listens on loopback.
const PROGRAM: &str = "const { buildApp } = await import(process.argv[1]);\n\
    const app = buildApp({ logger: false, defaultRegion: process.argv[3] });\n\
    await app.listen({ host: '127.0.0.1', port: Number(process.argv[2]) });\n";

/// A running fauxqs.
#[derive(Debug)]
pub struct Fauxqs {
    server: Server,
}

impl Fauxqs {
    /// Starts it on loopback alone.
    pub async fn start() -> Result<Self> {
        let library = peers::node_file("fauxqs/dist/app.js")?;
        let server = Server::start("fauxqs", |port, _| {
            let mut command = Command::new("node");
            command
                .args(["--input-type=module", "--eval", PROGRAM, "--"])
                .arg(&library)
                .arg(port.to_string())
                .arg(REGION);
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

    /// Makes a queue, and answers its URL.
    pub async fn queue(&self, name: &str) -> Result<String> {
        let (endpoint, asked) = (self.url(), json!({ "QueueName": name }));
        let made = raw_aws::sqs(&endpoint, REGION, "CreateQueue", &asked).await?;
        // The name by which it knows the queue; nobody connects there.
        let url = made["QueueUrl"].as_str().context("no queue was made")?;
        Ok(url.to_owned())
    }
}
