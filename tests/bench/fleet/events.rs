//! `completed` events by the thousand, out of a queue that is full before the controller starts.
//!
//! The bodies are the simulated GitHub's own, signed, each of a job and an instance of its own. EC2's
//! buckets are off, and the controller's pace is at its highest: so many ends at once would measure the
//! two, and not what the controller takes.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::InstanceId;
use reprise_model::instance::Capacity;
use reprise_model::job::Conclusion;
use reprise_tests::fauxqs::Fauxqs;
use reprise_tests::harness::config::Places;
use reprise_tests::harness::controller::Controller;
use reprise_tests::harness::messages::{Letter, signed};
use reprise_tests::harness::stage::{Hosts, Setting, Stage};
use reprise_tests::{raw_aws, wait};
use reprise_world::ec2::Adopted;
use reprise_world::github::{JobSpec, RunSpec};
use reprise_world::world::{DeliveryMode, World};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::Sqs;
use crate::figures::Figure;
use crate::meter::Meter;

/// One of so many jobs ran on GitHub's own machines: a webhook of an organisation brings those too.
const HOSTED: usize = 5;

/// The most messages that SQS takes in one call.
const BATCH: usize = 10;

/// Calls to send that are open at once.
const SENDERS: usize = 8;

const PATIENCE: Duration = Duration::from_secs(1200);

/// Seldom enough that the answers cost the controller nothing that shows.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Ten minutes of looks go by in one.
const HELD_SPEED: f64 = 10.0;

/// A world with a full queue.
struct Mail {
    stage: Stage,
    // Ends with the mail.
    _fauxqs: Option<Fauxqs>,
}

/// Jobs that passed, on our runners and some on GitHub's.
pub(crate) async fn passed(count: usize, sqs: Sqs) -> Result<Vec<Figure>> {
    let mail = Mail::set_up(sqs, 1.0).await?;
    let bytes = mail.fill(count, Conclusion::Success, HOSTED).await?;
    let controller = mail.stage.controller().await?;
    let meter = Meter::of(&controller)?;
    let before = handled(&controller.metrics().await?, "webhooks");
    let (cpu_before, began) = (meter.cpu_seconds()?, tokio::time::Instant::now());
    mail.dealt_with(&controller, count).await?;
    let (cpu, took) = (meter.cpu_seconds()? - cpu_before, began.elapsed());
    let peak = meter.peak_mebibytes()?;
    let events = count as f64 - before as f64;
    mail.ended(count - count.div_ceil(HOSTED)).await?;
    controller.terminate().await?;
    Ok(vec![
        Figure::new("an event's body", kilobytes(bytes, count), " KB").digits(1),
        Figure::new("events a second", events / took.as_secs_f64(), "").digits(0),
        Figure::new("controller: CPU an event", cpu * 1e3 / events, " ms")
            .digits(3)
            .at_most(0.3),
        Figure::new("controller: peak memory", peak, " MB")
            .digits(1)
            .at_most(64.0),
    ])
}

/// Jobs that failed on spot machines which nobody took: each message is held for a minute while it is
/// looked at, as many at once as the controller takes. The rest waits in the queue.
pub(crate) async fn held(count: usize, sqs: Sqs) -> Result<Vec<Figure>> {
    let mail = Mail::set_up(sqs, HELD_SPEED).await?;
    let bytes = mail.fill(count, Conclusion::Failure, usize::MAX).await?;
    let controller = mail.stage.controller().await?;
    let meter = Meter::of(&controller)?;
    let idle = meter.peak_mebibytes()?;
    mail.dealt_with(&controller, count).await?;
    mail.ended(count).await?;
    let peak = meter.peak_mebibytes()?;
    controller.terminate().await?;
    Ok(vec![
        Figure::new("a message's body", kilobytes(bytes, count), " KB").digits(1),
        Figure::new("controller: memory after its start", idle, " MB").digits(1),
        Figure::new("controller: peak memory", peak, " MB")
            .digits(1)
            .at_most(64.0),
    ])
}

