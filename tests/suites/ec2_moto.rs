//! The EC2 adapter against moto.

use anyhow::Result;
use reprise_tests::ec2_suite::{self, Ec2Place};
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
