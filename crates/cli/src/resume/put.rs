//! `reprise resume put`: a file into the store.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::place::StoreArguments;
use super::progress::Shown;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The file.
    source: PathBuf,
    /// What it is to be called: a key in the store, or an address with the store.
    target: String,
    #[command(flatten)]
    store: StoreArguments,
    /// Where uploads are remembered that broke off; without it a folder of the user's cache.
    #[arg(long, value_name = "FOLDER", env = "REPRISE_UPLOADS")]
    uploads: Option<PathBuf>,
}

pub(super) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let (depot, key) = arguments.store.object(&arguments.target)?;
    let uploads = arguments.uploads.unwrap_or_else(remembered);
    let shown = Shown::new();
    let moved = depot.put(&key, &arguments.source, &uploads, &shown).await?;
    shown.done("put", key.as_str(), &moved);
    Ok(ExitCode::SUCCESS)
}

/// Where programs of this user keep what they can do without.
fn remembered() -> PathBuf {
    let set = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    cache
        .unwrap_or_else(|| PathBuf::from(".cache"))
        .join("reprise/uploads")
}