impl Mail {
    async fn set_up(sqs: Sqs, speed: f64) -> Result<Self> {
        let fauxqs = match sqs {
            Sqs::Fauxqs => Some(Fauxqs::start().await?),
            Sqs::World => None,
        };
        let elsewhere = match &fauxqs {
            Some(fauxqs) => Some(Elsewhere::made(fauxqs).await?),
            None => None,
        };
        let stage = Stage::set(Setting {
            speed,
            world: |world| {
                world.delivery = DeliveryMode::Elsewhere;
                world.ec2.rate_limits = false;
            },
            places: Box::new(move |places| {
                if let Some(elsewhere) = elsewhere {
                    elsewhere.tell(places);
                }
            }),
            variables: vec![("REPRISE__AWS__REQUEST_RATE_PERCENT", "10000")],
            hosts: Hosts::Bare,
            ..Setting::default()
        });
        Ok(Self {
            stage: stage.await?,
            _fauxqs: fauxqs,
        })
    }

    /// Puts so many events into the queue; one of `hosted` is of a job on GitHub's own machines.
    /// Answers the bytes of all bodies.
    async fn fill(&self, count: usize, conclusion: Conclusion, hosted: usize) -> Result<usize> {
        let template = self
            .stage
            .with(|world, now| template(world, now, conclusion))?;
        let now = self.stage.with(|_, now| now);
        let (mut sending, mut bytes) = (JoinSet::new(), 0);
        for first in (0..count).step_by(BATCH) {
            let numbers = first..count.min(first + BATCH);
            let ours = numbers
                .clone()
                .filter(|number| number % hosted != 0 || hosted > count);
            self.stage.with(|world, now| {
                ours.for_each(|number| launched(world, now, &instance(number)));
            });
            let letters = numbers
                .map(|number| {
                    let is_hosted = hosted <= count && number % hosted == 0;
                    signed("workflow_job", event(&template, number, is_hosted, now))
                })
                .collect::<Result<Vec<Letter>>>()?;
            bytes += letters
                .iter()
                .map(|letter| letter.body.len())
                .sum::<usize>();
            if sending.len() >= SENDERS {
                sending.join_next().await.context("nothing is sent")???;
            }
            sending.spawn(send_batch(
                self.stage.places().sqs_url.clone(),
                self.stage.places().webhooks.clone(),
                letters,
            ));
        }
        while let Some(sent) = sending.join_next().await {
            sent??;
        }
        Ok(bytes)
    }

    /// Waits until so many instances have been ended.
    async fn ended(&self, count: usize) -> Result<()> {
        wait::until_every(LOOK_EVERY, "the last end", PATIENCE, async || {
            let ended = self.stage.with(|world, _| {
                let all = world.ec2().instances();
                all.filter(|instance| !instance.is_alive()).count()
            });
            ensure!(ended <= count, "{ended} instances were ended");
            Ok((ended == count).then_some(()))
        })
        .await
    }

    /// Waits until so many webhooks have been dealt with.
    async fn dealt_with(&self, controller: &Controller, count: usize) -> Result<()> {
        wait::until_every(LOOK_EVERY, "the last event", PATIENCE, async || {
            let done = handled(&controller.metrics().await?, "webhooks");
            Ok((done >= count as u64).then_some(()))
        })
        .await
        .with_context(|| self.stage.so_far())
    }
}

/// Queues of another SQS than the world's.
struct Elsewhere {
    url: String,
    webhooks: String,
    webhooks_dead: String,
    ec2_events: String,
    ec2_events_dead: String,
}

impl Elsewhere {
    async fn made(fauxqs: &Fauxqs) -> Result<Self> {
        Ok(Self {
            url: fauxqs.url(),
            webhooks: fauxqs.queue("webhooks").await?,
            webhooks_dead: fauxqs.queue("webhooks-dead").await?,
            ec2_events: fauxqs.queue("ec2-events").await?,
            ec2_events_dead: fauxqs.queue("ec2-events-dead").await?,
        })
    }

