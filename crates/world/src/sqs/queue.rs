//! One queue: who may be received when, and what becomes of it.
//!
//! Messages have a sequence number of their own, so that a doubled message (same id) is two
//! entries: deleting one leaves the other, as on the real service.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::error::SqsError;
use super::message::{NewMessage, Received};

/// SQS's limit: twelve hours at most, counted from the receive.
const LONGEST_VISIBILITY: SignedDuration = SignedDuration::from_hours(12);

/// How much later the double of a message may show up.
const DOUBLE_WITHIN_MS: i64 = 5_000;

/// From how many messages an unordered queue draws each one that it hands out.
const SHUFFLE_WINDOW: usize = 40;

/// What a queue is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSettings {
    /// How long a received message is hidden.
    pub visibility_timeout: SignedDuration,
    /// Where a message goes that was received too often.
    pub dead_letter: Option<DeadLetter>,
    /// How long a message is kept.
    pub retention: SignedDuration,
    /// Who else than the account may send, as a policy in JSON. Nothing here is refused for want of one.
    pub policy: Option<String>,
    /// How many of a hundred messages are delivered twice.
    pub duplicate_percent: u8,
    /// Whether messages are handed out in any order.
    pub reorder: bool,
}

impl Default for QueueSettings {
    /// SQS's own: 30 seconds, no dead-letter queue, four days; nothing doubled or reordered.
    fn default() -> Self {
        Self {
            visibility_timeout: SignedDuration::from_secs(30),
            dead_letter: None,
            retention: SignedDuration::from_hours(4 * 24),
            policy: None,
            duplicate_percent: 0,
            reorder: false,
        }
    }
}

/// A redrive policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The name of the queue for dead letters.
    pub queue: String,
    /// How often a message may be received; the next receive moves it instead.
    pub max_receive_count: u32,
}

/// How many messages a queue holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// To be received now.
    pub visible: usize,
    /// Received and neither deleted nor visible again.
    pub in_flight: usize,
    /// Sent with a delay that has not passed.
    pub delayed: usize,
}

#[derive(Debug, Clone)]
struct Stored {
    id: String,
    message: NewMessage,
    sent_at: Timestamp,
    visible_at: Timestamp,
    received_at: Option<Timestamp>,
    first_received_at: Option<Timestamp>,
    receive_count: u32,
    nonce: u64,
}

/// What a receipt handle names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Receipt {
    pub(super) sequence: u64,
    pub(super) nonce: u64,
}

/// A message on its way to a dead-letter queue; it keeps its id and its age.
pub(super) struct DeadMessage {
    id: String,
    message: NewMessage,
    sent_at: Timestamp,
}

/// A received message and the receipt that its handle is made of.
pub(super) struct Handed {
    pub(super) receipt: Receipt,
    pub(super) received: Received,
}

/// One queue.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    pub(super) settings: QueueSettings,
    messages: BTreeMap<u64, Stored>,
    by_visibility: BTreeSet<(Timestamp, u64)>,
    by_age: BTreeSet<(Timestamp, u64)>,
    next_sequence: u64,
}

impl Queue {
    pub(super) fn new(settings: QueueSettings) -> Self {
        Self {
            settings,
            messages: BTreeMap::new(),
            by_visibility: BTreeSet::new(),
            by_age: BTreeSet::new(),
            next_sequence: 0,
        }
    }

    pub(super) fn send(
        &mut self,
        now: Timestamp,
        id: &str,
        message: NewMessage,
        rng: &mut fastrand::Rng,
    ) {
        let visible_at = later(now, message.delay);
        if rng.u8(..100) < self.settings.duplicate_percent {
            let wait = SignedDuration::from_millis(rng.i64(..DOUBLE_WITHIN_MS).max(0));
            self.store(id, message.clone(), now, later(visible_at, wait));
        }
        self.store(id, message, now, visible_at);
    }

    /// Takes in a dead letter of another queue.
    pub(super) fn bury(&mut self, now: Timestamp, dead: DeadMessage) {
        self.store(&dead.id, dead.message, dead.sent_at, now);
    }

    fn store(&mut self, id: &str, message: NewMessage, sent_at: Timestamp, visible_at: Timestamp) {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        self.by_visibility.insert((visible_at, sequence));
        self.by_age.insert((sent_at, sequence));
        let stored = Stored {
            id: id.to_owned(),
            message,
            sent_at,
            visible_at,
            received_at: None,
            first_received_at: None,
            receive_count: 0,
            nonce: 0,
        };
        self.messages.insert(sequence, stored);
    }

    /// Hands out up to `most` visible messages, and the dead letters met on the way.
    pub(super) fn receive(
        &mut self,
        now: Timestamp,
        most: usize,
        visibility: Option<SignedDuration>,
        rng: &mut fastrand::Rng,
    ) -> (Vec<Handed>, Vec<DeadMessage>) {
        self.expire(now);
        let (mut handed, mut dead) = (Vec::new(), Vec::new());
        let hidden_for = visibility.unwrap_or(self.settings.visibility_timeout);
        let mut taken = BTreeSet::new();
        while handed.len() < most {
            let Some(sequence) = self.next_visible_but(now, &taken, rng) else {
                break;
            };
            // With a timeout of zero a message stays visible; one answer still holds it once.
            taken.insert(sequence);
            if self.is_dead(sequence) {
                dead.extend(self.remove(sequence).map(|stored| DeadMessage {
                    id: stored.id,
                    message: stored.message,
                    sent_at: stored.sent_at,
                }));
            } else {
                handed.extend(self.hand_out(now, sequence, hidden_for, rng.u64(1..)));
            }
        }
        (handed, dead)
    }

