//! The simulated world behind its HTTP doors, as the suites need it.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow};
use jiff::SignedDuration;
use reprise_model::ids::{InstanceId, Region};
use reprise_model::instance::Capacity;
use reprise_world::clock::ScaledClock;
use reprise_world::ec2::{Adopted, LaunchTemplate};
use reprise_world::github::{self, AppKeys};
use reprise_world::server::{self, RunningWorld};
use reprise_world::sqs::{DeadLetter, QueueSettings};
use reprise_world::world::{World, WorldSettings};

use crate::ec2_suite::Ec2Place;
use crate::runner_suite::RunnerPlace;
use crate::sqs_suite::{MAX_RECEIVE_COUNT, SqsPlace};

const TEMPLATE: &str = "suite";
const QUEUE: &str = "suite";
const DEAD_LETTERS: &str = "suite-dead";

/// A world in which nothing happens by itself, in real time.
pub async fn start() -> Result<RunningWorld> {
    let keys = AppKeys::generate()?;
    let github = github::Settings::new(keys.public_pem, "fake-webhook-secret");
    let clock = ScaledClock::starting_now(1.0)?;
    let world = World::new(WorldSettings::new(1, clock.now(), github))?;
    server::start(world, clock)
        .await
        .context("failed to serve a world")
}

/// What there is to launch from.
pub fn ec2_place(world: &RunningWorld) -> Ec2Place {
    let template = LaunchTemplate {
        name: TEMPLATE.to_owned(),
        image: Some("ami-0123456789abcdef0".to_owned()),
        ..LaunchTemplate::default()
    };
    world.with(|inside, now| {
        let launch_template_id = inside.ec2_mut(now).register_launch_template(now, template);
        let settings = inside.ec2().settings();
        Ec2Place {
            endpoint: world.aws_url().to_owned(),
            account: settings.account.clone(),
            region: settings.region.clone(),
            role_arn: None,
            launch_template: TEMPLATE.to_owned(),
            launch_template_id,
            subnets: settings.subnets.keys().cloned().collect(),
        }
    })
}

/// Two instances of the world with a role, and the table that both may ask for their own row.
pub fn runner_places(world: &RunningWorld) -> Result<[RunnerPlace; 2]> {
    let places = world.with(|inside, now| -> Result<Vec<RunnerPlace>> {
        let settings = inside.settings().clone();
        let mut places = Vec::new();
        for id in ["i-0123456789abcdef0", "i-0123456789abcdef1"] {
            let id: InstanceId = id.parse()?;
            inside.adopt(now, adopted(&id, &settings));
            let given = inside.ec2().credentials(&id, now).context("no role")?;
            places.push(RunnerPlace {
                url: world.aws_url().to_owned(),
                region: settings.region.clone(),
                table: settings.runner_table.clone(),
                role: settings.runner_role.clone(),
                instance: id,
                credentials: [given.access_key_id, given.secret_access_key, given.token],
            });
        }
        Ok(places)
    });
    let places: Result<[RunnerPlace; 2], _> = places?.try_into();
    places.map_err(|_| anyhow!("another number of instances"))
}

/// A queue with dead letters.
pub fn sqs_place(world: &RunningWorld) -> SqsPlace {
    let settings = QueueSettings {
        visibility_timeout: SignedDuration::from_secs(30),
        dead_letter: Some(DeadLetter {
            queue: DEAD_LETTERS.to_owned(),
            max_receive_count: MAX_RECEIVE_COUNT,
        }),
        ..QueueSettings::default()
    };
    let (account, region): (_, Region) = world.with(|inside, now| {
        let sqs = inside.sqs_mut(now);
        sqs.create_queue(DEAD_LETTERS, QueueSettings::default());
        sqs.create_queue(QUEUE, settings);
        let settings = inside.settings();
        (settings.account.clone(), settings.region.clone())
    });
    let url = |name: &str| format!("{}/{account}/{name}", world.aws_url());
    SqsPlace {
        region,
        queue_url: url(QUEUE),
        dead_letters_url: url(DEAD_LETTERS),
    }
}

fn adopted(id: &InstanceId, settings: &WorldSettings) -> Adopted {
    Adopted {
        id: id.clone(),
        instance_type: "c7a.large".to_owned(),
        zone: format!("{}a", settings.region),
        capacity: Capacity::Spot,
        tags: BTreeMap::new(),
        role: Some(settings.launch_template.clone()),
    }
}
