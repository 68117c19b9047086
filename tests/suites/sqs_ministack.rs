//! The SQS adapter against ministack.

use anyhow::Result;
use reprise_tests::isolated;
use reprise_tests::ministack::Ministack;
use reprise_tests::sqs_suite::{self, SqsPlace};

#[tokio::test]
async fn the_queue_works_on_ministack() -> Result<()> {
    if let Some(place) = isolated::place::<SqsPlace>()? {
        return sqs_suite::run(&place).await;
    }
    let ministack = Ministack::start().await?;
    let place = ministack.place().await?;
    isolated::run_again("the_queue_works_on_ministack", &ministack.url(), &place).await
}
