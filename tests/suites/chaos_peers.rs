//! Controllers are killed at random while events flow through ministack's SQS and the ledger stands
//! in its DynamoDB: servers that nobody here wrote.

use anyhow::Result;
use reprise_tests::harness::afar::Afar;
use reprise_tests::harness::stage::{Setting, Stage};
use reprise_tests::harness::{chaos, workload};
use reprise_world::world::DeliveryMode;

#[tokio::test(flavor = "multi_thread")]
async fn controllers_that_are_killed_at_random_lose_and_double_nothing_in_dynamodb() -> Result<()> {
    let seed = chaos::seed_or(3)?;
    let afar = Afar::start(chaos::SPEED, chaos::RECEIVES).await?;
    let stage = Stage::set(Setting {
        speed: chaos::SPEED,
        world: |settings| settings.delivery = DeliveryMode::Elsewhere,
        places: afar.places(),
        ..Setting::default()
    });
    let stage = stage.await?;
    chaos::play(&stage, &workload::busy(seed)?, seed, async || {
        afar.left().await
    })
    .await
}
