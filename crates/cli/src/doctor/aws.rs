//! What AWS says: queues, rules, rights, machines.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use reprise_aws::{
    Ec2, EventRules, LaunchRequest, LaunchTemplate, QueueAttributes, RegionSettings, SqsError,
    SqsQueue,
};
use reprise_config::{Config, FleetSettings, QueuesConfig};
use reprise_controller::daemon;
use reprise_engine::doctor::{self, Dead, Finding, Queue, Rule};
use reprise_engine::offer::RegionOffer;
use reprise_model::breaker::LeftOut;
use reprise_model::ids::{ImageId, InstanceId, Region};
use reprise_model::instance::{Instance, InstanceState};
use reprise_model::launch::{OnDemandStrategy, Purchase};
use reprise_model::machine::Architecture;
use reprise_store::RunnerTable;

use super::now;

/// What to do where AWS says no.
const RIGHTS: &str =
    "terraform/modules/controller makes a role that may; the words of AWS say what is missing";

/// What to do where nobody gave credentials.
const CREDENTIALS: &str = "give some as for every AWS program (AWS_PROFILE, AWS_ACCESS_KEY_ID, `aws sso login`), or run \
     this where the controller runs, with its role";

/// An instance's id that nobody has.
const NOBODYS: &str = "i-00000000000000000";

const WEBHOOKS: &str = "queues.webhooks";
const EVENTS: &str = "queues.ec2_events";

/// A type that every region has, for a fleet that may launch all: a dry run needs one.
fn any_type(architecture: Architecture) -> String {
    match architecture {
        Architecture::X64 => "m6i.large",
        Architecture::Arm64 => "m6g.large",
    }
    .to_owned()
}

/// Whether there are any: all that AWS is asked needs them.
pub(super) async fn credentials(region: &Region) -> Finding {
    const CHECK: &str = "credentials";
    match reprise_aws::credentials(region).await {
        Ok(()) => Finding::ok(CHECK, "of AWS are there"),
        Err(error) => {
            // Below its first line the SDK lists each place that had none, six lines of the same.
            let said = error.to_string();
            let said = said.lines().next().unwrap_or_default();
            let said = said.trim_end_matches(" Attempted:");
            let says = format!("none of AWS are found: {said}");
            Finding::wrong(CHECK, says, CREDENTIALS)
        }
    }
}

/// As whom AWS is asked, and whether that is who was meant.
pub(super) async fn caller(region: &Region, meant: Option<&str>) -> Finding {
    match reprise_aws::caller(region).await {
        Ok(arn) => doctor::caller(&arn, meant),
        Err(error) => Finding::wrong("caller", error.to_string(), CREDENTIALS),
    }
}

/// What AWS is asked beside the ledger.
pub(super) fn all(config: &Config) -> Vec<&'static str> {
    let mut checks = vec!["queue"];
    if config.queues.ec2_events.is_some() {
        checks.push("event rule");
    }
    checks.push("looks");
    if config.settings.fleet.is_some() {
        checks.extend(["launch", "instances", "runner images"]);
    }
    if config.runners.is_some() {
        checks.push("runner table");
    }
    checks
}

pub(super) fn not_checked(check: &'static str) -> Finding {
    Finding::not_checked(check, "no AWS credentials")
}

pub(super) async fn queues(config: &QueuesConfig) -> Vec<Finding> {
    let mut found = Vec::new();
    let dead = config.webhooks_dead_letters.as_deref();
    one_queue(config, WEBHOOKS, &config.webhooks, dead, &mut found).await;
    let Some(events) = &config.ec2_events else {
        found.push(Finding::unknown(
            "event rule",
            "no queue of EC2's events is configured; interruptions are seen by tags alone",
            "terraform/modules/ingress makes one: it tells two minutes earlier",
        ));
        return found;
    };
    let dead = config.ec2_events_dead_letters.as_deref();
    if let Some(attributes) = one_queue(config, EVENTS, events, dead, &mut found).await {
        found.push(rules(config, &attributes).await);
    }
    found
}

async fn attributes(config: &QueuesConfig, url: &str) -> Result<QueueAttributes, SqsError> {
    let queue = SqsQueue::connect(url, &config.region, Duration::ZERO).await;
    queue.attributes().await
}

