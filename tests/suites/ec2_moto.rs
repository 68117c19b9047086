//! The EC2 adapter against moto.

use anyhow::Result;
use reprise_tests::ec2_suite::{self, Ec2Place, Newest};
use reprise_tests::isolated;
use reprise_tests::moto::Moto;
use reprise_world::ec2::machine_types;

#[tokio::test]
async fn the_fleet_works_on_moto() -> Result<()> {
    if let Some(place) = isolated::place::<Ec2Place>()? {
        return ec2_suite::run(&place).await;
    }
    let moto = Moto::start().await?;
    let place = moto.place().await?;
    isolated::run_again("the_fleet_works_on_moto", &moto.url(), &place).await
}

#[tokio::test]
async fn dry_runs_change_nothing_on_moto() -> Result<()> {
    if let Some(place) = isolated::place::<Ec2Place>()? {
        return ec2_suite::dry_runs(&place).await;
    }
    let moto = Moto::start().await?;
    let place = moto.place().await?;
    isolated::run_again("dry_runs_change_nothing_on_moto", &moto.url(), &place).await
}

/// moto gives each account instances of its own, and the credentials of a role lead into the role's.
#[tokio::test]
async fn a_regions_role_is_taken_on_and_leads_into_its_account() -> Result<()> {
    if let Some(place) = isolated::place::<Ec2Place>()? {
        return ec2_suite::elsewhere(&place).await;
    }
    let moto = Moto::start().await?;
    let place = moto.place_elsewhere("210987654321").await?;
    let test = "a_regions_role_is_taken_on_and_leads_into_its_account";
    isolated::run_again(test, &moto.url(), &place).await
}

/// moto keeps EC2's own answer to DescribeInstanceTypes.
#[tokio::test]
async fn the_simulated_ec2s_instance_types_are_real_ones() -> Result<()> {
    if let Some(place) = isolated::place::<Ec2Place>()? {
        return ec2_suite::tells_types(&place, &machine_types()).await;
    }
    let moto = Moto::start().await?;
    let place = moto.place().await?;
    let test = "the_simulated_ec2s_instance_types_are_real_ones";
    isolated::run_again(test, &moto.url(), &place).await
}

#[tokio::test]
async fn images_are_found_on_moto() -> Result<()> {
    if let Some(place) = isolated::place::<Ec2Place>()? {
        let newest = Newest {
            owner: "137112412989",
            name: "al2022-ami-*-arm64",
            id: "ami-0e9271c829888680e",
            root_device: "/dev/xvda",
        };
        return ec2_suite::images(&place, newest).await;
    }
    let moto = Moto::start().await?;
    let place = moto.place().await?;
    isolated::run_again("images_are_found_on_moto", &moto.url(), &place).await
}

/// moto's fleets make no spot requests, and nothing there is interrupted: what is asked for by itself is fulfilled.
#[tokio::test]
async fn a_spot_request_is_found_by_its_instance() -> Result<()> {
    if let Some(place) = isolated::place::<Ec2Place>()? {
        return ec2_suite::a_request_by_itself(&place).await;
    }
    let moto = Moto::start().await?;
    let place = moto.place().await?;
    let test = "a_spot_request_is_found_by_its_instance";
    isolated::run_again(test, &moto.url(), &place).await
}