    fn next_visible_but(
        &self,
        now: Timestamp,
        taken: &BTreeSet<u64>,
        rng: &mut fastrand::Rng,
    ) -> Option<u64> {
        let mut visible = self
            .by_visibility
            .range(..=(now, u64::MAX))
            .map(|(_, sequence)| *sequence)
            .filter(|sequence| !taken.contains(sequence));
        if self.settings.reorder {
            let window: Vec<u64> = visible.take(SHUFFLE_WINDOW).collect();
            rng.choice(window)
        } else {
            visible.next()
        }
    }

    fn is_dead(&self, sequence: u64) -> bool {
        let received = self
            .messages
            .get(&sequence)
            .map_or(0, |stored| stored.receive_count);
        self.settings
            .dead_letter
            .as_ref()
            .is_some_and(|dead_letter| received >= dead_letter.max_receive_count)
    }

    fn hand_out(
        &mut self,
        now: Timestamp,
        sequence: u64,
        hidden_for: SignedDuration,
        nonce: u64,
    ) -> Option<Handed> {
        self.hide_until(sequence, later(now, hidden_for));
        let stored = self.messages.get_mut(&sequence)?;
        stored.receive_count += 1;
        stored.received_at = Some(now);
        stored.nonce = nonce;
        let first_received_at = *stored.first_received_at.get_or_insert(now);
        Some(Handed {
            receipt: Receipt { sequence, nonce },
            received: Received {
                id: stored.id.clone(),
                receipt: String::new(),
                body: stored.message.body.clone(),
                attributes: stored.message.attributes.clone(),
                receive_count: stored.receive_count,
                sent_at: stored.sent_at,
                first_received_at,
            },
        })
    }

    /// Deletes by the latest receipt; an older one succeeds and deletes nothing.
    pub(super) fn delete(&mut self, receipt: Receipt) -> bool {
        let latest = self.is_latest(receipt);
        latest && self.remove(receipt.sequence).is_some()
    }

    pub(super) fn change_visibility(
        &mut self,
        now: Timestamp,
        receipt: Receipt,
        timeout: SignedDuration,
    ) -> Result<(), SqsError> {
        let stored = self.messages.get(&receipt.sequence);
        let Some(stored) = stored.filter(|_| self.is_latest(receipt)) else {
            return Err(SqsError::InvalidParameterValue(
                "Value for parameter ReceiptHandle is invalid. Reason: Message does not exist or \
                 is not available for visibility timeout change."
                    .to_owned(),
            ));
        };
        if stored.visible_at <= now {
            return Err(SqsError::MessageNotInflight);
        }
        let until = later(now, timeout);
        let longest = later(stored.received_at.unwrap_or(now), LONGEST_VISIBILITY);
        if until > longest {
            return Err(SqsError::InvalidParameterValue(
                "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]"
                    .to_owned(),
            ));
        }
        self.hide_until(receipt.sequence, until);
        Ok(())
    }

    pub(super) fn counts(&mut self, now: Timestamp) -> Counts {
        self.expire(now);
        let mut counts = Counts::default();
        for stored in self.messages.values() {
            if stored.visible_at <= now {
                counts.visible += 1;
            } else if stored.receive_count > 0 {
                counts.in_flight += 1;
            } else {
                counts.delayed += 1;
            }
        }
        counts
    }

    /// When the next message is visible, which may be in the past.
    pub(super) fn next_visible_at(&self) -> Option<Timestamp> {
        self.by_visibility.first().map(|(at, _)| *at)
    }

    fn is_latest(&self, receipt: Receipt) -> bool {
        self.messages
            .get(&receipt.sequence)
            .is_some_and(|stored| stored.receive_count > 0 && stored.nonce == receipt.nonce)
    }

    fn hide_until(&mut self, sequence: u64, until: Timestamp) {
        if let Some(stored) = self.messages.get_mut(&sequence) {
            self.by_visibility.remove(&(stored.visible_at, sequence));
            stored.visible_at = until;
            self.by_visibility.insert((until, sequence));
        }
    }

    fn remove(&mut self, sequence: u64) -> Option<Stored> {
        let stored = self.messages.remove(&sequence)?;
        self.by_visibility.remove(&(stored.visible_at, sequence));
        self.by_age.remove(&(stored.sent_at, sequence));
        Some(stored)
    }

    fn expire(&mut self, now: Timestamp) {
        while let Some((sent_at, sequence)) = self.by_age.first().copied() {
            if later(sent_at, self.settings.retention) > now {
                break;
            }
            self.remove(sequence);
        }
    }
}

/// The moment `after` a time; the end of time when that is too far.
pub(super) fn later(at: Timestamp, after: SignedDuration) -> Timestamp {
    at.checked_add(after).unwrap_or(Timestamp::MAX)
}
