//! Where the answers come from: the controller's API, or its ledger.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use jiff::Timestamp;
use reprise_config::{Outline, Settings, StoreConfig, environment};
use reprise_controller::clock::{Clock, SystemClock};
use reprise_controller::operator::{Operator, Wish};
use reprise_model::ids::Region;
use reprise_model::view::{Explanation, RetryFilter, RetryList, RetryView, Subject};
use reprise_store::{AnyStore, Store};

use super::Asked;
use super::client::Client;
use crate::ledger::{Access, opened};

#[derive(Debug, Args)]
pub(super) struct Where {
    /// The controller's API, where neither --config nor --ledger is given.
    #[arg(
        long,
        value_name = "URL",
        env = "REPRISE_OPERATOR_API",
        hide_env_values = true,
        default_value = "http://127.0.0.1:9465"
    )]
    api: String,
    /// A file with the API's token; else REPRISE_OPERATOR_TOKEN holds it.
    #[arg(
        long,
        value_name = "FILE",
        env = "REPRISE_OPERATOR_TOKEN_FILE",
        hide_env_values = true
    )]
    token_file: Option<PathBuf>,
    /// Ask the ledger itself: the one that this configuration of a controller names.
    #[arg(long, value_name = "FILE", conflicts_with = "ledger")]
    config: Option<PathBuf>,
    /// Ask this ledger itself: a SQLite file, or dynamodb:REGION/TABLE.
    #[arg(long, value_name = "LEDGER")]
    ledger: Option<String>,
}

/// Whom to ask.
pub(super) enum Source {
    Api(Box<Client>),
    Ledger {
        store: Box<AnyStore>,
        settings: Option<Box<Settings>>,
    },
}

impl Source {
    pub(super) async fn open(place: &Where, access: Access) -> Result<Self> {
        match (&place.config, &place.ledger) {
            (Some(config), _) => {
                let config = Outline::load(config, &environment())?;
                let store = opened(&config.store, access).await?;
                Self::over(store, Some(config.settings)).await
            }
            (None, Some(ledger)) => {
                let store = opened(&named(ledger)?, access).await?;
                Self::over(store, None).await
            }
            (None, None) => {
                let client = Client::new(&place.api, place.token_file.as_deref())?;
                Ok(Self::Api(Box::new(client)))
            }
        }
    }

    /// The store learns the time, so that it shows nothing that has expired.
    async fn over(store: AnyStore, settings: Option<Settings>) -> Result<Self> {
        store
            .due(now(), 0)
            .await
            .context("failed to read the ledger")?;
        Ok(Self::Ledger {
            store: Box::new(store),
            settings: settings.map(Box::new),
        })
    }

    pub(super) async fn list(&self, asked: &Asked) -> Result<RetryList> {
        match self {
            Self::Api(client) => client.list(asked).await,
            Self::Ledger { store, settings } => {
                let filter = filter(asked, now());
                let operator = Operator::new(store.as_ref(), settings.as_deref());
                Ok(operator.list(&filter, now()).await?)
            }
        }
    }

    pub(super) async fn explain(&self, subject: &Subject) -> Result<Explanation> {
        match self {
            Self::Api(client) => client.explain(subject).await,
            Self::Ledger { store, settings } => {
                let operator = Operator::new(store.as_ref(), settings.as_deref());
                Ok(operator.explain(subject, now()).await?)
            }
        }
    }

    pub(super) async fn wish(&self, wish: Wish, subject: &Subject) -> Result<Vec<RetryView>> {
        match self {
            Self::Api(client) => client.wish(wish, subject).await,
            Self::Ledger { store, settings } => {
                let operator = Operator::new(store.as_ref(), settings.as_deref());
                Ok(operator.wish(wish, subject, now()).await?)
            }
        }
    }
}

fn now() -> Timestamp {
    SystemClock.now()
}

fn filter(asked: &Asked, now: Timestamp) -> RetryFilter {
    RetryFilter {
        states: asked.states.clone(),
        repository: asked.repository.clone(),
        since: asked.since.and_then(|ago| now.checked_sub(ago).ok()),
    }
}

/// What `--ledger` names.
pub(super) fn named(ledger: &str) -> Result<StoreConfig> {
    let Some(table) = ledger.strip_prefix("dynamodb:") else {
        return Ok(StoreConfig::Sqlite {
            path: PathBuf::from(ledger),
        });
    };
    match table.split_once('/') {
        Some((region, table)) if !region.is_empty() && !table.is_empty() => {
            Ok(StoreConfig::DynamoDb {
                table: table.to_owned(),
                region: Region::new(region),
            })
        }
        Some(_) | None => bail!(
            "--ledger {ledger} names no table; write dynamodb:REGION/TABLE, as dynamodb:eu-west-1/reprise"
        ),
    }
}
