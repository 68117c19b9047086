//! Runners for new instances: GitHub's just-in-time configurations, handed over in a DynamoDB table.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reprise_config::RunnersConfig;
use reprise_github::{GitHub, JitError, JitOrder};
use reprise_model::ids::Region;
use reprise_model::runner_config;
use reprise_store::{RunnerRow, RunnerTable, StoreError};
use secrecy::ExposeSecret;

use super::{github, passing};
use crate::ports::{MadeRunner, PortError, PortErrorKind, RunnerOrder, RunnerTrouble, Runners};

const MAKE: &str = "make a runner";
const HAND_OVER: &str = "hand over a runner's configuration";

/// A claim may be older than the configuration.
#[derive(Debug, thiserror::Error)]
#[error("there is no runner table for {0}; give the region subnets in [[aws.regions]]")]
struct NoTable(Region);

/// GitHub, the tables, and how runners are made.
#[derive(Debug)]
pub struct RunnerDesk {
    github: GitHub,
    tables: BTreeMap<Region, RunnerTable>,
    config: RunnersConfig,
}

impl RunnerDesk {
    /// Over connections that are there.
    pub fn new(
        github: GitHub,
        tables: BTreeMap<Region, RunnerTable>,
        config: RunnersConfig,
    ) -> Self {
        Self {
            github,
            tables,
            config,
        }
    }
}

impl Runners for RunnerDesk {
    async fn make(&self, order: &RunnerOrder) -> Result<MadeRunner, RunnerTrouble> {
        let group = &self.config.group;
        let scope = self.github.runner_scope(&order.repository, group).await;
        let scope = scope.map_err(|error| RunnerTrouble::NotMade(github(MAKE, error)))?;
        let wanted = JitOrder {
            name: order.name.clone(),
            labels: order.labels.clone(),
            work_folder: self.config.work_folder.clone(),
        };
        let made = self.github.create_jit_config(&scope, &wanted).await;
        let made = made.map_err(trouble)?;
        Ok(MadeRunner {
            id: made.runner,
            config: runner_config::pack(made.encoded.expose_secret()),
        })
    }

    async fn hand_over(
        &self,
        order: &RunnerOrder,
        made: &MadeRunner,
        expires_at: Timestamp,
    ) -> Result<(), PortError> {
        let Some(table) = self.tables.get(&order.region) else {
            return Err(passing(HAND_OVER, NoTable(order.region.clone())));
        };
        let row = RunnerRow {
            key: self.config.role_id.row_of(&order.instance),
            config: made.config.clone(),
            runner: &order.name,
            expires_at,
        };
        let put = table.put(row).await;
        put.map_err(|error: StoreError| passing(HAND_OVER, error))
    }

    async fn remove(&self, order: &RunnerOrder, made: &MadeRunner) -> Result<(), PortError> {
        let failed = |error| github("remove a runner", error);
        let group = &self.config.group;
        let scope = self.github.runner_scope(&order.repository, group).await;
        let scope = scope.map_err(failed)?;
        let removed = self.github.delete_runner(&scope, made.id).await;
        removed.map(drop).map_err(failed)
    }
}

fn trouble(error: JitError) -> RunnerTrouble {
    match error {
        JitError::NameTaken(_) | JitError::Unclear(_) => {
            RunnerTrouble::NameLost(passing(MAKE, error))
        }
        JitError::NotNow {
            retry_after: Some(wait),
            ..
        } => RunnerTrouble::NotMade(PortError {
            kind: PortErrorKind::Throttled,
            retry_after: Some(wait),
            ..passing(MAKE, error)
        }),
        JitError::Denied(_)
        | JitError::Refused(_)
        | JitError::NotNow {
            retry_after: None, ..
        } => RunnerTrouble::NotMade(passing(MAKE, error)),
    }
}