    fn tell(self, places: &mut Places) {
        places.sqs_url = self.url;
        places.webhooks = self.webhooks;
        places.webhooks_dead = self.webhooks_dead;
        places.ec2_events = self.ec2_events;
        places.ec2_events_dead = self.ec2_events_dead;
    }
}

/// The body of an event as the simulated GitHub writes it.
fn template(world: &mut World, now: Timestamp, conclusion: Conclusion) -> Result<Value> {
    let job = JobSpec::new("test", ["runs-on=1/family=c7a/spot=true"]);
    let spec = RunSpec::new("acme/load".parse()?, vec![job]);
    let run = world.github_mut(now).push(now, spec);
    let jobs = world.github().run(run).map(|run| &run.current().jobs);
    let id = jobs.and_then(|jobs| jobs.keys().next().copied());
    let id = id.context("the run has no job")?;
    let body = world.github().imagined_completed(now, id, conclusion);
    Ok(serde_json::from_str(&body.context("no such job")?)?)
}

/// Of one job among many.
fn event(template: &Value, number: usize, is_hosted: bool, now: Timestamp) -> String {
    let mut body = template.clone();
    let job = &mut body["workflow_job"];
    job["id"] = json!(1_000_000 + number);
    job["run_id"] = json!(2_000_000 + number);
    let began = now - SignedDuration::from_mins(5);
    job["created_at"] = json!(seconds(began));
    job["started_at"] = json!(seconds(began));
    job["completed_at"] = json!(seconds(now));
    if is_hosted {
        job["labels"] = json!(["ubuntu-latest"]);
        job["runner_name"] = json!(format!("GitHub Actions {number}"));
    } else {
        job["runner_name"] = json!(format!("reprise--{}--{number:08x}", instance(number)));
    }
    body.to_string()
}

fn kilobytes(bytes: usize, count: usize) -> f64 {
    bytes as f64 / count as f64 / 1e3
}

fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn instance(number: usize) -> String {
    format!("i-{number:017x}")
}

/// An instance of ours that runs.
fn launched(world: &mut World, now: Timestamp, id: &str) {
    let settings = world.settings();
    let tags = [(settings.tags.stack(), settings.stack.to_string())];
    let zone = format!("{}a", settings.region);
    if let Ok(id) = id.parse::<InstanceId>() {
        let adopted = Adopted {
            id,
            instance_type: "c7a.large".to_owned(),
            zone,
            capacity: Capacity::Spot,
            tags: tags.into(),
            role: None,
        };
        world.ec2_mut(now).register_instance(now, adopted);
    }
}

async fn send_batch(sqs_url: String, queue: String, letters: Vec<Letter>) -> Result<()> {
    let entries: Vec<Value> = letters.iter().enumerate().map(entry).collect();
    let request = json!({ "QueueUrl": queue, "Entries": entries });
    let answer = raw_aws::sqs(&sqs_url, "eu-west-1", "SendMessageBatch", &request).await?;
    let failed = answer["Failed"].as_array().map_or(0, Vec::len);
    ensure!(failed == 0, "not all were sent: {answer}");
    Ok(())
}

fn entry((number, letter): (usize, &Letter)) -> Value {
    let attributes = letter.attributes.iter().map(|(name, text)| {
        let value = json!({ "DataType": "String", "StringValue": text });
        (name.clone(), value)
    });
    json!({
        "Id": number.to_string(),
        "MessageBody": letter.body,
        "MessageAttributes": attributes.collect::<serde_json::Map<_, _>>(),
    })
}

/// How many messages of a queue have ended, however they did.
fn handled(metrics: &str, queue: &str) -> u64 {
    let of_queue = format!("queue=\"{queue}\"");
    metrics
        .lines()
        .filter(|line| line.starts_with("reprise_messages_total{") && line.contains(&of_queue))
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok())
        .sum()
}
