//! `reprise resume plan`: reads the manifest, looks at the store, and tells the workflow which jobs to run.
//!
//! What is decided, `reprise_resume` decides. Nothing is written for the workflow unless everything went well.

mod ask;
mod look;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use reprise_resume::depot::Depot;
use reprise_resume::{
    Hashes, Inventory, Job, Manifest, ManifestError, OnError, RunFacts, decide, log, outputs,
    prefixes, questions, summary,
};

use self::ask::Asker;
use self::words::Words;
use super::place::STORE;
use crate::output::say_exactly;
use crate::{clock, environment, write};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What shows of each job that it is done.
    #[arg(long, default_value = ".github/reprise-resume.toml")]
    manifest: PathBuf,
    /// Where artifacts are; instead of the store in the manifest.
    #[arg(long, value_name = "ADDRESS", env = STORE)]
    store: Option<String>,
    /// The workflow whose jobs they are; without it the one of this run.
    #[arg(long, value_name = "FILE")]
    workflow: Option<PathBuf>,
    /// What to do where the store or an address does not answer.
    #[arg(long, value_enum, default_value_t = Otherwise::Fail)]
    on_error: Otherwise,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Otherwise {
    /// Decide nothing, and fail.
    Fail,
    /// Have every job run.
    RunAll,
}

impl Otherwise {
    fn policy(self) -> OnError {
        match self {
            Self::Fail => OnError::Fail,
            Self::RunAll => OnError::RunAll,
        }
    }
}

pub(super) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let environment = environment();
    let words = Words::of(&environment);
    let facts = RunFacts::from_environment(&environment);
    let Some((manifest, jobs)) = told(&words, planned(&arguments.manifest, &facts)?)? else {
        return Ok(ExitCode::FAILURE);
    };
    let workflow = arguments.workflow.as_deref();
    words::about_workflow(&words, &manifest, workflow, facts.workflow_file())?;
    let address = arguments
        .store
        .as_deref()
        // A variable of the workflow that nobody has set is an empty one.
        .filter(|address| !address.is_empty())
        .or(manifest.store());
    let outcome = if prefixes(&jobs).is_empty() {
        finish(&arguments, &environment, &words, &jobs, None::<&Depot>).await
    } else {
        let Some(address) = address else {
            bail!(
                "no store is named; write store = \"ADDRESS\" in {}, or set {STORE} or --store",
                arguments.manifest.display()
            );
        };
        let inventory = Depot::open(address)?;
        finish(&arguments, &environment, &words, &jobs, Some(&inventory)).await
    };
    outcome.map(|()| ExitCode::SUCCESS)
}

/// A mistake in the manifest is told at its line.
fn told<T>(words: &Words, read: Result<T, ManifestError>) -> Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) => words.mistakes(&error).map(|()| None),
    }
}

/// The manifest, and its jobs in this run.
fn planned(path: &Path, facts: &RunFacts) -> Result<Result<(Manifest, Vec<Job>), ManifestError>> {
    let text = look::text(path, Manifest::LARGEST).with_context(|| {
        format!(
            "failed to read the manifest {}; name one by --manifest",
            path.display()
        )
    })?;
    let name = path.display().to_string();
    let manifest = match Manifest::parse(&name, &text) {
        Ok(manifest) => manifest,
        Err(error) => return Ok(Err(error)),
    };
    let hashes = Hashes::of(manifest.hashed_files(), Path::new("."))?;
    Ok(manifest.jobs(facts, &hashes).map(|jobs| (manifest, jobs)))
}

async fn finish(
    arguments: &Arguments,
    environment: &BTreeMap<String, String>,
    words: &Words,
    jobs: &[Job],
    inventory: Option<&impl Inventory>,
) -> Result<()> {
    let mut seen = look::below(jobs, inventory).await;
    let asked = questions(jobs, &seen);
    if !asked.is_empty() {
        seen.answers = Asker::new(clock::pause)?.all(asked).await;
    }
    let plan = decide(jobs, &seen, arguments.on_error.policy())?;
    for silent in &plan.silent {
        words.warn(&arguments.manifest, &format!("{silent}; every job runs"))?;
    }
    let outputs = outputs(&plan)?;
    say_exactly(&log(&plan))?;
    write::summary(environment, &summary(&plan))?;
    write::outputs(environment, &outputs)
}
