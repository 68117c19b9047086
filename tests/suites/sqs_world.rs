//! The SQS adapter against the simulated SQS, over HTTP.

use anyhow::Result;
use reprise_tests::sqs_suite::{self, SqsPlace};
use reprise_tests::{isolated, world};

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_works_on_the_simulated_sqs() -> Result<()> {
    if let Some(place) = isolated::place::<SqsPlace>()? {
        return sqs_suite::run(&place).await;
    }
    let world = world::start().await?;
    let place = world::sqs_place(&world);
    let test = "the_queue_works_on_the_simulated_sqs";
    isolated::run_again(test, world.aws_url(), &place).await
}
