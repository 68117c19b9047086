//! `reprise resume prune`: removes what is old below a prefix.

use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::{Context, Result};
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use reprise_resume::Key;

use super::place::StoreArguments;
use crate::clock;
use crate::output::{harmless, note, say};

const HOURS_A_DAY: i64 = 24;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What it lies below: a prefix in the store, or an address with the store; without it all of the store's own
    /// prefix or folder. Nothing else is looked at.
    prefix: Option<String>,
    /// Only what was put before that: 14d, 36h.
    #[arg(long, value_name = "AGE", value_parser = age)]
    older_than: SignedDuration,
    /// Only tell what would be removed.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    store: StoreArguments,
}

pub(super) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let (depot, prefix) = arguments.store.folder(arguments.prefix.as_deref())?;
    let before = before(clock::now(), arguments.older_than)?;
    let old = depot.older(&prefix, before).await?;
    let keys: Vec<Key> = old.into_iter().map(|stored| stored.key).collect();
    let what = if arguments.dry_run {
        "would be removed"
    } else {
        depot.remove(&keys).await?;
        "removed"
    };
    for key in &keys {
        say(harmless(key.as_str()))?;
    }
    note(format_args!("{} {what} below {prefix}", keys.len()));
    if !arguments.dry_run {
        match depot.sweep(&prefix, before)? {
            0 => {}
            files => note(format_args!(
                "removed {files} unfinished too, which killed puts had left"
            )),
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn before(now: Timestamp, age: SignedDuration) -> Result<SystemTime> {
    let before = now
        .checked_sub(age)
        .context("the age is longer than time is")?;
    Ok(before.into())
}

fn age(text: &str) -> Result<SignedDuration, String> {
    let wrong = || format!("{text:?} is no age; write a number of days or hours, as 14d or 36h");
    let (number, hours) = match (text.strip_suffix('d'), text.strip_suffix('h')) {
        (Some(days), _) => (days, HOURS_A_DAY),
        (None, Some(hours)) => (hours, 1),
        (None, None) => return Err(wrong()),
    };
    let number: u32 = number.parse().map_err(|_| wrong())?;
    // Nothing would be younger than no age at all: a slip would take what was put just now.
    if number == 0 {
        return Err(wrong());
    }
    Ok(SignedDuration::from_hours(i64::from(number) * hours))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_a_number_of_days_or_hours() {
        assert_eq!(age("14d"), Ok(SignedDuration::from_hours(336)));
        assert_eq!(age("36h"), Ok(SignedDuration::from_hours(36)));
        for text in ["", "14", "d", "-1d", "0d", "1.5d", "1 d", "99999999999d"] {
            assert!(age(text).is_err(), "{text}");
        }
    }
}