/// What is right and wrong with a queue and its dead letters. Its attributes, where they can be read.
async fn one_queue(
    config: &QueuesConfig,
    key: &'static str,
    url: &str,
    dead: Option<&str>,
    found: &mut Vec<Finding>,
) -> Option<QueueAttributes> {
    const ADVICE: &str = "is the address right, and may this role sqs:GetQueueAttributes?";
    let known = match attributes(config, url).await {
        Ok(known) => known,
        Err(error) => {
            let says = format!("{key}: {error}");
            found.push(Finding::wrong("queue", says, ADVICE));
            return None;
        }
    };
    let dead = match dead {
        Some(dead) => Some(attributes(config, dead).await),
        None => None,
    };
    let dead_arn = dead.as_ref().and_then(|dead| dead.as_ref().ok());
    found.push(doctor::queue(&Queue {
        key,
        waiting: known.waiting,
        retention: known.retention,
        visibility: known.visibility,
        redrive: known.redrive.clone(),
        dead: dead_arn.and_then(|dead| dead.arn.clone()),
    }));
    match dead {
        Some(Ok(dead)) => {
            let count = |number: Option<u64>| number.unwrap_or_default();
            let messages = count(dead.waiting).saturating_add(count(dead.hidden));
            found.push(doctor::dead_letters(Dead { key, messages }));
        }
        Some(Err(error)) => {
            let says = format!("{key}: {error}");
            found.push(Finding::wrong("dead letters", says, ADVICE));
        }
        None => {}
    }
    Some(known)
}

async fn rules(config: &QueuesConfig, queue: &QueueAttributes) -> Finding {
    let read = async {
        let arn = queue.arn.as_deref().unwrap_or_default();
        EventRules::connect(&config.region)
            .await?
            .sending_to(arn)
            .await
    };
    let rules = match read.await {
        Ok(rules) => rules,
        // Whoever may not read them is told so, and what else is known of them.
        Err(error) if error.is_denied() => return doctor::rules(None, &queue.sources),
        Err(error) => {
            let advice = "ask again; if it stays so, the words of AWS say what to do";
            return Finding::wrong("event rule", error.to_string(), advice);
        }
    };
    let rules: Vec<Rule> = rules
        .into_iter()
        .map(|rule| Rule {
            name: rule.name,
            arn: rule.arn,
            enabled: rule.enabled,
            pattern: rule.pattern,
        })
        .collect();
    doctor::rules(Some(&rules), &queue.sources)
}

pub(super) async fn machines(config: &Config) -> Vec<Finding> {
    let regions: Vec<RegionSettings> = config.regions.iter().map(daemon::region).collect();
    let ec2 = Ec2::connect(&regions).await;
    let mut found = Vec::new();
    for place in &regions {
        found.extend(looks(&ec2, &place.region).await);
    }
    let Some(fleet) = &config.settings.fleet else {
        return found;
    };
    let mut images = Images::default();
    for offer in &fleet.offer.regions {
        for private in [false, true] {
            // Whoever has subnets of one kind alone launches there alone.
            if !offer.subnets(private).is_empty() {
                found.push(launch(&ec2, config, fleet, offer, private).await);
            }
        }
        found.extend(instances(&ec2, config, fleet, offer, &mut images).await);
    }
    found.push(doctor::images(images.count, images.oldest, now()));
    found
}

/// What is asked of every machine on which a job failed, whoever launched it.
async fn looks(ec2: &Ec2, region: &Region) -> Vec<Finding> {
    const CHECK: &str = "looks";
    // Looks are by filter, so that one that nobody has is simply not in the answer.
    let nobodys: InstanceId = match NOBODYS.parse() {
        Ok(id) => id,
        Err(_) => return vec![Finding::not_checked(CHECK, "no id to ask about")],
    };
    let instance = ec2.look(region, &nobodys).await.err();
    let request = ec2.spot_status(region, &nobodys).await.err();
    let denied: Vec<Finding> = instance
        .into_iter()
        .chain(request)
        .map(|error| Finding::wrong(CHECK, error.to_string(), RIGHTS))
        .collect();
    if denied.is_empty() {
        let says = format!("instances and spot requests of {region} can be looked at");
        return vec![Finding::ok(CHECK, says)];
    }
    denied
}

#[derive(Default)]
struct Images {
    count: usize,
    oldest: Option<Timestamp>,
}

