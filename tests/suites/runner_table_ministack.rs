//! The runner table's adapters against ministack's DynamoDB.

use anyhow::Result;
use reprise_tests::isolated;
use reprise_tests::ministack::Ministack;
use reprise_tests::runner_suite::{self, RunnerPlace};

#[tokio::test]
async fn the_runner_table_works_on_ministack() -> Result<()> {
    if let Some(place) = isolated::place::<RunnerPlace>()? {
        return runner_suite::run(&place).await;
    }
    let ministack = Ministack::start().await?;
    let place = ministack.runner_place().await?;
    let test = "the_runner_table_works_on_ministack";
    isolated::run_again(test, &ministack.url(), &place).await
}
