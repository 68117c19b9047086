//! `[store]`: which kind of ledger, and where it is.

use std::path::PathBuf;

use reprise_model::ids::Region;

use crate::StoreConfig;
use crate::checker::Checker;
use crate::file::{StoreKind, StoreSection};

const PATH: &str = "reprise.db";

pub(super) const NO_TABLE: &str =
    "is no table's name; one has 3 to 255 letters, digits, dots, dashes and underscores";

/// `None` where there are mistakes, which `checker` knows of.
pub(super) fn store(
    checker: &mut Checker<'_>,
    section: StoreSection,
    queues_region: Option<&Region>,
) -> Option<StoreConfig> {
    match section.kind.unwrap_or(StoreKind::Sqlite) {
        StoreKind::Sqlite => Some(sqlite(checker, section)),
        StoreKind::DynamoDb => dynamodb(checker, section, queues_region),
    }
}

fn sqlite(checker: &mut Checker<'_>, section: StoreSection) -> StoreConfig {
    let other = "belongs to kind = \"dynamodb\", and the store is of kind \"sqlite\"; \
                 take it out, or set store.kind";
    for (key, given) in [
        ("store.table", section.table.is_some()),
        ("store.region", section.region.is_some()),
    ] {
        if given {
            checker.wrong(key, other);
        }
    }
    let path = section.path.unwrap_or_else(|| PathBuf::from(PATH));
    let right = "write the ledger's file, as /var/lib/reprise/reprise.db";
    checker.filled("store.path", &path.to_string_lossy(), right);
    StoreConfig::Sqlite { path }
}

fn dynamodb(
    checker: &mut Checker<'_>,
    section: StoreSection,
    queues_region: Option<&Region>,
) -> Option<StoreConfig> {
    if section.path.is_some() {
        checker.wrong(
            "store.path",
            "belongs to kind = \"sqlite\", and the store is of kind \"dynamodb\"; take it out",
        );
    }
    let table = checker.need("store.table", section.table);
    if table.as_deref().is_some_and(|name| !is_table(name)) {
        checker.wrong("store.table", NO_TABLE);
    }
    if let Some(region) = &section.region {
        checker.filled("store.region", region, "write a region, as eu-west-1");
    }
    Some(StoreConfig::DynamoDb {
        table: table?,
        region: section
            .region
            .map(Region::new)
            .or_else(|| queues_region.cloned())?,
    })
}

pub(super) fn is_table(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (3..=255).contains(&name.len()) && name.bytes().all(known)
}
