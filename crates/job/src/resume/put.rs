//! `reprise resume put`: a file into the store, or a folder as an archive.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Args;

use super::place::StoreArguments;
use super::progress::Shown;

/// What a folder's object is called.
const ARCHIVE: &str = ".tar.zst";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The file; or a folder, which becomes a .tar.zst while it is sent.
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
    let source = &arguments.source;
    let moved = if source.is_dir() {
        // Whoever fetches it knows by its name what it is.
        ensure!(
            key.as_str().ends_with(ARCHIVE),
            "{} is a folder, and {key} does not end with {ARCHIVE}; name one that does",
            source.display()
        );
        depot.put_folder(&key, source, &shown).await?
    } else {
        depot.put(&key, source, &uploads, &shown).await?
    };
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
