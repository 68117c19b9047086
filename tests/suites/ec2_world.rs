//! The EC2 adapter against the simulated EC2, over HTTP.

use anyhow::Result;
use reprise_model::instance::Capacity;
use reprise_tests::ec2_suite::{self, Ec2Place};
use reprise_tests::{isolated, world};
use reprise_world::ec2::{Action, Ec2Error, Pool, Supply};

#[tokio::test(flavor = "multi_thread")]
async fn the_fleet_works_on_the_simulated_ec2() -> Result<()> {
    if let Some(place) = isolated::place::<Ec2Place>()? {
        return ec2_suite::run(&place).await;
    }
    let world = world::start().await?;
    let place = world::ec2_place(&world);
    let test = "the_fleet_works_on_the_simulated_ec2";
    isolated::run_again(test, world.aws_url(), &place).await?;
    let calls = world.with(|inside, _| inside.ec2().call_counts().clone());
    // Ten or eleven of each when nothing else keeps the machine busy, and never one an instance.
    for action in [Action::DescribeInstances, Action::TerminateInstances] {
        let number = calls.get(&action).copied().unwrap_or_default();
        assert!((1..50).contains(&number), "{number} calls of {action:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_token_launches_once() -> Result<()> {
    if let Some(place) = isolated::place::<Ec2Place>()? {
        return ec2_suite::repeats(&place).await;
    }
    let world = world::start().await?;
    let place = world::ec2_place(&world);
    isolated::run_again("a_client_token_launches_once", world.aws_url(), &place).await?;
    let launched = world.with(|inside, _| inside.ec2().instances().count());
    assert_eq!(launched, 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shortage_is_told_from_a_quota() -> Result<()> {
    if let Some(place) = isolated::place::<Ec2Place>()? {
        return ec2_suite::shortages(&place).await;
    }
    let world = world::start().await?;
    let place = world::ec2_place(&world);
    let quota = Ec2Error::new(
        400,
        "VcpuLimitExceeded",
        "You have requested more vCPU capacity",
    );
    world.with(|inside, now| {
        let ec2 = inside.ec2_mut(now);
        ec2.set_capacity(Pool::of(Capacity::Spot), Supply::Left(0));
        ec2.set_capacity(Pool::of(Capacity::OnDemand), Supply::Refused(quota));
    });
    isolated::run_again("a_shortage_is_told_from_a_quota", world.aws_url(), &place).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_ec2_is_asked_a_few_times_and_then_later() -> Result<()> {
    if let Some(place) = isolated::place::<Ec2Place>()? {
        return ec2_suite::throttled(&place).await;
    }
    let world = world::start().await?;
    let place = world::ec2_place(&world);
    let busy = Ec2Error::new(503, "RequestLimitExceeded", "Request limit exceeded.");
    world.with(|inside, now| {
        for _ in 0..20 {
            inside
                .ec2_mut(now)
                .fail_next(Action::CreateFleet, busy.clone());
        }
    });
    let test = "a_busy_ec2_is_asked_a_few_times_and_then_later";
    isolated::run_again(test, world.aws_url(), &place).await?;
    let calls = world.with(|inside, _| {
        inside
            .ec2()
            .call_counts()
            .get(&Action::CreateFleet)
            .copied()
    });
    assert_eq!(calls, Some(3), "the first try and two more");
    Ok(())
}
