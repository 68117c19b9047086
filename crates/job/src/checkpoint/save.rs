//! `reprise checkpoint save`: by the agent's hook when the machine is about to go, or by the job itself now and then.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use indicatif::HumanBytes;
use jiff::Timestamp;
use reprise_resume::checkpoint::{CutOff, Declaration, Marked, save};
use reprise_resume::depot::Depot;

use super::facts::{DECLARATION, Facts};
use super::size::time;
use super::tell_left_out;
use crate::clock;
use crate::output::note;

/// What a save may take that nobody presses.
const AT_LEISURE: Duration = Duration::from_mins(10);

/// What is left of a hook's time for the beginning and the end.
const MARGIN: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What the job has declared; without it the file that `restore` wrote, in RUNNER_TEMP or by REPRISE_WORKSPACE.
    #[arg(long, value_name = "FILE")]
    declaration: Option<PathBuf>,
    /// How long it may take; without it what REPRISE_HOOK_SECONDS leaves, and ten minutes in a job.
    #[arg(long, value_name = "TIME", value_parser = time)]
    within: Option<Duration>,
}

pub(super) async fn run(
    arguments: Arguments,
    environment: &BTreeMap<String, String>,
) -> Result<ExitCode> {
    let path = match arguments.declaration {
        Some(path) => path,
        None => declaration(environment)?,
    };
    if !path.try_exists().unwrap_or(true) {
        note("this job has declared nothing to be saved");
        return Ok(ExitCode::SUCCESS);
    }
    let declared = Declaration::read(&path)?;
    is_meant(&declared, &path, environment)?;
    let depot = Depot::open_in(&declared.store, declared.region.as_deref())?;
    let scratch = tempfile::tempdir().context("failed to make a folder for what is packed")?;
    let within = arguments.within.unwrap_or_else(|| within(environment));
    let name = name(clock::now());
    let marked = save(&declared, &depot, &name, within, scratch.path()).await?;
    Ok(tell(marked))
}

/// Beside the workspace, as every runner has it: `_work/_temp` and `_work/REPOSITORY/REPOSITORY`.
fn declaration(environment: &BTreeMap<String, String>) -> Result<PathBuf> {
    let Some(workspace) = environment.get("REPRISE_WORKSPACE") else {
        return Ok(Facts::new(environment).scratch()?.join(DECLARATION));
    };
    let work = Path::new(workspace).ancestors().nth(2);
    let work = work.with_context(|| format!("{workspace} is no workspace of a runner"))?;
    Ok(work.join("_temp").join(DECLARATION))
}

/// The agent names the job that it sees; a declaration that another one left behind does not count.
fn is_meant(
    declared: &Declaration,
    path: &Path,
    environment: &BTreeMap<String, String>,
) -> Result<()> {
    let own = (
        declared.scope.run_id().to_string(),
        declared.attempt.to_string(),
    );
    let asked = |name: &str, own: &str| environment.get(name).cloned().unwrap_or(own.to_owned());
    let meant = (
        asked("REPRISE_RUN_ID", &own.0),
        asked("REPRISE_RUN_ATTEMPT", &own.1),
    );
    anyhow::ensure!(
        own == meant,
        "{} is of attempt {} of run {}, and attempt {} of run {} is to be saved",
        path.display(),
        own.1,
        own.0,
        meant.1,
        meant.0
    );
    Ok(())
}

fn within(environment: &BTreeMap<String, String>) -> Duration {
    let seconds = environment.get("REPRISE_HOOK_SECONDS");
    let seconds = seconds.and_then(|seconds| seconds.parse().ok());
    seconds.map_or(AT_LEISURE, |seconds| {
        Duration::from_secs(seconds)
            .saturating_sub(MARGIN)
            .max(MARGIN)
    })
}

/// In order by time, and with nothing that a key may not have.
fn name(now: Timestamp) -> String {
    now.strftime("%Y%m%dT%H%M%S%3fZ").to_string()
}

fn tell(marked: Marked) -> ExitCode {
    tell_left_out(&marked.left_out);
    let Marked { files, bytes, .. } = marked;
    let saved = format!("saved {files} files ({})", HumanBytes(bytes));
    match marked.cut_off {
        None if marked.beyond > 0 => note(format_args!(
            "{saved}; {} older ones were more than --max-size",
            marked.beyond
        )),
        None => note(saved),
        Some(CutOff::Time) if marked.segments == 0 => {
            note("nothing could be saved in the time that there was");
        }
        Some(CutOff::Time) => note(format_args!(
            "{saved}, those that changed last, in the time that there was"
        )),
        Some(CutOff::Failed(error)) => {
            let error = anyhow::Error::new(error);
            note(format_args!(
                "{saved}, those that changed last; then: {error:#}"
            ));
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
