//! `reprise doctor`: whether everything is set up as it must be, a line each, with what to do.
//!
//! It reads, and asks EC2 for dry runs; nothing is changed anywhere. What is right the engine judges
//! ([`reprise_engine::doctor`]). It asks with whatever AWS credentials it finds, and says whose they are: what a controller may
//! do it tells only of whoever asks with the controller's role.

mod aws;
mod github;
mod show;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use jiff::Timestamp;
use reprise_config::{Config, DEFAULT_PATH, PATH_VARIABLE, StoreConfig, environment};
use reprise_controller::clock::{Clock, SystemClock};
use reprise_engine::doctor::{Finding, Health, is_well};
use reprise_store::{FORMAT, Store};

use crate::ledger::{Access, opened};
use crate::output::say;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The controller's configuration.
    #[arg(
        long,
        default_value = DEFAULT_PATH,
        env = PATH_VARIABLE
    )]
    config: PathBuf,
    /// The role, by its name or ARN, of which is to be told what it may; it is wrong to ask as somebody else.
    #[arg(long = "as", value_name = "ROLE")]
    role: Option<String>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let config = Config::load(&arguments.config, &environment())?;
    let mut findings = Vec::new();
    let mut page = show::Page::new(arguments.json);
    let mut tell = |found: Vec<Finding>| -> Result<()> {
        for finding in &found {
            say(page.line(finding)?)?;
        }
        findings.extend(found);
        Ok(())
    };
    tell(vec![versions()])?;
    // What others need goes first: without it they are not looked at, and say so in a word.
    let credentials = aws::credentials(&config.queues.region).await;
    let has_credentials = credentials.health == Health::Ok;
    tell(vec![credentials])?;
    if has_credentials {
        let role = arguments.role.as_deref();
        tell(vec![aws::caller(&config.queues.region, role).await])?;
    }
    tell(github::app(config.github.clone(), &config.settings).await)?;
    if has_credentials {
        tell(vec![ledger(&config.store).await])?;
        tell(aws::queues(&config.queues).await)?;
        tell(aws::machines(&config).await)?;
        tell(aws::runner_tables(&config).await)?;
    } else {
        tell(without_credentials(&config).await)?;
    }
    if !arguments.json {
        say(show::summary(&findings))?;
    }
    Ok(if is_well(&findings) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What can be told without AWS, and what cannot.
async fn without_credentials(config: &Config) -> Vec<Finding> {
    let mut found = match config.store {
        StoreConfig::Sqlite { .. } => vec![ledger(&config.store).await],
        StoreConfig::DynamoDb { .. } => vec![aws::not_checked("ledger")],
    };
    found.extend(aws::all(config).into_iter().map(aws::not_checked));
    found
}

/// A controller of another version says so itself: it refuses what it cannot read.
fn versions() -> Finding {
    let version = env!("CARGO_PKG_VERSION");
    Finding::ok(
        "versions",
        format!("reprise {version}, records of format {FORMAT}"),
    )
}

async fn ledger(config: &StoreConfig) -> Finding {
    const CHECK: &str = "ledger";
    let place = match config {
        StoreConfig::Sqlite { path } => path.display().to_string(),
        StoreConfig::DynamoDb { table, region } => format!("the table {table} in {region}"),
    };
    let read = async {
        let store = opened(config, Access::Look).await?;
        anyhow::Ok(store.due(now(), 1).await?)
    };
    match read.await {
        Ok(_) => Finding::ok(CHECK, format!("{place} is there and can be read")),
        Err(error) => Finding::wrong(
            CHECK,
            words(&error),
            "start a controller once, which makes a file; a table is made by terraform/modules/state",
        ),
    }
}

fn now() -> Timestamp {
    SystemClock.now()
}

/// An error with its causes, on one line.
fn words(error: &anyhow::Error) -> String {
    format!("{error:#}")
}
