//! Which zone a subnet is in.
//!
//! CreateFleet's errors repeat the subnet that was asked for and not its zone, by which shortages
//! are counted. A subnet never moves, so each is asked about once; until EC2 has answered, its zone
//! is unknown and nothing waits for it longer than a moment.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_ec2::config::Builder;
use aws_sdk_ec2::config::retry::RetryConfig;
use tokio::sync::Mutex;

use super::Scope;
use super::describe::filter;
use crate::connect;
use crate::error::CallError;

/// Who has launched instances waits so long at most to hear of the other pools' zones.
const PATIENCE: Duration = Duration::from_secs(5);

/// The zones of the subnets that were asked about.
#[derive(Debug, Default)]
pub(super) struct Zones(Mutex<BTreeMap<String, String>>);

impl Zones {
    /// The zones of these subnets, as far as EC2 tells. Callers at once share one call.
    pub(super) async fn of(
        &self,
        scope: &Scope,
        subnets: BTreeSet<String>,
    ) -> BTreeMap<String, String> {
        let mut known = self.0.lock().await;
        let unknown: Vec<String> = subnets
            .into_iter()
            .filter(|subnet| !known.contains_key(subnet))
            .collect();
        if !unknown.is_empty() {
            match describe(scope, unknown).await {
                Ok(zones) => known.extend(zones),
                Err(error) => tracing::warn!(%error, "the zones of some subnets stay unknown"),
            }
        }
        known.clone()
    }
}

/// A fleet names one subnet a zone, so they all fit on one page.
async fn describe(
    scope: &Scope,
    subnets: Vec<String>,
) -> Result<BTreeMap<String, String>, CallError> {
    let hurry = Builder::new()
        .timeout_config(connect::timeouts(PATIENCE, PATIENCE))
        .retry_config(RetryConfig::disabled());
    let answer = scope
        .client
        .describe_subnets()
        .filters(filter("subnet-id", subnets))
        .customize()
        .config_override(hurry)
        .send()
        .await;
    let answer = answer.map_err(|error| {
        CallError::from_sdk(format!("describe subnets in {}", scope.region), &error)
    })?;
    let zones = answer.subnets().iter().filter_map(|subnet| {
        let zone = subnet.availability_zone()?;
        Some((subnet.subnet_id()?.to_owned(), zone.to_owned()))
    });
    Ok(zones.collect())
}
