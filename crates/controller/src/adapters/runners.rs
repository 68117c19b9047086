//! Runners for new instances: GitHub's just-in-time configurations, handed over in a DynamoDB table.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use reprise_config::RunnersConfig;
use reprise_engine::strays::ListedRunner;
use reprise_github::{GitHub, JitError, JitOrder, RunnerRemoval, RunnerScope};
use reprise_model::ids::{Region, Repository, RunnerId};
use reprise_model::runner_config;
use reprise_store::{RunnerRow, RunnerTable};
use secrecy::ExposeSecret;
use tokio::sync::watch;

use super::rows::Rows;
use super::{github, passing};
use crate::ports::{
    MadeRunner, PortError, PortErrorKind, RunnerOrder, RunnerTrouble, Runners, RunnersPlace,
};

const MAKE: &str = "make a runner";
const LIST: &str = "list the runners";
const REMOVE: &str = "remove a runner";
const HAND_OVER: &str = "hand over a runner's configuration";

/// A claim may be older than the configuration.
#[derive(Debug, thiserror::Error)]
#[error("there is no runner table for {0}; give the region subnets in [[aws.regions]]")]
struct NoTable(Region);

/// GitHub, the tables, and how runners are made.
#[derive(Debug)]
pub struct RunnerDesk {
    github: GitHub,
    tables: BTreeMap<Region, Rows>,
    config: RunnersConfig,
    hurried: watch::Sender<bool>,
}

impl RunnerDesk {
    /// Over connections that are there.
    pub fn new(
        github: GitHub,
        tables: BTreeMap<Region, RunnerTable>,
        config: RunnersConfig,
    ) -> Self {
        let hurried = watch::Sender::new(false);
        let window = Duration::try_from(config.hand_over_window).unwrap_or_default();
        let rows = |table| Rows::of(table, window, hurried.subscribe());
        let tables = tables.into_iter();
        Self {
            github,
            tables: tables
                .map(|(region, table)| (region, rows(table)))
                .collect(),
            config,
            hurried,
        }
    }

    async fn scope(
        &self,
        repository: &Repository,
        what: &'static str,
    ) -> Result<RunnerScope, PortError> {
        let scope = self.github.runner_scope(repository, &self.config.group);
        scope.await.map_err(|error| github(what, error))
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
        let key = self.config.role_id.row_of(&order.instance);
        let row = RunnerRow {
            config: made.config.clone(),
            runner: order.name.clone(),
            expires_at,
        };
        let put = table.put(key, row).await;
        put.map_err(|error| passing(HAND_OVER, error))
    }

    fn hurry(&self) {
        self.hurried.send_replace(true);
    }

    async fn remove(&self, order: &RunnerOrder, made: &MadeRunner) -> Result<(), PortError> {
        let scope = self.scope(&order.repository, REMOVE).await?;
        let removed = self.github.delete_runner(&scope, made.id).await;
        removed.map(drop).map_err(|error| github(REMOVE, error))
    }

    async fn place(&self, repository: &Repository) -> Result<RunnersPlace, PortError> {
        let scope = self.scope(repository, LIST).await?;
        Ok(RunnersPlace(scope.to_string()))
    }

    async fn list(&self, repository: &Repository) -> Result<Vec<ListedRunner>, PortError> {
        let scope = self.scope(repository, LIST).await?;
        let listed = self.github.runners(&scope).await;
        let listed = listed.map_err(|error| github(LIST, error))?;
        Ok(listed
            .into_iter()
            .map(|one| ListedRunner {
                id: one.id,
                name: one.name,
                is_online: one.is_online,
                is_busy: one.is_busy,
            })
            .collect())
    }

    async fn take_out(&self, repository: &Repository, runner: RunnerId) -> Result<bool, PortError> {
        let scope = self.scope(repository, REMOVE).await?;
        let removed = self.github.delete_runner(&scope, runner).await;
        match removed.map_err(|error| github(REMOVE, error))? {
            RunnerRemoval::Removed | RunnerRemoval::Absent => Ok(true),
            RunnerRemoval::Busy => Ok(false),
        }
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
