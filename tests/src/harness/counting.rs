//! Plays a load through gates, and counts what passes.

use std::time::Duration;

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use reprise_world::invariants;
use reprise_world::scenario::Scenario;
use serde_json::Value;

use super::gate::{Gate, Passed};
use super::postman::Postman;
use super::stage::Stage;
use crate::wait;

const PATIENCE: Duration = Duration::from_secs(180);

/// What passed to SQS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mail {
    /// Messages sent.
    pub sent: u64,
    /// Messages received, each time they were, and the calls that brought any.
    pub received: u64,
    /// See there.
    pub receives: u64,
    /// Calls that brought none.
    pub empty: u64,
    /// Messages deleted, and the calls for it.
    pub deleted: u64,
    /// See there.
    pub deletes: u64,
    /// Changes of a message's visibility, and the calls for it.
    pub hidden: u64,
    /// See there.
    pub hides: u64,
    /// Questions how many messages a queue holds.
    pub counts: u64,
}

/// Plays a scenario with a good postman until it has come to rest as it should.
pub async fn play(stage: &Stage, scenario: &Scenario) -> Result<()> {
    let mut postman = Postman::good();
    stage.play(scenario);
    let rest = wait::until("rest", PATIENCE, async || {
        postman.step(stage).await?;
        let quiet = stage.with(|world, now| invariants::is_quiet(world, now));
        Ok((quiet && postman.is_idle()).then_some(()))
    });
    rest.await.with_context(|| stage.so_far())?;
    stage.ends_well(scenario).await
}

/// After so long a controller has done what it does only at its start.
const STARTED_WITHIN: SignedDuration = SignedDuration::from_secs(20);

/// Lets so much of the story pass in which nothing happens. Answers what passed meanwhile, and how
/// many hours it was: not less than the time in which it passed, however late this is told of it.
pub async fn idle(stage: &Stage, gate: &Gate, time: SignedDuration) -> Result<(Vec<Passed>, f64)> {
    let now = || stage.world().clock().now();
    let comes = async |end: Timestamp| {
        let come = wait::until("the end of an idle time", PATIENCE, async || {
            Ok((now() >= end).then_some(()))
        });
        come.await
    };
    comes(now() + STARTED_WITHIN).await?;
    let begun = now();
    gate.forget();
    comes(begun + time).await?;
    let passed = gate.passed();
    let hours = now().duration_since(begun).as_secs_f64() / 3_600.0;
    Ok((passed, hours))
}

/// What of it went to SQS.
pub fn mail(passed: &[Passed]) -> Mail {
    let mut mail = Mail::default();
    for one in passed {
        count(&mut mail, one);
    }
    mail
}

fn count(mail: &mut Mail, passed: &Passed) {
    let entries = length(&passed.asked["Entries"]);
    match passed.what.strip_prefix("AmazonSQS.") {
        Some("SendMessage") => mail.sent += 1,
        Some("ReceiveMessage") => match length(&passed.answered["Messages"]) {
            0 => mail.empty += 1,
            messages => {
                mail.received += messages;
                mail.receives += 1;
            }
        },
        Some("DeleteMessageBatch") => {
            mail.deleted += entries;
            mail.deletes += 1;
        }
        Some("ChangeMessageVisibilityBatch") => {
            mail.hidden += entries;
            mail.hides += 1;
        }
        Some("GetQueueAttributes") => mail.counts += 1,
        Some(_) | None => {}
    }
}

fn length(list: &Value) -> u64 {
    list.as_array().map_or(0, |list| list.len() as u64)
}
