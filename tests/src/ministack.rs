//! ministack: SQS with its time-outs, receipts and dead letters, DynamoDB, and Lambda functions in Python.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reprise_model::ids::Region;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::process::Server;
use crate::runner_suite::RunnerPlace;
use crate::sqs_suite::{MAX_RECEIVE_COUNT, SqsPlace};
use crate::{peers, raw_aws};

/// A running ministack.
#[derive(Debug)]
pub struct Ministack {
    server: Server,
    region: Region,
}

impl Ministack {
    /// Starts it with SQS, DynamoDB and Lambda alone, on loopback alone.
    pub async fn start() -> Result<Self> {
        let variables = [
            ("SERVICES", "sqs,dynamodb,lambda"),
            // On by default, each on a port of its own.
            ("IOT_MTLS_ENABLED", "0"),
            ("SFTP_ENABLED", "0"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self::start_with(variables.into()).await
    }

    /// Starts it with such variables, on loopback alone.
    pub async fn start_with(variables: BTreeMap<String, String>) -> Result<Self> {
        let program = peers::python_program("ministack")?;
        let region = Region::new("eu-west-1");
        let server = Server::start("ministack", |port, _| {
            let mut command = Command::new(&program);
            command
                .envs(&variables)
                .env("BIND_HOST", "127.0.0.1")
                .env("GATEWAY_PORT", port.to_string())
                .env("MINISTACK_REGION", region.as_str());
            command
        });
        Ok(Self {
            server: server.await?,
            region: region.clone(),
        })
    }

    /// Its endpoint.
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The region of all that is in it.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// Makes a queue with dead letters.
    pub async fn place(&self) -> Result<SqsPlace> {
        self.queues("suite").await
    }

    /// Makes a queue of this name, and one for its dead letters.
    pub async fn queues(&self, name: &str) -> Result<SqsPlace> {
        let dead = self.queue(&format!("{name}-dead"), json!({})).await?;
        let asked = json!({ "QueueUrl": dead, "AttributeNames": ["QueueArn"] });
        let known = self.ask("GetQueueAttributes", &asked).await?;
        let redrive = json!({
            "deadLetterTargetArn": known["Attributes"]["QueueArn"],
            "maxReceiveCount": MAX_RECEIVE_COUNT,
        });
        let attributes = json!({ "RedrivePolicy": redrive.to_string() });
        Ok(SqsPlace {
            region: self.region.clone(),
            queue_url: self.queue(name, attributes).await?,
            dead_letters_url: dead,
        })
    }

    /// Makes a runner table, with somebody to read it: nobody's credentials are checked.
    pub async fn runner_place(&self) -> Result<RunnerPlace> {
        let table = "suite-runners";
        self.runner_table(table).await?;
        Ok(RunnerPlace {
            url: self.url(),
            region: self.region.clone(),
            table: table.to_owned(),
            role: "AROAFAKEFAKEFAKEFAKE0".to_owned().try_into()?,
            instance: "i-0123456789abcdef0".parse()?,
            credentials: ["ASIAFAKE", "fake-secret", "fake-token"].map(str::to_owned),
        })
    }

    /// Makes a runner table, as an installation does.
    pub async fn runner_table(&self, name: &str) -> Result<()> {
        let made = json!({
            "TableName": name,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{ "AttributeName": "pk", "AttributeType": "S" }],
            "KeySchema": [{ "AttributeName": "pk", "KeyType": "HASH" }],
        });
        self.ask_dynamodb("CreateTable", &made).await?;
        let expiry = json!({ "AttributeName": "ttl", "Enabled": true });
        let expiry = json!({ "TableName": name, "TimeToLiveSpecification": expiry });
        self.ask_dynamodb("UpdateTimeToLive", &expiry).await?;
        Ok(())
    }

    /// Makes a function of a module with a `handler`.
    pub async fn function(&self, name: &str, module: &str) -> Result<()> {
        let folder = tempfile::tempdir()?;
        let source = folder.path().join("judge.py");
        std::fs::write(&source, module)?;
        let packed = folder.path().join("judge.zip");
        let mut zip = Command::new(peers::python_program("python")?);
        zip.args(["-m", "zipfile", "-c"]).arg(&packed).arg(&source);
        ensure!(zip.status().await?.success(), "failed to pack the function");
        let code = STANDARD.encode(std::fs::read(&packed)?);
        let made = json!({
            "FunctionName": name,
            "Runtime": "python3.12",
            "Role": "arn:aws:iam::000000000000:role/judge",
            "Handler": "judge.handler",
            "Code": { "ZipFile": code },
        });
        raw_aws::rest(
            &self.url(),
            self.region.as_str(),
            "lambda",
            "/2015-03-31/functions",
            &made,
        )
        .await
    }

    async fn ask_dynamodb(&self, action: &str, body: &Value) -> Result<Value> {
        raw_aws::dynamodb(&self.url(), self.region.as_str(), action, body).await
    }

    async fn queue(&self, name: &str, attributes: Value) -> Result<String> {
        let asked = json!({ "QueueName": name, "Attributes": attributes });
        let made = self.ask("CreateQueue", &asked).await?;
        let url = made["QueueUrl"].as_str().context("no queue was made")?;
        // It names itself by a host that need not resolve; what counts is the path.
        let path = url
            .splitn(4, '/')
            .nth(3)
            .context("no path in the queue's URL")?;
        Ok(format!("{}/{path}", self.url()))
    }

    async fn ask(&self, action: &str, body: &Value) -> Result<Value> {
        raw_aws::sqs(&self.url(), self.region.as_str(), action, body).await
    }
}
