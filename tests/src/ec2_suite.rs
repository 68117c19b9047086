//! What every EC2 must do for the fleet: launch one and many, look, tag, list, end, know its types.
//!
//! It knows nothing of the server: instances may be pending or running, ending or ended, as time
//! goes there. What no peer can do (shortage, throttling, notices) is not asked here.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};
use reprise_aws::{Ec2, ImageQuery, LaunchRequest, LaunchTemplate, RegionSettings};
use reprise_model::ids::{AccountId, InstanceId, Region};
use reprise_model::instance::{Capacity, Instance, InstanceSight, InstanceState, InstanceView};
use reprise_model::launch::{FleetAnswer, FleetFailure, LaunchFault, Purchase, SpotStrategy};
use reprise_model::machine::{Architecture, MachineType};
use reprise_model::tags::{TRUE, TagKeys};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::raw_aws;

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
    let ten = fleet.many("ten", 10);
    let answer = fleet.answer(&ten).await?;
    ensure!(answer.launched.len() == 10, "{answer:?}");
    ensure!(fleet.answer(&ten).await? == answer, "a repeat differs");
    // Whatever became of the first call, this one says nothing of it.
    let eleven = fleet.many("ten", 11);
    let failure = fleet.failure(&eleven).await?;
    ensure!(
        failure.fault == LaunchFault::Unclear
            && failure.code.as_deref() == Some("IdempotentParameterMismatch"),
        "a token with other parameters: {failure:?}"
    );
    Ok(())
}

/// What every EC2 but moto's one pool knows: seven of ten, on an EC2 whose only spot capacity is
/// four `c7a.large` in the first subnet, two in the second and one `c7i.large` in the first.
pub async fn partial(place: &Ec2Place) -> Result<()> {
    let fleet = Fleet::of(place).await;
    let answer = fleet.answer(&fleet.many("partial", 10)).await?;
    let mut launched = BTreeMap::new();
    for one in &answer.launched {
        let pool = (one.instance_type.as_deref(), one.subnet.as_deref());
        *launched.entry(pool).or_insert(0) += 1;
        ensure!(one.zone.is_some(), "{one:?} has no zone");
    }
    let (first, second) = (
        place.subnets.first().map(String::as_str),
        place.subnets.get(1).map(String::as_str),
    );
    let expected = BTreeMap::from([
        ((Some("c7a.large"), first), 4),
        ((Some("c7a.large"), second), 2),
        ((Some("c7i.large"), first), 1),
    ]);
    ensure!(launched == expected, "{launched:?}");
    let pools = 2 * place.subnets.len();
    ensure!(answer.shortfall.len() == pools, "{:?}", answer.shortfall);
    for short in &answer.shortfall {
        ensure!(short.fault == LaunchFault::Capacity, "{short:?}");
        let zone = short.zone.as_deref().context("a shortage without a zone")?;
        let subnet = short.subnet.as_deref().unwrap_or_default();
        ensure!(subnet.ends_with(zone), "{subnet} is not in {zone}");
    }
    Ok(())
}

/// The classes of one answer's errors, by the type that each befell.
pub async fn faults(place: &Ec2Place, expected: &BTreeMap<String, LaunchFault>) -> Result<()> {
    let fleet = Fleet::of(place).await;
    let mut request = fleet.many("faults", 3);
    request.instance_types = expected.keys().cloned().collect();
    let answer = fleet.answer(&request).await?;
    ensure!(answer.launched.is_empty(), "{:?}", answer.launched);
    let mut faults = BTreeMap::new();
    for short in answer.shortfall {
        let kind = short
            .instance_type
            .clone()
            .context("an error without a type")?;
        let other = faults.insert(kind, short.fault);
        ensure!(other.is_none_or(|other| other == short.fault), "{short:?}");
    }
    ensure!(faults == *expected, "{faults:?}");
    Ok(())
}

/// An EC2 that fails once takes the repeat of the same request, and launches once.
pub async fn stumbles(place: &Ec2Place) -> Result<()> {
    let fleet = Fleet::of(place).await;
    let answer = fleet.answer(&fleet.many("stumbled", 2)).await?;
    ensure!(answer.launched.len() == 2, "{answer:?}");
    Ok(())
}

/// What the images of an EC2 are: the newest of an owner with such a name, and that one by its id.
#[derive(Debug, Clone, Copy)]
pub struct Newest {
    /// The owner.
    pub owner: &'static str,
    /// The name, with `*`.
    pub name: &'static str,
    /// The id of the newest.
    pub id: &'static str,
    /// The device of its root volume.
    pub root_device: &'static str,
}

/// On an EC2 with such an image for Arm.
pub async fn images(place: &Ec2Place, newest: Newest) -> Result<()> {
    let fleet = Fleet::of(place).await;
    let query = |owner: &str| ImageQuery::Newest {
        owner: owner.to_owned(),
        name: newest.name.to_owned(),
        architecture: Architecture::Arm64,
    };
    let by_id = |id: &str| ImageQuery::Id(id.to_owned());
    let found = fleet.ec2.image(&place.region, &query(newest.owner)).await?;
    let found = found.with_context(|| format!("no image as {newest:?}"))?;
    ensure!(found.id == newest.id, "{found:?} is not {newest:?}");
    ensure!(found.owner.as_str() == newest.owner, "{found:?}");
    ensure!(found.architecture == Architecture::Arm64, "{found:?}");
    ensure!(
        found.root_device.as_deref() == Some(newest.root_device),
        "{found:?}"
    );
    let again = fleet.ec2.image(&place.region, &by_id(newest.id)).await?;
    ensure!(again.as_ref() == Some(&found), "by its id it is {again:?}");
    for nothing in [query("111111111111"), by_id("ami-0fffffffffffffff0")] {
        let found = fleet.ec2.image(&place.region, &nothing).await?;
        ensure!(found.is_none(), "{nothing:?} is {found:?}");
    }
    Ok(())
}

