//! SQS and DynamoDB by ministack, behind a gate; everything else stays the world's.
//!
//! ministack runs by the wall's clock. The gate brings the visibility of messages into the story's
//! time; a record's expiry is days away in either.

use std::sync::Arc;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::chaos::Left;
use super::config::{Ledger, Places, RUNNER_TABLE};
use super::gate::Gate;
use crate::ministack::Ministack;
use crate::raw_aws;
use crate::sqs_suite::SqsPlace;

/// The ledger's table.
const TABLE: &str = "reprise";

/// How long a message is hidden before anybody asks for longer, in seconds of the story: as long as
/// in the world's queues.
const HIDDEN: u32 = 30;

/// The servers.
#[derive(Debug)]
pub struct Afar {
    ministack: Ministack,
    gate: Arc<Gate>,
    webhooks: SqsPlace,
    ec2_events: SqsPlace,
}

impl Afar {
    /// Starts them for a story of this speed, with queues that bury a message after so many
    /// receives, an empty ledger and an empty runner table.
    pub async fn start(speed: f64, receives: u32) -> Result<Self> {
        let ministack = Ministack::start().await?;
        let afar = Self {
            webhooks: ministack.queues("webhooks").await?,
            ec2_events: ministack.queues("ec2-events").await?,
            gate: Gate::into_story(speed).await?,
            ministack,
        };
        for place in [&afar.webhooks, &afar.ec2_events] {
            afar.set_queue(place, speed, receives).await?;
        }
        afar.make_table().await?;
        afar.ministack.runner_table(RUNNER_TABLE).await?;
        Ok(afar)
    }

    /// What makes a stage use them.
    pub fn places(&self) -> Box<dyn FnOnce(&mut Places) + Send> {
        let gate = Arc::clone(&self.gate);
        let (webhooks, ec2_events) = (self.webhooks.clone(), self.ec2_events.clone());
        let mut url = self.ministack.url();
        Box::new(move |places| {
            gate.stand_before(&mut url);
            places.sqs_url = url.clone();
            places.webhooks = webhooks.queue_url;
            places.webhooks_dead = webhooks.dead_letters_url;
            places.ec2_events = ec2_events.queue_url;
            places.ec2_events_dead = ec2_events.dead_letters_url;
            places.dynamodb_url = url;
            places.ledger = Ledger::DynamoDb {
                table: TABLE.to_owned(),
            };
        })
    }

    /// What passes to them.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// What is in the queues.
    pub async fn left(&self) -> Result<Left> {
        let mut left = Left::default();
        for place in [&self.webhooks, &self.ec2_events] {
            left.waiting += self.messages(&place.queue_url).await?;
            left.dead += self.messages(&place.dead_letters_url).await?;
        }
        Ok(left)
    }

    async fn messages(&self, queue: &str) -> Result<u64> {
        let request = json!({ "QueueUrl": queue, "AttributeNames": ["All"] });
        let answer = self.sqs("GetQueueAttributes", &request).await?;
        let counts = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
        ];
        let counts = counts.map(|name| {
            let count = answer["Attributes"][name].as_str();
            let count = count.with_context(|| format!("no {name} in {answer}"))?;
            Ok::<u64, anyhow::Error>(count.parse()?)
        });
        counts.into_iter().sum()
    }

    async fn set_queue(&self, place: &SqsPlace, speed: f64, receives: u32) -> Result<()> {
        let asked = json!({ "QueueUrl": place.dead_letters_url, "AttributeNames": ["QueueArn"] });
        let dead = self.sqs("GetQueueAttributes", &asked).await?;
        let redrive = json!({
            "deadLetterTargetArn": dead["Attributes"]["QueueArn"],
            "maxReceiveCount": receives,
        });
        let hidden = (f64::from(HIDDEN) / speed).ceil();
        let attributes = json!({
            "RedrivePolicy": redrive.to_string(),
            "VisibilityTimeout": hidden.to_string(),
        });
        let asked = json!({ "QueueUrl": place.queue_url, "Attributes": attributes });
        self.sqs("SetQueueAttributes", &asked).await.map(drop)
    }

    /// As an installation makes it.
    async fn make_table(&self) -> Result<()> {
        let key = |name: &str, kind: &str| json!({ "AttributeName": name, "KeyType": kind });
        let attribute =
            |name: &str, kind: &str| json!({ "AttributeName": name, "AttributeType": kind });
        let due = json!({
            "IndexName": "due",
            "KeySchema": [key("q", "HASH"), key("due", "RANGE")],
            "Projection": { "ProjectionType": "INCLUDE", "NonKeyAttributes": ["ttl"] },
        });
        let table = json!({
            "TableName": TABLE,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [attribute("pk", "S"), attribute("q", "S"), attribute("due", "N")],
            "KeySchema": [key("pk", "HASH")],
            "GlobalSecondaryIndexes": [due],
        });
        self.dynamodb("CreateTable", &table).await?;
        let expiry = json!({
            "TableName": TABLE,
            "TimeToLiveSpecification": { "AttributeName": "ttl", "Enabled": true },
        });
        self.dynamodb("UpdateTimeToLive", &expiry).await
    }

    async fn sqs(&self, action: &str, body: &Value) -> Result<Value> {
        let region = self.webhooks.region.as_str();
        raw_aws::sqs(&self.ministack.url(), region, action, body).await
    }

    async fn dynamodb(&self, action: &str, body: &Value) -> Result<()> {
        let (url, region) = (self.ministack.url(), self.webhooks.region.as_str());
        raw_aws::dynamodb(&url, region, action, body).await?;
        Ok(())
    }
}
