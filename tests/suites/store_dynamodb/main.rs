//! The ledger in DynamoDB, by ministack: every rule of the contract, what it costs, which tables it
//! refuses, and what it makes of faults on the way.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "the rules are tests of the store's crate, and fail where they stand"
)]

#[macro_use]
#[path = "../../../crates/store/tests/store/conformance/mod.rs"]
mod conformance;
mod cost;
mod faults;
#[path = "../../../crates/store/tests/store/samples.rs"]
mod samples;
mod tables;

use anyhow::{Result, anyhow};
use reprise_model::ids::Region;
use reprise_store::DynamoStore;
use reprise_tests::ministack::Ministack;
use reprise_tests::{isolated, raw_aws};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Where the tables are.
#[derive(Debug, Serialize, Deserialize)]
struct Place {
    region: Region,
    /// ministack itself, also where the store is led through microburst.
    url: String,
}

#[tokio::test]
async fn every_rule_of_the_ledger_holds_in_dynamodb() -> Result<()> {
    if let Some(place) = isolated::place::<Place>()? {
        return every_rule(&place).await;
    }
    on_ministack("every_rule_of_the_ledger_holds_in_dynamodb").await
}

/// The same rules as for SQLite, each on a table of its own.
async fn every_rule(place: &Place) -> Result<()> {
    macro_rules! each {
        ($($rule:ident)*) => {
            $(
                println!("{}", stringify!($rule));
                let store = place.table(stringify!($rule)).await?;
                // In a box, for the sake of the thread's stack.
                Box::pin(conformance::$rule(&store)).await;
            )*
        };
    }
    with_every_rule! { each! {} }
    Ok(())
}

/// Runs the test of this name again where ministack is AWS.
async fn on_ministack(test: &str) -> Result<()> {
    let ministack = Ministack::start().await?;
    let place = Place {
        region: ministack.region().clone(),
        url: ministack.url(),
    };
    isolated::run_again(test, &place.url, &place).await
}

impl Place {
    /// A new table of this name, and the store in it.
    async fn table(&self, name: &str) -> Result<DynamoStore> {
        let [store] = self.shared_table(name).await?;
        Ok(store)
    }

    /// The same, as several controllers see it. The time of the tests is not that of the machine, so
    /// the table is kept from deleting by itself.
    async fn shared_table<const CONTROLLERS: usize>(
        &self,
        name: &str,
    ) -> Result<[DynamoStore; CONTROLLERS]> {
        DynamoStore::create_table(name, &self.region).await?;
        let mut stores = Vec::new();
        for _ in 0..CONTROLLERS {
            stores.push(DynamoStore::connect(name, &self.region).await?);
        }
        let off = json!({ "AttributeName": "ttl", "Enabled": false });
        let change = json!({ "TableName": name, "TimeToLiveSpecification": off });
        self.ask("UpdateTimeToLive", change).await?;
        let stores: Result<[DynamoStore; CONTROLLERS], _> = stores.try_into();
        stores.map_err(|_| anyhow!("connected another number of times"))
    }

    async fn ask(&self, action: &str, body: serde_json::Value) -> Result<serde_json::Value> {
        raw_aws::dynamodb(&self.url, self.region.as_str(), action, &body).await
    }
}
