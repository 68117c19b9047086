//! What object storage holds, as far as a decision needs it.

use std::collections::BTreeSet;
use std::error::Error;
use std::future::Future;

use crate::key::{Key, Prefix};

/// Lists artifacts that exist.
///
/// Invariant: a key that is listed has its object whole. A half upload, whatever a store keeps of it, is not listed.
pub trait Inventory {
    /// All keys below a prefix, however deep and whatever their number: where the store answers page by page, all pages.
    /// A prefix that nothing lies below is an empty list, no mistake.
    ///
    /// Those that are `wanted` are certain: where a store shows something else by the same name, such as the empty object
    /// `site/` that S3's console makes for a folder `site`, it is asked again.
    ///
    /// # Errors
    /// Where any part of the answer is missing. A list that is short would have finished jobs run again, and is no answer.
    fn list(
        &self,
        prefix: &Prefix,
        wanted: &BTreeSet<Key>,
    ) -> impl Future<Output = Result<Vec<Key>, InventoryError>> + Send;
}

/// A prefix could not be listed.
#[derive(Debug, thiserror::Error)]
#[error("failed to list what lies below {prefix} in the store")]
pub struct InventoryError {
    /// Which prefix.
    pub prefix: Prefix,
    /// Why, in the store's words.
    #[source]
    pub source: Box<dyn Error + Send + Sync>,
}
