//! `reprise checkpoint restore`: what an earlier attempt saved, and what is to be saved of this one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum};
use indicatif::HumanBytes;
use reprise_resume::checkpoint::{
    CheckpointError, Declaration, Extent, Places, Restored, Scope, Wanted, restore,
};
use reprise_resume::depot::Depot;

use super::facts::{DECLARATION, Facts};
use super::size::{size, time};
use super::tell_left_out;
use crate::output::{harmless, note};
use crate::resume::place::STORE;
use crate::write;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What the job makes, below the workspace or the home folder: files, or folders with all that is in them.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// The job's name among those of its run; a job of a matrix needs one, as GITHUB_JOB is the same for all of them.
    #[arg(long)]
    name: Option<String>,
    /// Where checkpoints are, as s3://BUCKET/PREFIX.
    #[arg(long, value_name = "ADDRESS", env = STORE)]
    store: String,
    /// The most that is saved and brought back, before it is packed.
    #[arg(long, value_name = "SIZE", default_value = "4GiB", value_parser = size)]
    max_size: u64,
    /// Bring back nothing but a save that came to its end and missed nothing.
    #[arg(long)]
    whole_only: bool,
    /// How long the store may take.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = time)]
    within: Duration,
    /// What to do where the store does not answer.
    #[arg(long, value_enum, default_value_t = Otherwise::Begin)]
    on_error: Otherwise,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Otherwise {
    /// Have the job begin from nothing.
    Begin,
    /// Fail.
    Fail,
}

pub(super) async fn run(
    arguments: Arguments,
    environment: &BTreeMap<String, String>,
) -> Result<ExitCode> {
    let facts = Facts::new(environment);
    let places = facts.places(&arguments.paths)?;
    let scope = facts.scope(arguments.name.as_deref())?;
    let (attempt, scratch) = (facts.attempt()?, facts.scratch()?);
    let depot = Depot::open(&arguments.store)?;
    let path = scratch.join(DECLARATION);
    refuse_another(&path, &scope, attempt, &places)?;
    let wanted = Wanted {
        attempt,
        whole_only: arguments.whole_only,
        most_bytes: arguments.max_size,
        within: arguments.within,
    };
    let (extent, caught_up) =
        bring_back(&depot, &scope, &places, &wanted, &arguments, &scratch).await?;
    // Not earlier: a notice in between would have half of what comes back saved as all that there is.
    let declaration = Declaration::new(
        arguments.store,
        facts.region(),
        scope,
        attempt,
        places,
        arguments.max_size,
        caught_up,
    );
    declaration.write(&path)?;
    let word = match extent {
        Extent::Nothing => "none",
        Extent::Partial => "partial",
        Extent::Whole => "whole",
    };
    write::outputs(environment, &format!("restored={word}\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// What another step of this attempt has declared would be forgotten.
fn refuse_another(
    path: &Path,
    scope: &Scope,
    attempt: u32,
    places: &Places,
) -> Result<(), CheckpointError> {
    match Declaration::read(path) {
        Ok(other)
            if other.scope == *scope && other.attempt == attempt && other.places != *places =>
        {
            Err(CheckpointError::Twice)
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// What came back, and whether that is all that earlier attempts have saved.
async fn bring_back(
    depot: &Depot,
    scope: &Scope,
    places: &Places,
    wanted: &Wanted,
    arguments: &Arguments,
    scratch: &Path,
) -> Result<(Extent, bool)> {
    if wanted.attempt <= 1 {
        note("this is the first attempt, of which nothing was saved before");
        return Ok((Extent::Nothing, true));
    }
    let restored = restore(depot, scope, places, wanted, scratch).await;
    let restored = match (restored, arguments.on_error) {
        (Ok(restored), _) => restored,
        (Err(error), Otherwise::Fail) => return Err(error.into()),
        (Err(error), Otherwise::Begin) => {
            let error = anyhow::Error::new(error);
            note(format_args!("warning: nothing was brought back: {error:#}"));
            return Ok((Extent::Nothing, false));
        }
    };
    let came_back = (restored.extent, restored.is_complete());
    tell(restored);
    Ok(came_back)
}

fn tell(restored: Restored) {
    for trouble in restored.trouble {
        let trouble = format!("{:#}", anyhow::Error::new(trouble));
        note(format_args!("warning: {}", harmless(&trouble)));
    }
    tell_left_out(&restored.left_out);
    let Restored { files, bytes, .. } = restored;
    match (restored.extent, restored.attempt) {
        (Extent::Nothing, _) | (_, None) => note("nothing was brought back"),
        (Extent::Partial, Some(attempt)) => note(format_args!(
            "wrote {files} files ({}) of saves up to attempt {attempt}: not all that there was, or not of one moment",
            HumanBytes(bytes)
        )),
        (Extent::Whole, Some(attempt)) => note(format_args!(
            "brought back all {files} files ({}) of attempt {attempt}",
            HumanBytes(bytes)
        )),
    }
}
