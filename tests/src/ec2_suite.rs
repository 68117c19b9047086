//! What every EC2 must do for the fleet: launch, look, tag, list, end.
//!
//! It knows nothing of the server: instances may be pending or running, ending or ended, as time
//! goes there. What no peer can do (shortage, throttling, notices) is not asked here.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};
use reprise_aws::{Ec2, LaunchRequest, LaunchTemplate, RegionSettings};
use reprise_model::ids::{AccountId, InstanceId, Region};
use reprise_model::instance::{Capacity, Instance, InstanceSight, InstanceState, InstanceView};
use reprise_model::ledger::LaunchAnswer;
use reprise_model::tags::{TRUE, TagKeys};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::raw_aws;

/// An id that no EC2 ever gave to an instance.
const UNKNOWN: &str = "i-0fffffffffffffff0";

/// So many ids are asked for at once, one of them unknown.
const CROWD: usize = 100;

/// The stack whose instances are looked for.
const STACK: &str = "reprise";

/// Where an EC2 is, and what there is to launch from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ec2Place {
    /// Its endpoint.
    pub endpoint: String,
    /// The account that owns the instances.
    pub account: AccountId,
    /// The region.
    pub region: Region,
    /// A launch template's name.
    pub launch_template: String,
    /// The id of the same one.
    pub launch_template_id: String,
    /// Subnets, each in a zone of its own.
    pub subnets: Vec<String>,
}

/// Everything, on an EC2 without instances.
pub async fn run(place: &Ec2Place) -> Result<()> {
    let fleet = Fleet::of(place).await;
    fleet.launches_what_is_asked_for().await?;
    fleet.sees_a_tag_that_somebody_sets().await?;
    fleet.lists_its_stack_alone().await?;
    fleet.refuses_what_cannot_be_launched().await?;
    fleet.ends_an_instance_as_often_as_asked().await?;
    fleet.serves_the_others_beside_an_unknown_id().await
}

/// What moto does not know: a client token's second use, on an EC2 that has enough of everything.
pub async fn repeats(place: &Ec2Place) -> Result<()> {
    let fleet = Fleet::of(place).await;
    let request = fleet.request("once", Capacity::Spot, STACK);
    let first = fleet.launch(&request).await?;
    let again = fleet.launch(&request).await?;
    ensure!(first == again, "one token launched {first} and {again}");
    let other = fleet.request("twice", Capacity::Spot, STACK);
    let second = fleet.launch(&other).await?;
    ensure!(first != second, "two tokens launched {first}");
    Ok(())
}

/// What no peer knows: on an EC2 without spot capacity and with an on-demand quota that is used up.
pub async fn shortages(place: &Ec2Place) -> Result<()> {
    let fleet = Fleet::of(place).await;
    let spot = fleet.request("short", Capacity::Spot, STACK);
    let answer = fleet.ec2.launch(&spot).await;
    let short = LaunchAnswer::NoCapacity {
        codes: vec!["InsufficientInstanceCapacity".to_owned()],
    };
    ensure!(answer == short, "no spot capacity: {answer:?}");
    let on_demand = fleet.request("over", Capacity::OnDemand, STACK);
    let answer = fleet.ec2.launch(&on_demand).await;
    let LaunchAnswer::Refused { message } = &answer else {
        bail!("a quota is no shortage: {answer:?}");
    };
    ensure!(message.contains("VcpuLimitExceeded"), "{message}");
    Ok(())
}

/// On an EC2 that lets no call through.
pub async fn throttled(place: &Ec2Place) -> Result<()> {
    let fleet = Fleet::of(place).await;
    let spot = fleet.request("busy", Capacity::Spot, STACK);
    let answer = fleet.ec2.launch(&spot).await;
    // Nothing was decided about the request, so it is repeated with the same client token.
    let LaunchAnswer::Unclear { message } = &answer else {
        bail!("too many requests: {answer:?}");
    };
    ensure!(message.contains("RequestLimitExceeded"), "{message}");
    Ok(())
}

struct Fleet<'a> {
    place: &'a Ec2Place,
    ec2: Ec2,
    tags: TagKeys,
}

impl<'a> Fleet<'a> {
    async fn of(place: &'a Ec2Place) -> Self {
        let settings = RegionSettings {
            region: place.region.clone(),
            account: place.account.clone(),
            role_arn: None,
        };
        Self {
            place,
            ec2: Ec2::connect(&[settings]).await,
            tags: TagKeys::default(),
        }
    }

