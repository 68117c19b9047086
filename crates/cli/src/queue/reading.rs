//! Going through a dead-letter queue without taking anything out of it.
//!
//! SQS has no way to look: a message is received, hidden from others for a while, and handed back.
//! Invariant: whoever makes a [`Reading`] ends it by [`Reading::hand_back`], whatever happened in
//! between. A process that is killed leaves its messages hidden for [`HIDDEN_FOR`], and no longer.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use reprise_aws::{Message, Receipt, SqsError};
use reprise_controller::clock::{Clock, SystemClock};
use tokio::task::JoinSet;

use super::places::Place;
use crate::output::note;
use crate::signals::{Stop, Stopped, stopped};

/// Long enough to see some 50,000 messages once each, ten a call.
pub(super) const HIDDEN_FOR: Duration = Duration::from_secs(600);

/// A message is only sent on while it is hidden for a minute more: nobody else has it then.
const SAFE_FOR: SignedDuration = SignedDuration::from_secs(540);

/// A poll that waits asks all of SQS's servers, so that only an empty queue answers nothing.
const WAIT: Duration = Duration::from_secs(1);

/// The most messages that SQS gives in one call.
const MOST: u32 = 10;

/// How long after the end was asked for an open poll is still listened to, to hand back what it
/// brings.
const LAST_ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// One going through.
pub(super) struct Reading<'a> {
    place: &'a Place,
    stop: &'a Stop,
    held: BTreeMap<String, Receipt>,
    began: Timestamp,
}

impl<'a> Reading<'a> {
    pub(super) fn of(place: &'a Place, stop: &'a Stop) -> Self {
        Self {
            place,
            stop,
            held: BTreeMap::new(),
            began: SystemClock.now(),
        }
    }

    /// Messages that were not seen before; `None` when there are no more.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Message>>> {
        loop {
            let received = self.receive().await?;
            if received.is_empty() {
                return Ok(None);
            }
            let (mut new, mut again) = (Vec::new(), 0);
            for message in received {
                // A message that comes again has a new receipt, and only that one hands it back.
                let receipt = message.receipt.clone();
                match self.held.insert(message.id.clone(), receipt) {
                    None => new.push(message),
                    Some(_) => again += 1,
                }
            }
            if !new.is_empty() {
                return Ok(Some(new));
            }
            // All of a batch seen before: the first ones are not hidden any more, and come round.
            if again > 1 {
                return Ok(None);
            }
        }
    }

    async fn receive(&mut self) -> Result<Vec<Message>> {
        if self.stop.is_asked() {
            return Err(Stopped.into());
        }
        let poll = self.place.dead.receive_hidden(MOST, WAIT, HIDDEN_FOR);
        tokio::pin!(poll);
        tokio::select! {
            biased;
            answer = &mut poll => answer.with_context(|| self.place.failed_to("read")),
            () = self.stop.asked() => {
                let last = tokio::time::timeout(LAST_ANSWER_WITHIN, poll).await;
                if let Ok(Ok(messages)) = last {
                    let late = messages.into_iter().map(|message| (message.id, message.receipt));
                    self.held.extend(late);
                }
                Err(Stopped.into())
            }
        }
    }

    /// Where it reads.
    pub(super) fn place(&self) -> &'a Place {
        self.place
    }

    /// How many messages it holds.
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    /// Whether what was read first is still hidden from others for a while.
    pub(super) fn is_fresh(&self) -> bool {
        SystemClock.now().duration_since(self.began) < SAFE_FOR
    }

    /// It is not there any more.
    pub(super) fn forget(&mut self, id: &str) {
        self.held.remove(id);
    }

    /// Shows everything that is still held to others at once. The second signal ends even that.
    pub(super) async fn hand_back(self) {
        let (held, waited) = (self.held.len(), self.stop.is_asked());
        let place = self.place;
        let all = async {
            if waited {
                tokio::select! {
                    biased;
                    failed = show_again(place, self.held) => failed,
                    () = stopped() => Some("it was not waited for".to_owned()),
                }
            } else {
                show_again(place, self.held).await
            }
        };
        if let Some(problem) = all.await {
            note(format_args!(
                "warning: not all of {held} messages of {} could be handed back; they show again \
                 by themselves within {} minutes: {problem}",
                place.name.as_str(),
                HIDDEN_FOR.as_secs() / 60
            ));
        }
    }
}

/// Answers what went wrong with the first that failed.
async fn show_again(place: &Place, held: BTreeMap<String, Receipt>) -> Option<String> {
    let mut calls = JoinSet::new();
    for receipt in held.into_values() {
        let queue = place.dead.clone();
        calls.spawn(async move { queue.extend(&receipt, Duration::ZERO).await });
    }
    let mut problem = None;
    while let Some(done) = calls.join_next().await {
        let failed = match done {
            Ok(answer) => answer.err().map(|error: SqsError| error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        problem = problem.or(failed);
    }
    problem
}
