//! EC2 and SQS outside the world: moto launches and ends instances, ministack keeps the messages.
//!
//! GitHub, the metadata services, the runners and the spot market stay the world's. So each step
//! carries the world's messages out, and the life of moto's instances in. An instance that the
//! world's market takes lives on in moto: its tag is what shows the interruption there.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use reprise_model::ids::InstanceId;
use reprise_model::instance::Capacity;
use reprise_world::ec2::Adopted;
use reprise_world::world::Queue;
use serde_json::json;

use super::config::Places;
use super::stage::Stage;
use crate::ministack::Ministack;
use crate::moto::Moto;
use crate::raw_aws::{self, element, elements};

/// An instance as moto describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// Its id.
    pub id: InstanceId,
    /// Its type.
    pub instance_type: String,
    /// Its zone.
    pub zone: String,
    /// Spot or on-demand.
    pub capacity: Capacity,
    /// The word for its state.
    pub state: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Described {
    fn is_alive(&self) -> bool {
        self.state == "pending" || self.state == "running"
    }
}

/// What connects the world with the servers outside it.
#[derive(Debug)]
pub struct Bridge {
    moto: Moto,
    _ministack: Ministack,
    places: Option<Places>,
    known: BTreeSet<InstanceId>,
    ended: BTreeSet<InstanceId>,
}

impl Bridge {
    /// Starts both servers, and answers what makes a stage use them.
    pub async fn start() -> Result<(Self, impl FnOnce(&mut Places) + Send)> {
        let (moto, ministack) = (Moto::start().await?, Ministack::start().await?);
        let ec2 = moto.place().await?;
        let (webhooks, ec2_events) = (
            ministack.queues("webhooks").await?,
            ministack.queues("ec2-events").await?,
        );
        let sqs_url = ministack.url();
        let bridge = Self {
            moto,
            _ministack: ministack,
            places: None,
            known: BTreeSet::new(),
            ended: BTreeSet::new(),
        };
        let change = move |places: &mut Places| {
            places.ec2_url = ec2.endpoint;
            places.sqs_url = sqs_url;
            places.webhooks = webhooks.queue_url;
            places.webhooks_dead = webhooks.dead_letters_url;
            places.ec2_events = ec2_events.queue_url;
            places.ec2_events_dead = ec2_events.dead_letters_url;
            places.account = ec2.account;
            places.region = ec2.region;
            places.launch_template = ec2.launch_template;
            places.launch_template_version = "$Latest";
            places.subnets = ec2.subnets;
        };
        Ok((bridge, change))
    }

    /// moto's endpoint.
    pub fn ec2_url(&self) -> String {
        self.moto.url()
    }

    /// Carries over what has happened since the last step.
    pub async fn step(&mut self, stage: &Stage) -> Result<()> {
        for outgoing in stage.with(|world, _| world.take_outgoing()) {
            let queue = outgoing.queue;
            stage.send(queue, &outgoing.into()).await?;
        }
        self.places.get_or_insert_with(|| stage.places().clone());
        for instance in self.instances().await? {
            if self.known.insert(instance.id.clone()) {
                stage.with(|world, now| world.adopt(now, adopted(&instance)));
            }
            if !instance.is_alive() && self.ended.insert(instance.id.clone()) {
                stage.with(|world, now| world.instance_gone(now, &instance.id))?;
            }
        }
        Ok(())
    }

    /// All instances that moto knows.
    pub async fn instances(&self) -> Result<Vec<Described>> {
        let region = self
            .places
            .as_ref()
            .map_or("eu-west-1", |places| places.region.as_str());
        let xml = raw_aws::ec2(&self.moto.url(), region, "DescribeInstances", &[]).await?;
        elements(&xml, "instancesSet").map(read).collect()
    }

    /// How many messages a queue of ministack holds, waiting or received, its dead letters included.
    pub async fn messages(&self, queue: Queue) -> Result<u64> {
        let places = self.places.as_ref().context("no step was made")?;
        let urls = match queue {
            Queue::Webhooks => [&places.webhooks, &places.webhooks_dead],
            Queue::Ec2Events => [&places.ec2_events, &places.ec2_events_dead],
        };
        let mut messages = 0;
        for url in urls {
            messages += count(places, url).await?;
        }
        Ok(messages)
    }
}

async fn count(places: &Places, url: &str) -> Result<u64> {
    let request = json!({ "QueueUrl": url, "AttributeNames": ["All"] });
    let answer = raw_aws::sqs(
        &places.sqs_url,
        places.region.as_str(),
        "GetQueueAttributes",
        &request,
    )
    .await?;
    let mut messages = 0;
    for name in [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
    ] {
        let text = answer["Attributes"][name].as_str();
        messages += text
            .with_context(|| format!("no {name} in {answer}"))?
            .parse::<u64>()?;
    }
    Ok(messages)
}

/// The instance of a reservation; the fleets of Reprise have one each.
fn read(xml: &str) -> Result<Described> {
    let lifecycle = element(xml, "instanceLifecycle").unwrap_or_default();
    let tags = element(xml, "tagSet").unwrap_or_default();
    let tags = elements(tags, "item").map(|tag| {
        let text = |name| Ok::<_, anyhow::Error>(element(tag, name)?.to_owned());
        Ok((text("key")?, text("value")?))
    });
    Ok(Described {
        id: element(xml, "instanceId")?.parse()?,
        instance_type: element(xml, "instanceType")?.to_owned(),
        zone: element(xml, "availabilityZone")?.to_owned(),
        capacity: if lifecycle == "spot" {
            Capacity::Spot
        } else {
            Capacity::OnDemand
        },
        state: element(element(xml, "instanceState")?, "name")?.to_owned(),
        tags: tags.collect::<Result<_>>()?,
    })
}

fn adopted(instance: &Described) -> Adopted {
    let Described {
        id,
        instance_type,
        zone,
        capacity,
        tags,
        ..
    } = instance.clone();
    Adopted {
        id,
        instance_type,
        zone,
        capacity,
        tags,
        // So that the agent finds credentials; moto takes any.
        role: Some("reprise-runner".to_owned()),
    }
}
