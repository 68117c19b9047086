//! All queues, and the direct door to them.

use std::collections::{BTreeMap, VecDeque};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::{AccountId, Region};

use super::error::SqsError;
use super::message::{NewMessage, Received};
use super::queue::{Counts, Queue, QueueSettings, Receipt};

/// The largest message, in bytes.
pub(super) const LONGEST_MESSAGE: usize = 1_048_576;

/// One account's SQS in one region.
#[derive(Debug, Clone)]
pub struct Sqs {
    pub(super) account: AccountId,
    pub(super) region: Region,
    pub(super) rng: fastrand::Rng,
    pub(super) request_counts: BTreeMap<String, u64>,
    pub(super) faults: BTreeMap<String, VecDeque<SqsError>>,
    queues: BTreeMap<String, Queue>,
}

impl Sqs {
    /// No queues yet. The seed decides ids, doubles and shuffles.
    pub fn new(account: AccountId, region: Region, seed: u64) -> Self {
        Self {
            account,
            region,
            rng: fastrand::Rng::with_seed(seed),
            request_counts: BTreeMap::new(),
            faults: BTreeMap::new(),
            queues: BTreeMap::new(),
        }
    }

    /// Creates a queue, or changes the settings of the one with that name.
    pub fn create_queue(&mut self, name: impl Into<String>, settings: QueueSettings) {
        match self.queues.entry(name.into()) {
            std::collections::btree_map::Entry::Occupied(mut queue) => {
                queue.get_mut().settings = settings;
            }
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(Queue::new(settings));
            }
        }
    }

    /// The settings of a queue.
    pub fn settings(&self, queue: &str) -> Result<&QueueSettings, SqsError> {
        self.queues
            .get(queue)
            .map(|queue| &queue.settings)
            .ok_or(SqsError::QueueDoesNotExist)
    }

    /// Sends a message; tells its id.
    pub fn send(
        &mut self,
        now: Timestamp,
        queue: &str,
        message: impl Into<NewMessage>,
    ) -> Result<String, SqsError> {
        let message = message.into();
        check(&message)?;
        let id = self.message_id();
        let queue = self
            .queues
            .get_mut(queue)
            .ok_or(SqsError::QueueDoesNotExist)?;
        queue.send(now, &id, message, &mut self.rng);
        Ok(id)
    }

    /// Receives up to `most` messages, which then are hidden for `visibility` or as the queue says.
    pub fn receive(
        &mut self,
        now: Timestamp,
        queue: &str,
        most: usize,
        visibility: Option<SignedDuration>,
    ) -> Result<Vec<Received>, SqsError> {
        let source = self
            .queues
            .get_mut(queue)
            .ok_or(SqsError::QueueDoesNotExist)?;
        let (handed, dead) = source.receive(now, most, visibility, &mut self.rng);
        let target = source.settings.dead_letter.clone();
        if let Some(target) = target.and_then(|target| self.queues.get_mut(&target.queue)) {
            for letter in dead {
                target.bury(now, letter);
            }
        }
        Ok(handed
            .into_iter()
            .map(|handed| Received {
                receipt: write_receipt(queue, handed.receipt),
                ..handed.received
            })
            .collect())
    }

    /// Deletes a message by the handle of its latest receive; tells whether it did. An older handle
    /// succeeds and deletes nothing, as on the real service.
    pub fn delete(&mut self, queue: &str, receipt: &str) -> Result<bool, SqsError> {
        let named = self.queue_mut(queue)?;
        Ok(named.delete(read_receipt(queue, receipt)?))
    }

    /// Hides a received message for `timeout` from now; zero shows it at once.
    pub fn change_visibility(
        &mut self,
        now: Timestamp,
        queue: &str,
        receipt: &str,
        timeout: SignedDuration,
    ) -> Result<(), SqsError> {
        let named = self.queue_mut(queue)?;
        named.change_visibility(now, read_receipt(queue, receipt)?, timeout)
    }

    /// How many messages a queue holds.
    pub fn counts(&mut self, now: Timestamp, queue: &str) -> Result<Counts, SqsError> {
        Ok(self.queue_mut(queue)?.counts(now))
    }

    /// When the next message of a queue is to be had, which may be in the past.
    pub fn next_visible_at(&self, queue: &str) -> Option<Timestamp> {
        self.queues.get(queue)?.next_visible_at()
    }

    /// How many requests of each action came over the wire; a long poll is one.
    pub fn request_counts(&self) -> &BTreeMap<String, u64> {
        &self.request_counts
    }

    /// Lets the next request of `action` (as `ReceiveMessage`) over the wire that has no fault yet
    /// fail with `error`, without any effect.
    pub fn fail_next(&mut self, action: impl Into<String>, error: SqsError) {
        self.faults
            .entry(action.into())
            .or_default()
            .push_back(error);
    }

    fn queue_mut(&mut self, name: &str) -> Result<&mut Queue, SqsError> {
        self.queues.get_mut(name).ok_or(SqsError::QueueDoesNotExist)
    }

    pub(super) fn message_id(&mut self) -> String {
        let hex = hex::encode(self.rng.u128(..).to_be_bytes());
        format!(
            "{}-{}-4{}-8{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[13..16],
            &hex[17..20],
            &hex[20..]
        )
    }
}

fn check(message: &NewMessage) -> Result<(), SqsError> {
    if message.body.is_empty() {
        let text = "The request must contain the parameter MessageBody.";
        return Err(SqsError::MissingParameter(text.to_owned()));
    }
    if message.body.len() > LONGEST_MESSAGE {
        return Err(SqsError::InvalidParameterValue(format!(
            "One or more parameters are invalid. Reason: Message must be shorter than \
             {LONGEST_MESSAGE} bytes."
        )));
    }
    if message.body.chars().all(is_xml) {
        Ok(())
    } else {
        Err(SqsError::InvalidMessageContents)
    }
}

fn is_xml(c: char) -> bool {
    !matches!(c, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}')
}

fn write_receipt(queue: &str, receipt: Receipt) -> String {
    let Receipt { sequence, nonce } = receipt;
    URL_SAFE_NO_PAD.encode(format!("{queue}/{sequence}/{nonce:016x}"))
}

fn read_receipt(queue: &str, handle: &str) -> Result<Receipt, SqsError> {
    URL_SAFE_NO_PAD
        .decode(handle)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|text| {
            let parts: Vec<&str> = text.split('/').collect();
            let [named, sequence, nonce] = parts[..] else {
                return None;
            };
            (named == queue).then_some(Receipt {
                sequence: sequence.parse().ok()?,
                nonce: u64::from_str_radix(nonce, 16).ok()?,
            })
        })
        .ok_or_else(|| SqsError::ReceiptHandleIsInvalid(handle.to_owned()))
}
