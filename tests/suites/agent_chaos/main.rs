//! What the agent keeps up while everything around it breaks: one table, a row an affliction, with the
//! figure that it must reach beside the one that it reached.
//!
//! `cargo xtask chaos agent` prints it; among the other tests it is one that passes or fails. Each row
//! has an instance and an EC2 of its own and all are played at once, in real time, by the real
//! program; those that say so are simulated, by its own code in virtual time. Among the other tests a row that misses its figure is played once more, alone, since a machine that
//! builds something beside it can hold back any process; what it misses then counts. With `--once`, as the
//! command has it, the first miss does.
//!
//! Other arguments choose rows by a part of their names.

mod bare;
mod complaints;
mod crowd;
mod job;
mod outages;
mod record;
mod simulated;
mod step;
mod table;
mod tags;
mod tokens;

use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;

use anyhow::Result;

use crate::table::{Figure, Row};

/// One affliction: what it is, and what plays it.
pub(crate) struct Affliction {
    pub(crate) name: &'static str,
    pub(crate) play: fn() -> Played,
}

pub(crate) type Played = Pin<Box<dyn Future<Output = Result<Vec<Figure>>> + Send>>;

/// All of them, in the order of the table.
fn afflictions() -> Vec<Affliction> {
    [
        outages::all(),
        complaints::all(),
        job::all(),
        tokens::all(),
        tags::all(),
        step::all(),
        record::all(),
        crowd::all(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Boxes a row's future, so that rows can stand in one list.
macro_rules! row {
    ($name:expr, $play:expr) => {
        $crate::Affliction {
            name: $name,
            play: || Box::pin($play),
        }
    };
}
pub(crate) use row;

#[tokio::main]
async fn main() -> Result<ExitCode> {
    complaints::listen()?;
    let once = std::env::args().any(|word| word == "--once");
    // Words choose; cargo's own flags for tests mean nothing here.
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let chosen = afflictions().into_iter().filter(|one| {
        words.is_empty() || words.iter().any(|word| one.name.contains(word.as_str()))
    });
    let rows = played(chosen.collect(), once).await;
    println!("{}", table::markdown(&rows));
    match rows.iter().filter(|row| !row.is_met()).count() {
        0 => Ok(ExitCode::SUCCESS),
        missed => {
            eprintln!("{missed} rows miss their figures");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Plays all at once; those that missed once more, unless they have one try alone.
async fn played(chosen: Vec<Affliction>, once: bool) -> Vec<Row> {
    let under_way: Vec<_> = chosen
        .into_iter()
        .map(|one| {
            let running = tokio::spawn((one.play)());
            (one, running)
        })
        .collect();
    let mut rows = Vec::new();
    for (one, running) in under_way {
        let figures = running.await.unwrap_or_else(|error| Err(error.into()));
        rows.push((one, figures));
    }
    let mut table = Vec::new();
    for (one, figures) in rows {
        let mut row = Row::new(one.name, figures);
        if !row.is_met() && !once {
            row = Row::second(row, (one.play)().await);
        }
        table.push(row);
    }
    table
}