/// That each of these types is told just so.
pub async fn tells_types(place: &Ec2Place, expected: &[MachineType]) -> Result<()> {
    let told = Fleet::of(place).await.machine_types().await?;
    for one in expected {
        let found = told.get(&one.name);
        ensure!(found == Some(one), "{one:?} is told as {found:?}");
    }
    Ok(())
}

/// What no peer knows: on an EC2 without spot capacity and with an on-demand quota that is used up.
pub async fn shortages(place: &Ec2Place) -> Result<()> {
    let fleet = Fleet::of(place).await;
    let spot = fleet.request("short", Capacity::Spot, STACK);
    fleet
        .launches_nothing(&spot, LaunchFault::Capacity, "InsufficientInstanceCapacity")
        .await?;
    let on_demand = fleet.request("over", Capacity::OnDemand, STACK);
    fleet
        .launches_nothing(&on_demand, LaunchFault::Quota, "VcpuLimitExceeded")
        .await
}

/// On an EC2 that lets no call through.
pub async fn throttled(place: &Ec2Place) -> Result<()> {
    let fleet = Fleet::of(place).await;
    let spot = fleet.request("busy", Capacity::Spot, STACK);
    // Nothing was decided about the request, so it is repeated with the same client token.
    let failure = fleet.failure(&spot).await?;
    ensure!(
        failure.fault == LaunchFault::Throttled
            && failure.code.as_deref() == Some("RequestLimitExceeded"),
        "too many requests: {failure:?}"
    );
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

    async fn knows_its_instance_types(&self) -> Result<()> {
        let types = self.machine_types().await?;
        let usual = types.get("c7a.large").context("no c7a.large")?;
        let expected = MachineType {
            name: "c7a.large".to_owned(),
            cpu: 2,
            ram_mib: 4096,
            architecture: Architecture::X64,
            spot: true,
            bare_metal: false,
            accelerated: false,
            burstable: false,
            current: true,
        };
        ensure!(*usual == expected, "{usual:?}");
        let is = |name: &str, what: fn(&MachineType) -> bool| types.get(name).is_some_and(what);
        ensure!(is("t3.large", |one| one.burstable), "t3.large is burstable");
        ensure!(
            is("g6.xlarge", |one| one.accelerated),
            "g6.xlarge has graphics"
        );
        ensure!(
            is("c7i.metal-48xl", |one| one.bare_metal),
            "metal is bare metal"
        );
        ensure!(is("m4.large", |one| !one.current), "m4.large is an old one");
        ensure!(
            is("c7g.large", |one| one.architecture == Architecture::Arm64),
            "c7g.large is an Arm"
        );
        ensure!(
            types.keys().all(|name| !name.starts_with("mac")),
            "no runner runs on a Mac"
        );
        Ok(())
    }

    async fn machine_types(&self) -> Result<BTreeMap<String, MachineType>> {
        let types = self.ec2.machine_types(&self.place.region).await?;
        let sorted = types.windows(2).all(|pair| pair[0].name < pair[1].name);
        ensure!(
            sorted,
            "{} types are not in order, or twice there",
            types.len()
        );
        Ok(types
            .into_iter()
            .map(|one| (one.name.clone(), one))
            .collect())
    }

    async fn launches_ten_by_one_call(&self) -> Result<()> {
        for strategy in SpotStrategy::ALL {
            let mut request = self.many(strategy.as_str(), 10);
            request.purchase = Purchase::Spot(strategy);
            let answer = self.answer(&request).await?;
            let launched = answer.launched.iter().map(|one| one.instance.clone());
            let launched: BTreeSet<_> = launched.collect();
            ensure!(launched.len() == 10, "{strategy:?}: {answer:?}");
            let sights = self.look_at_once(&launched).await?;
            for one in &answer.launched {
                let Some(InstanceSight::Seen(view)) = sights.get(&one.instance) else {
                    bail!("{one:?} is absent");
                };
                ensure!(view.capacity == Capacity::Spot, "{view:?}");
                let kind = one.instance_type.as_ref();
                ensure!(kind == Some(&view.instance_type), "{one:?}");
                ensure!(one.zone.is_some() && one.zone == view.zone, "{one:?}");
                let subnet = one.subnet.as_ref().context("no subnet")?;
                ensure!(self.place.subnets.contains(subnet), "{one:?}");
            }
            self.end_at_once(&launched).await?;
        }
        Ok(())
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
    async fn launches_nothing(
        &self,
        request: &LaunchRequest,
        fault: LaunchFault,
        code: &str,
    ) -> Result<()> {
        let answer = self.answer(request).await?;
        ensure!(answer.launched.is_empty(), "{:?}", answer.launched);
        let pools = request.instance_types.len() * request.subnets.len();
        ensure!(answer.shortfall.len() == pools, "{:?}", answer.shortfall);
        for short in &answer.shortfall {
            let fits = short.fault == fault && short.code.as_deref() == Some(code);
            ensure!(fits && short.zone.is_some(), "{short:?}");
        }
        Ok(())
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
