//! `reprise explain` and `reprise retries`: what became of interrupted jobs, and what is to be done
//! about those that did not come through.
//!
//! They ask the controller's API, or look into its ledger themselves; what they show is the same.

mod client;
mod show;
mod source;
#[cfg(test)]
mod tests;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use jiff::SignedDuration;
use reprise_controller::operator::Wish;
use reprise_model::ids::{JobId, Repository};
use reprise_model::view::{RetryState, RetryView, Subject};

use self::source::{Source, Where};
use crate::ledger::Access;
use crate::output::{note, say};
use crate::terminal;

#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    #[command(flatten)]
    subject: SubjectArguments,
    #[command(flatten)]
    place: Where,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell which jobs are under way, and which were given up; those that failed last first.
    List(ListArguments),
    /// Tell where the jobs of a run stand, or one of them.
    Show(ExplainArguments),
    /// Give a job a fresh chance under the present configuration, or all exhausted ones of a run.
    Requeue(WishArguments),
    /// Take a job out of the lists, or all exhausted ones of a run; `explain` still tells of it.
    Dismiss(WishArguments),
}

#[derive(Debug, Args)]
struct ListArguments {
    /// Only jobs in this state: awaiting, parked, due, asked, recovered, exhausted or left-alone. It may be given
    /// several times [default: all but recovered and left-alone].
    #[arg(long, value_name = "STATE")]
    state: Vec<RetryState>,
    /// Only jobs of this repository, as owner/name.
    #[arg(long, value_name = "REPOSITORY")]
    repo: Option<Repository>,
    /// Only jobs that failed within this time, as 90m, 24h or 7d.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = since)]
    since: Option<SignedDuration>,
    #[command(flatten)]
    place: Where,
    /// One JSON object a job and line.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct WishArguments {
    #[command(flatten)]
    subject: SubjectArguments,
    #[command(flatten)]
    place: Where,
    /// One JSON object a job and line.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct SubjectArguments {
    /// The address of a run or a job at GitHub, or a repository and a run's id.
    #[arg(required = true, num_args = 1..=2, value_name = "URL | OWNER/REPO RUN-ID")]
    what: Vec<String>,
    /// Only this job of the run, by its id.
    #[arg(long, value_name = "ID")]
    job: Option<JobId>,
}

/// Which jobs a list is to show.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) states: Vec<RetryState>,
    pub(super) repository: Option<Repository>,
    pub(super) since: Option<SignedDuration>,
}

impl SubjectArguments {
    fn read(&self) -> Result<Subject> {
        let words: Vec<&str> = self.what.iter().map(String::as_str).collect();
        let subject = Subject::read(&words)?;
        Ok(Subject {
            job: self.job.or(subject.job),
            ..subject
        })
    }
}

/// How long ago: jiff's lengths of time, and days, which are 24 hours here.
fn since(text: &str) -> Result<SignedDuration, String> {
    const HOURS_A_DAY: i64 = 24;
    let days = |days: &str| {
        let hours = days.parse::<u32>().ok()?;
        SignedDuration::try_from_hours(i64::from(hours) * HOURS_A_DAY)
    };
    let read = match text.strip_suffix('d').and_then(days) {
        Some(days) => Some(days),
        None => text.parse().ok(),
    };
    read.filter(SignedDuration::is_positive).ok_or_else(|| {
        "write how long ago: a number with its unit, s, m, h or d, as 90m, 24h or 7d; 1h30m does too"
            .to_owned()
    })
}

pub(crate) async fn explain(arguments: ExplainArguments) -> Result<ExitCode> {
    let subject = arguments.subject.read()?;
    let source = Source::open(&arguments.place, Access::Look).await?;
    let told = source.explain(&subject).await?;
    if arguments.json {
        say(serde_json::to_string(&told).context("failed to write JSON")?)?;
    } else {
        say(show::story(&told))?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.command {
        Command::List(arguments) => list(arguments).await,
        Command::Show(arguments) => show_jobs(arguments).await,
        Command::Requeue(arguments) => wish(Wish::Requeue, arguments).await,
        Command::Dismiss(arguments) => wish(Wish::Dismiss, arguments).await,
    }
}

async fn list(arguments: ListArguments) -> Result<ExitCode> {
    let asked = Asked {
        states: arguments.state,
        repository: arguments.repo,
        since: arguments.since,
    };
    let source = Source::open(&arguments.place, Access::Look).await?;
    let list = source.list(&asked).await?;
    if arguments.json {
        lines(&list.retries)?;
    } else {
        say(show::list(&list.retries, terminal::width()))?;
    }
    if list.more {
        note(
            "there are more runs than are looked at; narrow the list by --repo, --state or --since",
        );
    }
    for problem in &list.unreadable {
        note(format_args!("left out: {problem}"));
    }
    Ok(ExitCode::SUCCESS)
}

async fn show_jobs(arguments: ExplainArguments) -> Result<ExitCode> {
    let subject = arguments.subject.read()?;
    let source = Source::open(&arguments.place, Access::Look).await?;
    let told = source.explain(&subject).await?;
    if arguments.json {
        lines(&told.retries)?;
    } else {
        say(show::jobs(&told))?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn wish(wish: Wish, arguments: WishArguments) -> Result<ExitCode> {
    let subject = arguments.subject.read()?;
    let source = Source::open(&arguments.place, Access::Change).await?;
    let jobs = source.wish(wish, &subject).await?;
    if arguments.json {
        lines(&jobs)?;
    } else {
        for job in &jobs {
            say(show::wished(wish, job))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn lines(jobs: &[RetryView]) -> Result<()> {
    for job in jobs {
        say(serde_json::to_string(job).context("failed to write JSON")?)?;
    }
    Ok(())
}
