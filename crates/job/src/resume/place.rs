//! The store and what is in it, by the words of a command.

use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::Args;
use reprise_resume::depot::{Depot, split};
use reprise_resume::{Key, Prefix, RunFacts, fill};

use crate::environment;

/// The variable that names the store.
pub(crate) const STORE: &str = "REPRISE_STORE";

#[derive(Debug, Args)]
pub(super) struct StoreArguments {
    /// Where artifacts are, for keys that are no addresses: file:///FOLDER, s3://BUCKET/PREFIX, gs:// or az://.
    #[arg(long, value_name = "ADDRESS", env = STORE)]
    store: Option<String>,
}

impl StoreArguments {
    pub(super) fn object(&self, text: &str) -> Result<(Depot, Key)> {
        let text = in_this_run(text)?;
        let (store, below) = split(&text, self.store.as_deref())?;
        let key = Key::parse(below).with_context(|| format!("{below:?} cannot be a key"))?;
        Ok((Depot::open(store)?, key))
    }

    /// What a prefix names; without one all that lies below the store's address, which no whole bucket is.
    pub(super) fn folder(&self, text: Option<&str>) -> Result<(Depot, Prefix)> {
        let text = match (text, self.store.as_deref()) {
            (Some(text), _) => in_this_run(text)?,
            (None, Some(store)) if !store.is_empty() => store.to_owned(),
            (None, Some(_) | None) => {
                bail!(
                    "no prefix and no store is named; write what is to be looked at, or set {STORE} or --store"
                )
            }
        };
        let (store, below) = split(text.trim_end_matches('/'), self.store.as_deref())?;
        let prefix =
            Prefix::parse(below).with_context(|| format!("{below:?} cannot be a prefix"))?;
        Ok((Depot::open(store)?, prefix))
    }
}

/// Keys may have the placeholders that a manifest's prefix has, so that a workflow need not spell out what the plan reads.
fn in_this_run(text: &str) -> Result<String> {
    let run = RunFacts::from_environment(&environment());
    Ok(fill(text, &run, Path::new("."))?)
}
