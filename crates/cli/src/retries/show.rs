//! Tables and stories for people.

use std::fmt::Write;

use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};
use jiff::Timestamp;
use reprise_controller::operator::Wish;
use reprise_model::view::{Explanation, Line, LineKind, RetryView};

use crate::output::{ago, harmless};

/// What stands where nothing is known.
const NOTHING: &str = "-";

/// The table of a list, within a width where there is one.
pub(super) fn list(jobs: &[RetryView], width: Option<u16>) -> String {
    if jobs.is_empty() {
        return "no job is in this list; `reprise explain` tells of any job by its page's address"
            .to_owned();
    }
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header([
            "repository, run\njob",
            "state\nattempt",
            "failed",
            "why",
            "next due",
        ]);
    if let Some(width) = width {
        table.set_width(width);
    }
    for job in jobs {
        table.add_row([
            format!(
                "{} {}\n{} {}",
                job.repository,
                job.run,
                job.job,
                harmless(&job.name)
            ),
            format!("{}\n{}", job.state, attempt(job)),
            job.seconds_since_failure.map_or_else(nothing, ago),
            why(job),
            job.next_due
                .map_or_else(nothing, |due| time(due).replace('T', " ")),
        ]);
    }
    if let Some(column) = table.column_mut(1) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
    table.to_string()
}

/// What is known of each job, a line a fact.
pub(super) fn jobs(told: &Explanation) -> String {
    let mut text = told.summary.clone();
    text.push_str(&unless_known(told));
    for job in &told.retries {
        let facts = [
            ("job", format!("{} {}", job.job, job.name)),
            ("run", format!("{} {}", job.repository, job.run)),
            ("state", job.state.to_string()),
            ("attempt", attempt(job)),
            ("policy", job.policy.clone().unwrap_or_else(nothing)),
            ("why", why(job)),
            ("advice", job.advice.clone().unwrap_or_else(nothing)),
            ("failed", job.failed_at.map_or_else(nothing, time)),
            (
                "since then",
                job.seconds_since_failure.map_or_else(nothing, ago),
            ),
            ("next due", next(job)),
            (
                "in lists",
                if job.dismissed { "no" } else { "yes" }.to_owned(),
            ),
        ];
        text.push('\n');
        for (name, value) in facts {
            // Writing to a text cannot fail.
            let _ = write!(text, "\n{name:11} {}", harmless(&value));
        }
    }
    text
}

/// A line that says so where the job that was asked for is none of those that are told.
fn unless_known(told: &Explanation) -> String {
    let is_known = |job| told.retries.iter().any(|one| one.job == job);
    match told.job {
        Some(job) if !told.retries.is_empty() && !is_known(job) => format!(
            "\nthe ledger has no job {job} of it, as jobs have other ids in each attempt; the whole run \
             is told"
        ),
        Some(_) | None => String::new(),
    }
}

/// What happened, a line a thing.
pub(super) fn story(told: &Explanation) -> String {
    let run = told.run.map_or_else(nothing, |run| run.to_string());
    let mut text = format!("{} run {run}: {}", told.repository, told.summary);
    text.push_str(&unless_known(told));
    for line in &told.story {
        let _ = write!(text, "\n{}", told_line(line));
    }
    text
}

/// What became of somebody's wish.
pub(super) fn wished(wish: Wish, job: &RetryView) -> String {
    let (job, name) = (job.job, harmless(&job.name));
    match wish {
        Wish::Requeue => {
            format!("job {job} ({name}) has a fresh chance: its run is read at GitHub now")
        }
        Wish::Dismiss => format!("job {job} ({name}) is out of the lists"),
    }
}

fn told_line(line: &Line) -> String {
    let at = line.at.map_or_else(nothing, time);
    let decided = match (&line.rule, line.kind) {
        (Some(rule), _) => format!("  [{rule}]"),
        (None, LineKind::Evidence) => format!("  [{}]", line.source),
        (None, _) => String::new(),
    };
    // What is told in several lines is decided by what the first one says.
    let (first, rest) = line.text.split_once('\n').unwrap_or((&line.text, ""));
    let rest = if rest.is_empty() {
        String::new()
    } else {
        format!("\n{rest}")
    };
    let told = format!("{at:20}  {:8}  {first}{decided}{rest}", line.kind.as_str());
    harmless(&told)
}

fn attempt(job: &RetryView) -> String {
    match job.limit {
        Some(limit) => format!("{} of {limit}", job.attempt),
        None => job.attempt.to_string(),
    }
}

fn why(job: &RetryView) -> String {
    match (&job.reason, &job.detail) {
        (Some(reason), Some(detail)) => harmless(&format!("{reason}: {detail}")),
        (Some(reason), None) => harmless(reason),
        (None, _) => nothing(),
    }
}

fn next(job: &RetryView) -> String {
    match job.next_due {
        Some(due) => format!("{} (try {})", time(due), job.tries.saturating_add(1)),
        None => nothing(),
    }
}

/// To the second.
fn time(time: Timestamp) -> String {
    let second = Timestamp::from_second(time.as_second());
    second.map_or_else(|_| time.to_string(), |second| second.to_string())
}

fn nothing() -> String {
    NOTHING.to_owned()
}