    async fn launches_what_is_asked_for(&self) -> Result<()> {
        for (token, capacity) in [("spot", Capacity::Spot), ("steady", Capacity::OnDemand)] {
            let request = self.request(token, capacity, STACK);
            let id = self.launch(&request).await?;
            let view = self.seen(&id).await?;
            ensure!(view.capacity == capacity, "{capacity} became {view:?}");
            ensure!(view.instance.account == self.place.account, "{view:?}");
            ensure!(
                request.instance_types.contains(&view.instance_type),
                "{view:?}"
            );
            ensure!(is_alive(view.state), "{view:?}");
            ensure!(
                view.zone.is_some() && view.launched_at.is_some(),
                "{view:?}"
            );
            let tags = request.tags.iter();
            let missing: Vec<_> = tags
                .filter(|(key, value)| view.tags.get(*key) != Some(value))
                .collect();
            ensure!(
                missing.is_empty(),
                "{missing:?} are not among {:?}",
                view.tags
            );
            self.end(&id).await?;
        }
        Ok(())
    }

    /// The agent's tag reaches the controller so.
    async fn sees_a_tag_that_somebody_sets(&self) -> Result<()> {
        let id = self
            .launch(&self.request("tagged", Capacity::Spot, STACK))
            .await?;
        let key = self.tags.interrupted();
        ensure!(
            !self.seen(&id).await?.tags.contains_key(&key),
            "it is tagged already"
        );
        let tag = [
            ("ResourceId.1", id.as_str()),
            ("Tag.1.Key", key.as_str()),
            ("Tag.1.Value", TRUE),
        ];
        self.ask("CreateTags", &tag).await?;
        let tags = self.seen(&id).await?.tags;
        ensure!(
            tags.get(&key).map(String::as_str) == Some(TRUE),
            "only {tags:?}"
        );
        self.end(&id).await?;
        // EC2 shows a terminated instance for about an hour, and its tags are still evidence.
        let tags = self.seen(&id).await?.tags;
        ensure!(
            tags.contains_key(&key),
            "it ended and lost its tag: {tags:?}"
        );
        Ok(())
    }

    async fn lists_its_stack_alone(&self) -> Result<()> {
        let ours = self
            .launch(&self.request("ours", Capacity::Spot, STACK))
            .await?;
        let theirs = self
            .launch(&self.request("theirs", Capacity::Spot, "reprise-2"))
            .await?;
        let listed = self.listed(STACK).await?;
        ensure!(
            listed == BTreeSet::from([ours.clone()]),
            "{listed:?} is not {ours}"
        );
        // Wildcards to EC2; to us a stack that has no instances.
        let listed = self.listed("reprise*").await?;
        ensure!(
            listed.is_empty(),
            "{listed:?} are not of the stack reprise*"
        );
        self.end(&ours).await?;
        self.end(&theirs).await
    }

    async fn refuses_what_cannot_be_launched(&self) -> Result<()> {
        let mut request = self.request("nothing", Capacity::OnDemand, STACK);
        request.launch_template.name_or_id = "no-such-template".to_owned();
        let answer = self.ec2.launch(&request).await;
        let LaunchAnswer::Refused { message } = answer else {
            bail!("a template that does not exist: {answer:?}");
        };
        ensure!(
            message.contains("LaunchTemplate"),
            "it does not say why: {message}"
        );
        Ok(())
    }

    async fn ends_an_instance_as_often_as_asked(&self) -> Result<()> {
        let mut request = self.request("ended", Capacity::OnDemand, STACK);
        request.launch_template.name_or_id = self.place.launch_template_id.clone();
        let id = self.launch(&request).await?;
        self.end(&id).await?;
        self.end(&id).await?;
        ensure!(!is_alive(self.seen(&id).await?.state), "{id} lives on");
        // What ended an instance is evidence, and a sweep finds it by the stack's tag.
        let views = self
            .ec2
            .list_stack(&self.place.region, &self.tags.stack(), STACK)
            .await?;
        let listed = views
            .iter()
            .any(|view| view.instance.id == id && !is_alive(view.state));
        ensure!(listed, "{id} ended and is not listed as ended");
        self.end(&unknown()?).await
    }

    async fn serves_the_others_beside_an_unknown_id(&self) -> Result<()> {
        let known = self.launch_many(CROWD - 1).await?;
        let unknown = unknown()?;
        let mut all = known.clone();
        all.insert(unknown.clone());
        ensure!(all.len() == CROWD, "{} instances", all.len());

        let sights = self.look_at_once(&all).await?;
        ensure!(
            sights.get(&unknown) == Some(&InstanceSight::Absent),
            "{unknown} is seen"
        );
        for id in &known {
            ensure!(
                matches!(sights.get(id), Some(InstanceSight::Seen(view)) if is_alive(view.state)),
                "{id}"
            );
        }
        self.end_at_once(&all).await?;
        let sights = self.look_at_once(&known).await?;
        for id in &known {
            ensure!(
                matches!(sights.get(id), Some(InstanceSight::Seen(view)) if !is_alive(view.state)),
                "{id} lives on"
            );
        }
        Ok(())
    }

