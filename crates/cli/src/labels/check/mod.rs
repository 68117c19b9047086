//! `reprise labels check`.

mod answer;
mod offer;
#[cfg(test)]
mod tests;
mod wish;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use reprise_config::{Outline, environment};
use reprise_model::labels;

use self::answer::Ground;
use crate::output::{harmless, say_exactly};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The labels of one job, as `runs-on` has them: one, or each by itself.
    #[arg(required = true)]
    labels: Vec<String>,
    /// The controller's configuration, to see what it would launch.
    #[arg(long)]
    config: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let config = match &arguments.config {
        Some(path) => Some(Outline::load(path, &environment())?),
        None => None,
    };
    let settings = config.as_ref().map(|config| &config.settings);
    let ground = settings.map_or_else(Ground::default, Ground::of);
    let (told, code) = answer(&arguments.labels, &ground);
    say_exactly(&harmless(&told))?;
    Ok(code)
}

fn answer(labels: &[String], ground: &Ground<'_>) -> (String, ExitCode) {
    match labels::parse(labels) {
        Ok(Some(read)) => match ground.told(&read) {
            (told, true) => (told, ExitCode::SUCCESS),
            (told, false) => (told, ExitCode::FAILURE),
        },
        Ok(None) => (answer::not_ours(), ExitCode::FAILURE),
        Err(errors) => (answer::mistakes(&errors), ExitCode::FAILURE),
    }
}
