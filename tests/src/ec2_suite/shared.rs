//! Many by one call, and all that EC2 may say of a launch: what is missing, and why.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};
use reprise_aws::LaunchRequest;
use reprise_model::instance::{Capacity, InstanceSight};
use reprise_model::launch::{LaunchFault, Purchase, SpotStrategy};

use super::{Ec2Place, Fleet, STACK};

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

/// What moto does not know: seven of ten, on an EC2 whose only spot capacity is
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

impl Fleet<'_> {
    pub(super) async fn launches_ten_by_one_call(&self) -> Result<()> {
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
}
