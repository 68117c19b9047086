//! What every EC2 must do for the fleet: launch one and many, look, tag, list, end, know its types.
//!
//! It knows nothing of the server: instances may be pending or running, ending or ended, as time
//! goes there. What no peer can do (shortage, throttling, notices) is not asked here.

mod probes;
mod shared;
mod spot;
mod stock;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};
use reprise_aws::{Ec2, LaunchRequest, LaunchTemplate, RegionSettings};
use reprise_model::breaker::LeftOut;
use reprise_model::ids::{AccountId, InstanceId, Region};
use reprise_model::instance::{Capacity, Instance, InstanceSight, InstanceState, InstanceView};
use reprise_model::launch::{FleetAnswer, FleetFailure, LaunchFault};
use reprise_model::tags::{TRUE, TagKeys};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::raw_aws;

pub use probes::{dry_runs, dry_runs_refuse};
pub use shared::{faults, partial, repeats, shortages, stumbles, throttled};
pub use spot::{MARKED, a_request_by_itself, spot_requests};
pub use stock::{Newest, images, tells_types};

/// An id that no EC2 ever gave to an instance.
const UNKNOWN: &str = "i-0fffffffffffffff0";

/// So many ids are asked for at once, one of them unknown.
const CROWD: u32 = 100;

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
    /// The role that leads into the account, where it is not the asker's own.
    pub role_arn: Option<String>,
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
    fleet.knows_its_instance_types().await?;
    fleet.launches_what_is_asked_for().await?;
    fleet.launches_ten_by_one_call().await?;
    fleet.sees_a_tag_that_somebody_sets().await?;
    fleet.lists_its_stack_alone().await?;
    fleet.refuses_what_cannot_be_launched().await?;
    fleet.ends_an_instance_as_often_as_asked().await?;
    fleet.serves_the_others_beside_an_unknown_id().await
}

/// Where a role leads into the account of the instances: they are launched, seen and ended there, and the
/// asker's own account has none of them.
pub async fn elsewhere(place: &Ec2Place) -> Result<()> {
    let fleet = Fleet::of(place).await;
    let id = fleet
        .launch(&fleet.request("elsewhere", Capacity::Spot, STACK))
        .await?;
    let view = fleet.seen(&id).await?;
    ensure!(view.instance.account == place.account, "{view:?}");
    ensure!(fleet.listed(STACK).await? == BTreeSet::from([id.clone()]));
    let own = fleet.ask("DescribeInstances", &[]).await?;
    ensure!(!own.contains(id.as_str()), "{id} is the asker's own: {own}");
    fleet.end(&id).await?;
    ensure!(fleet.listed(STACK).await?.is_empty(), "{id} lives on");
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
            role_arn: place.role_arn.clone(),
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
        let failure = self.failure(&request).await?;
        ensure!(
            failure.fault == LaunchFault::Request && failure.detail.contains("LaunchTemplate"),
            "a template that does not exist: {failure:?}"
        );
        let mut request = self.request("no-type", Capacity::Spot, STACK);
        request.instance_types = vec!["c7a.tiny".to_owned()];
        // Of the whole call to some, of the pools to others.
        let faults = match self.ec2.launch(&request).await {
            Ok(answer) => answer.shortfall.iter().map(|pool| pool.fault).collect(),
            Err(failure) => BTreeSet::from([failure.fault]),
        };
        ensure!(
            faults == BTreeSet::from([LaunchFault::Request]),
            "{faults:?}"
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
        let views = self.stack(STACK).await?;
        let listed = views
            .iter()
            .any(|view| view.instance.id == id && !is_alive(view.state));
        ensure!(listed, "{id} ended and is not listed as ended");
        self.end(&unknown()?).await
    }

    async fn serves_the_others_beside_an_unknown_id(&self) -> Result<()> {
        let crowd = self.answer(&self.many("crowd", CROWD - 1)).await?;
        let crowd = crowd.launched.into_iter().map(|one| one.instance);
        let known: BTreeSet<_> = crowd.collect();
        let unknown = unknown()?;
        let mut all = known.clone();
        all.insert(unknown.clone());
        ensure!(
            u32::try_from(all.len())? == CROWD,
            "{} instances",
            all.len()
        );

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
            count: 1,
            purchase: capacity.into(),
            launch_template: LaunchTemplate {
                name_or_id: self.place.launch_template.clone(),
                version: "$Latest".to_owned(),
            },
            instance_types: vec!["c7a.large".to_owned(), "c7i.large".to_owned()],
            subnets: self.place.subnets.clone(),
            left_out: LeftOut::default(),
            image: None,
            volume: None,
            tags: BTreeMap::from([
                (self.tags.stack(), stack.to_owned()),
                (self.tags.capacity(), capacity.to_string()),
                (self.tags.labels(), "family=c7a spot=true".to_owned()),
            ]),
        }
    }

    async fn launch(&self, request: &LaunchRequest) -> Result<InstanceId> {
        let answer = self.answer(request).await?;
        let [one] = &answer.launched[..] else {
            bail!("{} is not one: {answer:?}", request.client_token);
        };
        ensure!(one.capacity == request.purchase.capacity(), "{one:?}");
        Ok(one.instance.clone())
    }

    /// Spot instances, so many.
    fn many(&self, token: &str, count: u32) -> LaunchRequest {
        LaunchRequest {
            count,
            ..self.request(token, Capacity::Spot, STACK)
        }
    }

    async fn answer(&self, request: &LaunchRequest) -> Result<FleetAnswer> {
        match self.ec2.launch(request).await {
            Ok(answer) => Ok(answer),
            Err(failure) => bail!("{} failed: {failure:?}", request.client_token),
        }
    }

    async fn failure(&self, request: &LaunchRequest) -> Result<FleetFailure> {
        match self.ec2.launch(request).await {
            Ok(answer) => bail!("{} was answered: {answer:?}", request.client_token),
            Err(failure) => Ok(failure),
        }
    }

    /// An answer without an instance, each of whose errors is of this class.
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
        let views = self.stack(stack).await?;
        let alive = views.into_iter().filter(|view| is_alive(view.state));
        Ok(alive.map(|view| view.instance.id).collect())
    }

    async fn stack(&self, stack: &str) -> Result<Vec<InstanceView>> {
        let mut views = Vec::new();
        let (region, key) = (&self.place.region, self.tags.stack());
        let mut each = |view| views.push(view);
        let listing = self.ec2.list_stack(region, &key, stack, &mut each);
        listing.await?;
        Ok(views)
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
