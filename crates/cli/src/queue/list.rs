//! `reprise queue dead list`.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};
use jiff::Timestamp;
use reprise_aws::Counts;
use reprise_controller::clock::{Clock, SystemClock};

use super::Name;
use super::letter::Letter;
use super::places::Place;
use super::reading::{HIDDEN_FOR, Reading};
use crate::output::{ago, harmless, note, say};
use crate::signals::Stop;
use crate::terminal;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// One JSON object a message and line.
    #[arg(long)]
    json: bool,
    /// The most messages to read of each queue.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

pub(super) async fn run(arguments: &Arguments, places: &[Place], stop: &Stop) -> Result<ExitCode> {
    for place in places {
        let found = read(place, stop, arguments.limit as usize).await?;
        if arguments.json {
            for letter in &found.letters {
                say(letter.json())?;
            }
            note(found.heading());
        } else {
            say(found.heading())?;
            if !found.letters.is_empty() {
                say(found.table(SystemClock.now(), terminal::width()))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn read(place: &Place, stop: &Stop, limit: usize) -> Result<Found> {
    let counts = place
        .dead
        .counts()
        .await
        .with_context(|| place.failed_to("count the messages of"))?;
    let mut reading = Reading::of(place, stop);
    let read = up_to(&mut reading, limit).await;
    reading.hand_back().await;
    let (letters, more) = read?;
    Ok(Found {
        queue: place.name,
        letters,
        more,
        counts,
    })
}

/// The oldest of those that were read, and whether there are others.
async fn up_to(reading: &mut Reading<'_>, limit: usize) -> Result<(Vec<Letter>, bool)> {
    let place = reading.place();
    let mut letters = Vec::new();
    while letters.len() <= limit
        && let Some(messages) = reading.next().await?
    {
        let read = messages
            .into_iter()
            .map(|message| Letter::read(place.name, message, &place.secrets));
        letters.extend(read);
    }
    let more = letters.len() > limit;
    letters.sort_by(|one, other| {
        let order = |letter: &Letter| (letter.message.sent_at, letter.message.id.clone());
        order(one).cmp(&order(other))
    });
    letters.truncate(limit);
    Ok((letters, more))
}

/// What is told of one queue.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) queue: Name,
    pub(super) letters: Vec<Letter>,
    pub(super) more: bool,
    pub(super) counts: Counts,
}

impl Found {
    pub(super) fn heading(&self) -> String {
        let (queue, shown) = (self.queue.as_str(), self.letters.len());
        let hidden = match self.counts.hidden {
            0 => String::new(),
            hidden => format!(
                "; about {hidden} more are hidden, as somebody else looks at them: try again, at the \
                 latest in {} minutes",
                HIDDEN_FOR.as_secs() / 60
            ),
        };
        if shown == 0 {
            return format!("{queue}: no dead letters{hidden}");
        }
        if self.more {
            return format!(
                "{queue}: {shown} of about {} dead letters, oldest first; SQS gives them in no \
                 order, so that those left out may be older: see --limit{hidden}",
                self.counts.waiting
            );
        }
        let letters = if shown == 1 {
            "dead letter"
        } else {
            "dead letters"
        };
        format!("{queue}: {shown} {letters}, oldest first{hidden}")
    }

    /// Within a width, where there is one; ids are never broken.
    pub(super) fn table(&self, now: Timestamp, width: Option<u16>) -> Table {
        let mut table = Table::new();
        table
            .load_style(presets::UTF8_FULL)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_header(["message id\nGitHub's delivery", "sent\nreceived", "about"]);
        if let Some(width) = width {
            table.set_width(width);
        }
        for letter in &self.letters {
            table.add_row([ids(letter), times(letter, now), harmless(&letter.about())]);
        }
        for column in table.column_iter_mut().take(2) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
        table
    }
}

fn ids(letter: &Letter) -> String {
    let delivery = letter.delivery().unwrap_or("-");
    harmless(&format!("{}\n{delivery}", letter.message.id))
}

fn times(letter: &Letter, now: Timestamp) -> String {
    let sent = letter.message.sent_at;
    let age = sent.map_or_else(|| "unknown".to_owned(), |sent| age(sent, now));
    format!("{age}\n{}", times_received(letter))
}

/// How often, this look included.
pub(super) fn times_received(letter: &Letter) -> String {
    match letter.message.receive_count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}

/// In the largest whole unit; a clock that is behind SQS's shows no time before the present.
pub(super) fn age(sent: Timestamp, now: Timestamp) -> String {
    ago(now.duration_since(sent).as_secs())
}
