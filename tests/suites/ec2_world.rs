//! The EC2 adapter against the simulated EC2, over HTTP.

use std::collections::BTreeMap;

use anyhow::Result;
use jiff::SignedDuration;
use reprise_model::ids::InstanceId;
use reprise_model::instance::Capacity;
use reprise_model::launch::LaunchFault;
use reprise_tests::ec2_suite::{self, Ec2Place, Newest};
use reprise_tests::{isolated, world};
use reprise_world::ec2::{Action, Adopted, Ec2Error, Interruption, Pool, Supply, machine_types};

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
async fn dry_runs_change_nothing_on_the_simulated_ec2() -> Result<()> {
    if let Some(place) = isolated::place::<Ec2Place>()? {
        ec2_suite::dry_runs(&place).await?;
        return ec2_suite::dry_runs_refuse(&place).await;
    }
    let world = world::start().await?;
    let place = world::ec2_place(&world);
    let test = "dry_runs_change_nothing_on_the_simulated_ec2";
    isolated::run_again(test, world.aws_url(), &place).await?;
    let machines = world.with(|inside, _| inside.ec2().instances().count());
    assert_eq!(machines, 2, "what was launched to be asked about, alone");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn spot_requests_are_told_of_by_their_instances_in_one_call() -> Result<()> {
    if let Some(place) = isolated::place::<Ec2Place>()? {
        return ec2_suite::spot_requests(&place).await;
    }
    let world = world::start().await?;
    let place = world::ec2_place(&world);
    let marked: InstanceId = ec2_suite::MARKED.parse()?;
    world.with(|inside, now| {
        let ec2 = inside.ec2_mut(now);
        let adopted = Adopted {
            id: marked.clone(),
            instance_type: "c7a.large".to_owned(),
            zone: format!("{}a", place.region),
            capacity: Capacity::Spot,
            tags: BTreeMap::new(),
            role: None,
        };
        ec2.register_instance(now, adopted);
        let notice = Interruption::terminate(SignedDuration::from_hours(24));
        ec2.interrupt(now, &marked, notice)
    })?;
    let test = "spot_requests_are_told_of_by_their_instances_in_one_call";
    isolated::run_again(test, world.aws_url(), &place).await?;
    let calls = world.with(|inside, _| inside.ec2().call_counts().clone());
    let asked = calls.get(&Action::DescribeSpotInstanceRequests);
    assert_eq!(asked, Some(&1));
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
    assert_eq!(launched, 12, "one, another, and ten by one token");
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
async fn a_busy_ec2_is_asked_once_and_then_later() -> Result<()> {
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
    let test = "a_busy_ec2_is_asked_once_and_then_later";
    isolated::run_again(test, world.aws_url(), &place).await?;
    let calls = world.with(|inside, _| {
        inside
            .ec2()
            .call_counts()
            .get(&Action::CreateFleet)
            .copied()
    });
    assert_eq!(calls, Some(1), "when to ask again, the caller says");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_instance_types_come_over_the_wire_as_they_are() -> Result<()> {
    if let Some(place) = isolated::place::<Ec2Place>()? {
        return ec2_suite::tells_types(&place, &machine_types()).await;
    }
    let world = world::start().await?;
    let place = world::ec2_place(&world);
    let test = "the_instance_types_come_over_the_wire_as_they_are";
    isolated::run_again(test, world.aws_url(), &place).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_there_is_of_ten_is_launched_and_each_short_pool_is_named_with_its_zone() -> Result<()>
{
    if let Some(place) = isolated::place::<Ec2Place>()? {
        return ec2_suite::partial(&place).await;
    }
    let world = world::start().await?;
    let place = world::ec2_place(&world);
    world.with(|inside, now| {
        let ec2 = inside.ec2_mut(now);
        ec2.set_capacity(Pool::of(Capacity::Spot), Supply::Left(0));
        for (kind, zone, left) in [("c7a", "a", 4), ("c7a", "b", 2), ("c7i", "a", 1)] {
            let pool = Pool {
                zone: Some(format!("{}{zone}", place.region)),
                instance_type: Some(format!("{kind}.large")),
                capacity: Some(Capacity::Spot),
            };
            ec2.set_capacity(pool, Supply::Left(left));
        }
    });
    let test = "what_there_is_of_ten_is_launched_and_each_short_pool_is_named_with_its_zone";
    isolated::run_again(test, world.aws_url(), &place).await?;
    let (launched, calls) = world.with(|inside, _| {
        let ec2 = inside.ec2();
        (ec2.instances().count(), ec2.call_counts().clone())
    });
    assert_eq!(launched, 7);
    let expected = BTreeMap::from([(Action::CreateFleet, 1), (Action::DescribeSubnets, 1)]);
    assert_eq!(calls, expected);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_pools_error_has_its_class() -> Result<()> {
    let classes = [
        (
            "c6a.large",
            "InsufficientInstanceCapacity",
            LaunchFault::Capacity,
        ),
        ("c7a.large", "Unsupported", LaunchFault::Unusable),
        (
            "c7i.large",
            "MaxSpotInstanceCountExceeded",
            LaunchFault::Quota,
        ),
        (
            "m6a.large",
            "UnauthorizedOperation",
            LaunchFault::Authorisation,
        ),
        ("m7a.large", "InvalidAMIID.NotFound", LaunchFault::Request),
        ("m7i.large", "RequestLimitExceeded", LaunchFault::Throttled),
        ("r7a.large", "InternalError", LaunchFault::Unclear),
    ];
    if let Some(place) = isolated::place::<Ec2Place>()? {
        let expected = classes.map(|(kind, _, fault)| (kind.to_owned(), fault));
        return ec2_suite::faults(&place, &BTreeMap::from(expected)).await;
    }
    let world = world::start().await?;
    let place = world::ec2_place(&world);
    world.with(|inside, now| {
        for (kind, code, _) in classes {
            let pool = Pool {
                instance_type: Some(kind.to_owned()),
                ..Pool::default()
            };
            let refused = Supply::Refused(Ec2Error::new(400, code, "so the test wants it"));
            inside.ec2_mut(now).set_capacity(pool, refused);
        }
    });
    isolated::run_again("each_pools_error_has_its_class", world.aws_url(), &place).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_ec2_fails_at_is_repeated_under_its_token_and_launches_once() -> Result<()> {
    if let Some(place) = isolated::place::<Ec2Place>()? {
        return ec2_suite::stumbles(&place).await;
    }
    let world = world::start().await?;
    let place = world::ec2_place(&world);
    world.with(|inside, now| {
        let ec2 = inside.ec2_mut(now);
        ec2.fail_next(Action::CreateFleet, Ec2Error::internal());
    });
    let test = "a_call_that_ec2_fails_at_is_repeated_under_its_token_and_launches_once";
    isolated::run_again(test, world.aws_url(), &place).await?;
    let (launched, calls) = world.with(|inside, _| {
        let ec2 = inside.ec2();
        let calls = ec2.call_counts().get(&Action::CreateFleet).copied();
        (ec2.instances().count(), calls)
    });
    assert_eq!((launched, calls), (2, Some(2)));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn images_are_found_on_the_simulated_ec2() -> Result<()> {
    if let Some(place) = isolated::place::<Ec2Place>()? {
        let newest = Newest {
            owner: "099720109477",
            name: "ubuntu/images/*/ubuntu-noble-24.04-*",
            id: "ami-0c0c0000000000003",
            root_device: "/dev/sda1",
        };
        return ec2_suite::images(&place, newest).await;
    }
    let world = world::start().await?;
    let place = world::ec2_place(&world);
    let test = "images_are_found_on_the_simulated_ec2";
    isolated::run_again(test, world.aws_url(), &place).await
}
