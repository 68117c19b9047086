//! `reprise queue dead show`.

use std::fmt::Write;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use jiff::Timestamp;
use reprise_aws::Message;
use reprise_controller::clock::{Clock, SystemClock};

use super::letter::{Letter, is_called};
use super::list::{age, times_received};
use super::places::Place;
use super::reading::Reading;
use crate::output::{harmless, say, say_exactly};
use crate::signals::Stop;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The message's id or GitHub's delivery, as `list` and the controller's log tell them.
    id: String,
    /// Only the body, byte for byte.
    #[arg(long)]
    raw: bool,
}

pub(super) async fn run(arguments: &Arguments, places: &[Place], stop: &Stop) -> Result<ExitCode> {
    let mut seen = 0;
    for place in places {
        let mut reading = Reading::of(place, stop);
        let found = find(&mut reading, &arguments.id).await;
        seen += reading.held();
        reading.hand_back().await;
        let Some(message) = found? else { continue };
        if arguments.raw {
            say_exactly(&message.body)?;
        } else {
            let letter = Letter::read(place.name, message, &place.secrets);
            say(whole(&letter, place.dead.url(), SystemClock.now()))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let queues: Vec<&str> = places.iter().map(|place| place.name.as_str()).collect();
    bail!(
        "there is no message {} among the {seen} dead letters of {}; `reprise queue dead list` tells \
         which there are",
        arguments.id,
        queues.join(" and ")
    );
}

async fn find(reading: &mut Reading<'_>, id: &str) -> Result<Option<Message>> {
    while let Some(messages) = reading.next().await? {
        let found = messages.into_iter().find(|message| is_called(message, id));
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Everything that is known of a message; its strangers' texts are made harmless.
pub(super) fn whole(letter: &Letter, url: &str, now: Timestamp) -> String {
    let message = &letter.message;
    let sent = message.sent_at.map_or_else(
        || "unknown".to_owned(),
        |sent| format!("{sent}, {}", age(sent, now)),
    );
    let lines = [
        ("message", message.id.clone()),
        (
            "queue",
            format!("{}, dead letters {url}", letter.queue.as_str()),
        ),
        ("sent", sent),
        (
            "received",
            format!("{}, this look included", times_received(letter)),
        ),
        ("signature", letter.signature.text().to_owned()),
        ("about", letter.about()),
        (
            "if redriven",
            letter
                .hopeless()
                .unwrap_or("the controller would deal with it anew")
                .to_owned(),
        ),
    ];
    let mut text = String::new();
    for (name, value) in lines {
        line(&mut text, &format!("{name:11}"), &value);
    }
    text.push_str("attributes\n");
    let widest = message.attributes.keys().map(String::len).max();
    let width = widest.unwrap_or_default();
    for (name, value) in &message.attributes {
        line(&mut text, &format!("  {name:width$}"), value);
    }
    text.push_str("body\n");
    text.push_str(&body(&message.body));
    text
}

fn line(text: &mut String, name: &str, value: &str) {
    // Writing to a text cannot fail.
    let _ = writeln!(text, "{}  {}", harmless(name), harmless(value));
}

/// JSON over several lines; anything else as it came.
fn body(body: &str) -> String {
    let json: Option<serde_json::Value> = serde_json::from_str(body).ok();
    let pretty = json.and_then(|json| serde_json::to_string_pretty(&json).ok());
    harmless(pretty.as_deref().unwrap_or(body))
}
