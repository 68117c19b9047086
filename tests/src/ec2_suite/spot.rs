//! What EC2 says of the requests behind spot instances.

use anyhow::{Result, ensure};
use reprise_model::ids::InstanceId;
use reprise_model::instance::{Capacity, SpotStatus};
use tokio::task::JoinSet;

use super::{Ec2Place, Fleet, STACK, unknown};
use crate::raw_aws;

/// An instance that EC2 has given notice to, where the suite asks for one.
pub const MARKED: &str = "i-0abcdef0123456789";

/// On an EC2 that has given notice to [`MARKED`]: its mark, what runs, and what has no request, asked for at once.
pub async fn spot_requests(place: &Ec2Place) -> Result<()> {
    let fleet = Fleet::of(place).await;
    let request = |token, capacity| fleet.request(token, capacity, STACK);
    let spot = fleet.launch(&request("spot", Capacity::Spot)).await?;
    let steady = fleet.launch(&request("steady", Capacity::OnDemand)).await?;
    let expected = [
        (MARKED.parse()?, Some("marked-for-termination")),
        (spot, Some("fulfilled")),
        (steady, None),
        (unknown()?, None),
    ];
    let mut asked = JoinSet::new();
    for (id, code) in expected {
        let (ec2, region) = (fleet.ec2.clone(), place.region.clone());
        asked.spawn(async move { (ec2.spot_status(&region, &id).await, id, code) });
    }
    for (status, id, code) in asked.join_all().await {
        says(status?.as_ref(), &id, code)?;
    }
    Ok(())
}

fn says(status: Option<&SpotStatus>, id: &InstanceId, code: Option<&str>) -> Result<()> {
    let told = status.map(|status| status.code.as_str());
    ensure!(told == code, "{id}: {told:?} instead of {code:?}");
    ensure!(
        status.is_none_or(|status| status.since.is_some()),
        "{id}: since when?"
    );
    Ok(())
}

/// On an EC2 whose fleets make no spot requests: one is asked for by itself, and found by its instance.
pub async fn a_request_by_itself(place: &Ec2Place) -> Result<()> {
    let fleet = Fleet::of(place).await;
    let wanted = [
        ("SpotPrice", "1"),
        ("InstanceCount", "1"),
        ("LaunchSpecification.ImageId", "ami-12c6146b"),
        ("LaunchSpecification.InstanceType", "c7a.large"),
    ];
    fleet.ask("RequestSpotInstances", &wanted).await?;
    let all = fleet.ask("DescribeSpotInstanceRequests", &[]).await?;
    let id: InstanceId = raw_aws::element(&all, "instanceId")?.parse()?;
    for (id, code) in [(id, Some("fulfilled")), (unknown()?, None)] {
        let status = fleet.ec2.spot_status(&place.region, &id).await?;
        says(status.as_ref(), &id, code)?;
    }
    Ok(())
}
