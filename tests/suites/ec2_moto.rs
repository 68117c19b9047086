//! The EC2 adapter against moto.

use anyhow::Result;
use reprise_tests::ec2_suite::{self, Ec2Place};
use reprise_tests::isolated;
use reprise_tests::moto::Moto;

#[tokio::test]
async fn the_fleet_works_on_moto() -> Result<()> {
    if let Some(place) = isolated::place::<Ec2Place>()? {
        return ec2_suite::run(&place).await;
    }
    let moto = Moto::start().await?;
    let place = moto.place().await?;
    isolated::run_again("the_fleet_works_on_moto", &moto.url(), &place).await
}