    fn request(&self, token: &str, capacity: Capacity, stack: &str) -> LaunchRequest {
        LaunchRequest {
            region: self.place.region.clone(),
            client_token: format!("suite-{token}"),
            capacity,
            launch_template: LaunchTemplate {
                name_or_id: self.place.launch_template.clone(),
                version: "$Latest".to_owned(),
            },
            instance_types: vec!["c7a.large".to_owned(), "c7i.large".to_owned()],
            subnets: self.place.subnets.clone(),
            image: None,
            tags: BTreeMap::from([
                (self.tags.stack(), stack.to_owned()),
                (self.tags.capacity(), capacity.to_string()),
                (self.tags.labels(), "family=c7a spot=true".to_owned()),
            ]),
        }
    }

    async fn launch(&self, request: &LaunchRequest) -> Result<InstanceId> {
        let answer = self.ec2.launch(request).await;
        let LaunchAnswer::Launched { instance, capacity } = answer else {
            bail!("{} was not launched: {answer:?}", request.client_token);
        };
        ensure!(capacity == request.capacity, "{instance} is {capacity}");
        Ok(instance)
    }

    /// One fleet of many, which Reprise never asks for.
    async fn launch_many(&self, number: usize) -> Result<BTreeSet<InstanceId>> {
        let number = number.to_string();
        let override_ = "LaunchTemplateConfigs.1.Overrides.1";
        let (kind, subnet) = (
            format!("{override_}.InstanceType"),
            format!("{override_}.SubnetId"),
        );
        let specification = "LaunchTemplateConfigs.1.LaunchTemplateSpecification";
        let (name, version) = (
            format!("{specification}.LaunchTemplateName"),
            format!("{specification}.Version"),
        );
        let subnet_id = self.place.subnets.first().context("no subnet")?;
        let parameters = [
            ("Type", "instant"),
            ("TargetCapacitySpecification.TotalTargetCapacity", &number),
            (
                "TargetCapacitySpecification.DefaultTargetCapacityType",
                "spot",
            ),
            (&name, &self.place.launch_template),
            (&version, "$Latest"),
            (&kind, "c7a.large"),
            (&subnet, subnet_id),
        ];
        let answer = self.ask("CreateFleet", &parameters).await?;
        // One group of ids for all, or one for each.
        let groups = raw_aws::elements(&answer, "instanceIds");
        let ids = groups.flat_map(|group| raw_aws::elements(group, "item"));
        ids.map(|id| Ok(id.parse()?)).collect()
    }

    async fn look_at_once(
        &self,
        ids: &BTreeSet<InstanceId>,
    ) -> Result<BTreeMap<InstanceId, InstanceSight>> {
        let mut looks = JoinSet::new();
        for id in ids.clone() {
            let (ec2, region) = (self.ec2.clone(), self.place.region.clone());
            looks.spawn(async move { ec2.look(&region, &id).await.map(|sight| (id, sight)) });
        }
        let sights: Result<_, _> = looks.join_all().await.into_iter().collect();
        Ok(sights?)
    }

    async fn end_at_once(&self, ids: &BTreeSet<InstanceId>) -> Result<()> {
        let mut ends = JoinSet::new();
        for id in ids {
            let (ec2, instance) = (self.ec2.clone(), self.instance(id));
            ends.spawn(async move { ec2.terminate(&instance).await });
        }
        let ended: Result<(), _> = ends.join_all().await.into_iter().collect();
        Ok(ended?)
    }

    async fn end(&self, id: &InstanceId) -> Result<()> {
        let ended = self.ec2.terminate(&self.instance(id)).await;
        ended.with_context(|| format!("failed to end {id}"))
    }

    async fn seen(&self, id: &InstanceId) -> Result<InstanceView> {
        match self.ec2.look(&self.place.region, id).await? {
            InstanceSight::Seen(view) => Ok(view),
            InstanceSight::Absent => bail!("{id} is absent"),
        }
    }

    async fn listed(&self, stack: &str) -> Result<BTreeSet<InstanceId>> {
        let views = self
            .ec2
            .list_stack(&self.place.region, &self.tags.stack(), stack)
            .await?;
        let alive = views.into_iter().filter(|view| is_alive(view.state));
        Ok(alive.map(|view| view.instance.id).collect())
    }

    fn instance(&self, id: &InstanceId) -> Instance {
        Instance {
            account: self.place.account.clone(),
            region: self.place.region.clone(),
            id: id.clone(),
        }
    }

    async fn ask(&self, action: &str, parameters: &[(&str, &str)]) -> Result<String> {
        let Ec2Place {
            endpoint, region, ..
        } = self.place;
        raw_aws::ec2(endpoint, region.as_str(), action, parameters).await
    }
}

fn is_alive(state: InstanceState) -> bool {
    match state {
        InstanceState::Pending | InstanceState::Running => true,
        InstanceState::ShuttingDown
        | InstanceState::Terminated
        | InstanceState::Stopping
        | InstanceState::Stopped
        | InstanceState::Unknown => false,
    }
}

fn unknown() -> Result<InstanceId> {
    Ok(UNKNOWN.parse()?)
}
