//! `reprise queue dead redrive`.
//!
//! A message is first sent to the queue that it came from, then deleted here. A crash in between
//! leaves it in both, which the controller takes without harm; the other order could lose it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use clap::error::ErrorKind;
use reprise_aws::{Message, SqsQueue};
use tokio::task::JoinSet;

use super::letter::{Letter, is_called};
use super::places::Place;
use super::reading::Reading;
use super::report::{Fate, Report};
use crate::output::note;
use crate::signals::{Stop, Stopped};

/// So many are held and sent in one go. At GitHub's largest usual bodies, 25 kB, they take 125 MB.
const MOST: usize = 5_000;

/// So many at once: as many as one call deletes.
const AT_ONCE: usize = 10;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The messages' ids or GitHub's deliveries, as `list` and the controller's log tell them.
    #[arg(conflicts_with = "all", value_name = "ID")]
    ids: Vec<String>,
    /// Every message, up to 5000 of each queue.
    #[arg(long)]
    all: bool,
    /// Tell what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Also what the controller could not deal with: what cannot be read, or is not signed.
    #[arg(long)]
    force: bool,
}

impl Arguments {
    /// Whether it is said which messages are meant; clap's own sentence would not say where ids are found.
    pub(super) fn are_complete(&self) -> Result<(), clap::Error> {
        if self.all || !self.ids.is_empty() {
            return Ok(());
        }
        Err(clap::Error::raw(
            ErrorKind::MissingRequiredArgument,
            "say which messages are to go back: their ids or GitHub's deliveries, as `reprise queue dead list` \
             tells them, or --all; --dry-run tells what would be done\n",
        ))
    }

    fn wants(&self, message: &Message) -> bool {
        self.all || self.ids.iter().any(|id| is_called(message, id))
    }
}

pub(super) async fn run(arguments: Arguments, places: &[Place], stop: &Stop) -> Result<ExitCode> {
    let mut report = Report::default();
    let mut missing: BTreeSet<&str> = arguments.ids.iter().map(String::as_str).collect();
    for place in places {
        if missing.is_empty() && !arguments.all {
            break;
        }
        let mut reading = Reading::of(place, stop);
        let done = one_queue(&mut reading, &arguments, &mut missing, stop, &mut report).await;
        reading.hand_back().await;
        if let Err(error) = done {
            // What was done until then is said before what went wrong.
            report.total_so_far();
            return Err(error);
        }
    }
    for id in missing {
        report.tell(Fate::NotFound, id, None, "no such dead letter");
    }
    report.total();
    report.exit_code()
}

async fn one_queue(
    reading: &mut Reading<'_>,
    arguments: &Arguments,
    missing: &mut BTreeSet<&str>,
    stop: &Stop,
    report: &mut Report,
) -> Result<()> {
    let wanted = gather(reading, arguments, missing).await?;
    let place = reading.place();
    let mut to_send = Vec::new();
    for message in wanted {
        let letter = Letter::read(place.name, message, &place.secrets);
        match letter.hopeless() {
            Some(reason) if !arguments.force => {
                let why = format!(
                    "{reason}; --force sends it back all the same: {}",
                    letter.about()
                );
                report.tell(Fate::Kept, &letter.message.id, Some(place.name), &why);
            }
            Some(_) | None if arguments.dry_run => {
                report.tell(
                    Fate::WouldSend,
                    &letter.message.id,
                    Some(place.name),
                    &letter.about(),
                );
            }
            Some(_) | None => to_send.push(letter),
        }
    }
    let mut letters = to_send.into_iter().peekable();
    while letters.peek().is_some() {
        if stop.is_asked() {
            return Err(Stopped.into());
        }
        let together: Vec<Letter> = letters.by_ref().take(AT_ONCE).collect();
        send_together(reading, together, report).await;
    }
    Ok(())
}

/// Holds what is asked for. It ends early when all ids are found, or enough is held.
async fn gather(
    reading: &mut Reading<'_>,
    arguments: &Arguments,
    missing: &mut BTreeSet<&str>,
) -> Result<Vec<Message>> {
    let mut wanted = Vec::new();
    while wanted.len() < MOST
        && (arguments.all || !missing.is_empty())
        && let Some(messages) = reading.next().await?
    {
        for message in messages {
            missing.retain(|id| !is_called(&message, id));
            if arguments.wants(&message) {
                wanted.push(message);
            }
        }
    }
    if arguments.all && wanted.len() >= MOST {
        note("there may be more than are sent in one go; redrive again");
    }
    wanted.sort_by_key(|message| message.sent_at);
    Ok(wanted)
}

async fn send_together(reading: &mut Reading<'_>, letters: Vec<Letter>, report: &mut Report) {
    let place = reading.place();
    let mut calls = JoinSet::new();
    for (at, letter) in letters.iter().enumerate() {
        let (dead, source, message) = (
            place.dead.clone(),
            place.source.clone(),
            letter.message.clone(),
        );
        let fresh = reading.is_fresh();
        calls.spawn(async move { (at, send_back(fresh, &source, &dead, &message).await) });
    }
    let mut sent: BTreeMap<usize, Result<(), String>> = BTreeMap::new();
    while let Some(done) = calls.join_next().await {
        sent.extend(done);
    }
    for (at, letter) in letters.iter().enumerate() {
        let id = &letter.message.id;
        match sent.remove(&at) {
            Some(Ok(())) => {
                reading.forget(id);
                report.tell(Fate::Sent, id, Some(place.name), &letter.about());
            }
            Some(Err(problem)) => report.tell(Fate::Failed, id, Some(place.name), &problem),
            None => report.tell(
                Fate::Failed,
                id,
                Some(place.name),
                "it was given up in the middle",
            ),
        }
    }
}

async fn send_back(
    fresh: bool,
    source: &SqsQueue,
    dead: &SqsQueue,
    message: &Message,
) -> Result<(), String> {
    if !fresh {
        return Err("it was held for too long to be sure of it; redrive it again".to_owned());
    }
    source
        .send(&message.body, &message.attributes)
        .await
        .map_err(|error| format!("it was not sent back: {error}"))?;
    dead.delete(&message.receipt).await.map_err(|error| {
        format!("it was sent back, and is still here too, which does no harm: {error}")
    })
}
