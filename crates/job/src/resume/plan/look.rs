//! What there is: files of the workspace, and the store.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use futures_util::StreamExt;
use futures_util::stream;
use reprise_resume::{Inventory, InventoryError, Job, Key, Prefix, Seen, prefixes};

use super::words::one_line;

/// Prefixes that are listed at once. There is one, as a rule, and one a hash of files.
const AT_ONCE: usize = 8;

/// A file's text, and a byte more than it may have, so that whoever reads it sees that there is more.
pub(super) fn text(path: &Path, largest: usize) -> io::Result<String> {
    let mut text = String::new();
    let most = u64::try_from(largest).map_or(u64::MAX, |largest| largest + 1);
    File::open(path)?.take(most).read_to_string(&mut text)?;
    Ok(text)
}

/// Lists each prefix that jobs have artifacts below, once. Without a store nothing is listed.
pub(super) async fn below(jobs: &[Job], inventory: Option<&impl Inventory>) -> Seen {
    let Some(inventory) = inventory else {
        return Seen::default();
    };
    let artifacts = jobs.iter().flat_map(|job| &job.artifacts);
    let wanted: BTreeSet<Key> = artifacts.cloned().collect();
    let list = async |prefix: Prefix| {
        let keys = inventory.list(&prefix, &wanted).await;
        let keys = keys.map(|keys| keys.into_iter().collect::<BTreeSet<_>>());
        (prefix, keys.map_err(|error| why(&error)))
    };
    let listed: BTreeMap<_, _> = stream::iter(prefixes(jobs))
        .map(list)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    Seen {
        listed,
        ..Seen::default()
    }
}

/// What the store says, with all causes; which prefix is told beside it.
fn why(error: &InventoryError) -> String {
    let mut told = error.source.to_string();
    let mut cause = error.source.source();
    while let Some(error) = cause {
        told.push_str(&format!(": {error}"));
        cause = error.source();
    }
    one_line(&told)
}
