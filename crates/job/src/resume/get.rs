//! `reprise resume get`: an object out of the store, checked.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::place::StoreArguments;
use super::progress::Shown;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What it is called: a key in the store, or an address with the store.
    source: String,
    /// The file that it becomes; where there is one, it is replaced once all is there.
    target: PathBuf,
    /// Unpack a .tar.zst into a folder of that name, which is not there yet or empty.
    #[arg(long)]
    unpack: bool,
    #[command(flatten)]
    store: StoreArguments,
}

pub(super) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let (depot, key) = arguments.store.object(&arguments.source)?;
    let shown = Shown::new();
    let target = &arguments.target;
    let moved = if arguments.unpack {
        depot.get_folder(&key, target, &shown).await?
    } else {
        depot.get(&key, target, &shown).await?
    };
    shown.done("got", key.as_str(), &moved);
    Ok(ExitCode::SUCCESS)
}
