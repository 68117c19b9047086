//! The ledger that a configuration names, opened by somebody else than its controller.

use std::path::Path;

use anyhow::{Context, Result};
use reprise_config::StoreConfig;
use reprise_controller::daemon::open_store;
use reprise_store::{AnyStore, SqliteStore};

/// What is to be done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nothing is changed.
    Look,
    /// Something is written.
    Change,
}

/// A file that is not there is never made: the controller makes its ledger.
pub(crate) async fn opened(config: &StoreConfig, access: Access) -> Result<AnyStore> {
    match (config, access) {
        (StoreConfig::Sqlite { path }, Access::Look) => Ok(AnyStore::Sqlite(to_read(path)?)),
        (StoreConfig::Sqlite { path }, Access::Change) => {
            to_read(path)?;
            open_store(config).await
        }
        (StoreConfig::DynamoDb { .. }, Access::Look | Access::Change) => open_store(config).await,
    }
}

fn to_read(path: &Path) -> Result<SqliteStore> {
    let opened = SqliteStore::open_to_read(path);
    opened.with_context(|| format!("failed to open the ledger {}", path.display()))
}