async fn launch(
    ec2: &Ec2,
    config: &Config,
    fleet: &FleetSettings,
    offer: &RegionOffer,
    private: bool,
) -> Finding {
    const CHECK: &str = "launch";
    let first = fleet.offer.types.first();
    let request = LaunchRequest {
        region: offer.region.clone(),
        client_token: format!("reprise-doctor-{}", now().as_millisecond()),
        count: 1,
        purchase: Purchase::OnDemand(OnDemandStrategy::default()),
        launch_template: LaunchTemplate {
            name_or_id: fleet.launch_template.clone(),
            version: fleet.launch_template_version.clone(),
        },
        instance_types: vec![first.map_or_else(
            || any_type(fleet.offer.architecture),
            |one| one.name.clone(),
        )],
        subnets: offer.subnets(private).to_vec(),
        left_out: LeftOut::default(),
        image: None,
        volume: None,
        tags: BTreeMap::from([(config.settings.rules.tags.stack(), fleet.stack.to_string())]),
    };
    let (region, template) = (&offer.region, &fleet.launch_template);
    let subnets = if private {
        "private subnets"
    } else {
        "subnets"
    };
    match ec2.may_launch(&request).await {
        Ok(()) => Finding::ok(
            CHECK,
            format!("{template} may be launched in {region}, in its {subnets}"),
        ),
        Err(error) => Finding::wrong(CHECK, error.to_string(), RIGHTS),
    }
}

/// What may be done with an instance of the stack: any one will do, and there may be none.
async fn instances(
    ec2: &Ec2,
    config: &Config,
    fleet: &FleetSettings,
    offer: &RegionOffer,
    images: &mut Images,
) -> Vec<Finding> {
    const CHECK: &str = "instances";
    let tags = &config.settings.rules.tags;
    let region = &offer.region;
    let mut alive: Vec<(Instance, Option<ImageId>)> = Vec::new();
    let mut each = |view: reprise_model::instance::InstanceView| {
        if view.state == InstanceState::Running {
            alive.push((view.instance, view.image));
        }
    };
    let (key, stack) = (tags.stack(), fleet.stack.as_str());
    if let Err(error) = ec2.list_stack(region, &key, stack, &mut each).await {
        return vec![Finding::wrong(CHECK, error.to_string(), RIGHTS)];
    }
    let Some((instance, _)) = alive.first() else {
        return vec![Finding::unknown(
            CHECK,
            format!("none of the stack runs in {region}, so that nothing can be asked about one"),
            "run a job, and ask again while its machine is there",
        )];
    };
    let used: BTreeSet<ImageId> = alive
        .iter()
        .filter_map(|(_, image)| image.clone())
        .collect();
    if let Ok(dates) = ec2.image_dates(region, &used).await {
        images.count = images.count.saturating_add(dates.len());
        let runners = dates.values().map(|dates| dates.runner_since());
        images.oldest = images.oldest.into_iter().chain(runners).min();
    }
    let mut rights = vec![
        ("end", ec2.may_terminate(instance).await),
        ("console", ec2.may_read_console(instance).await),
    ];
    if fleet.tag_jobs {
        let job = BTreeMap::from([(tags.job(), "1".to_owned())]);
        rights.push(("tag", ec2.may_tag(instance, &job).await));
    }
    let denied: Vec<Finding> = rights
        .into_iter()
        .filter_map(|(_, right)| right.err())
        .map(|error| Finding::wrong(CHECK, error.to_string(), RIGHTS))
        .collect();
    if denied.is_empty() {
        let count = alive.len();
        return vec![Finding::ok(
            CHECK,
            format!(
                "{count} run in {region}; they may be ended, tagged and asked for their console"
            ),
        )];
    }
    denied
}

pub(super) async fn runner_tables(config: &Config) -> Vec<Finding> {
    const CHECK: &str = "runner table";
    let Some(runners) = &config.runners else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for region in &runners.regions {
        let role = config.regions.iter().find(|one| one.region == *region);
        let role = role.and_then(|one| one.role_arn.as_deref());
        let table = RunnerTable::connect(&runners.table, region, role).await;
        let name = format!("{} in {region}", runners.table);
        found.push(match table {
            Ok(_) => Finding::ok(CHECK, format!("{name} is there")),
            Err(error) => Finding::wrong(
                CHECK,
                format!("{name}: {:#}", anyhow::Error::from(error)),
                "terraform/modules/runner makes it; [runner] table names it",
            ),
        });
    }
    found
}
