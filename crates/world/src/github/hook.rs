//! The App's webhook: each attempt to deliver, with its outcome, and redeliveries.
//!
//! The bodies of webhooks that arrived are not kept: only what failed can be delivered again.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reprise_model::delivery::{HookAttempt, HookEvent};
use reprise_model::ids::{DeliveryId, HookAttemptId};
use serde_json::{Value, json};

use super::GitHub;
use super::json::seconds;
use super::webhooks::Delivery;

/// How long GitHub keeps attempts.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(3 * 24);

/// The first attempt's id.
const FIRST: u64 = 180_000_000_001;

/// All attempts that are kept, by their ids and so by their time.
#[derive(Debug, Default)]
pub(super) struct Hook {
    attempts: BTreeMap<HookAttemptId, Attempt>,
    made: u64,
}

#[derive(Debug)]
struct Attempt {
    delivery: DeliveryId,
    at: Timestamp,
    redelivery: bool,
    about: About,
    /// What did not arrive.
    failed: Option<Delivery>,
}

/// What the list says of a webhook's content.
#[derive(Debug, Clone)]
struct About {
    event: &'static str,
    action: Option<String>,
    installation: Value,
    repository: Value,
}

/// Why an attempt is not made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotAgain {
    /// There is none of this id, or none any more.
    NotFound,
    /// It arrived, and the simulated GitHub has not kept it.
    Arrived,
}

/// A webhook that never arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undelivered {
    /// Which.
    pub delivery: DeliveryId,
    /// What it tells of.
    pub event: HookEvent,
    /// How often it was delivered again in vain.
    pub redeliveries: usize,
    /// When it was tried last.
    pub tried_at: Timestamp,
}

impl GitHub {
    /// Sends a webhook for the first time.
    pub(super) fn send_webhook(&mut self, delivery: Delivery, body: &Value) {
        let about = About {
            event: delivery.event,
            action: body["action"].as_str().map(str::to_owned),
            installation: body["installation"]["id"].clone(),
            repository: body["repository"]["id"].clone(),
        };
        self.attempt(delivery, about, false);
    }

    /// Delivers once more what an attempt could not.
    pub fn redeliver(&mut self, now: Timestamp, id: HookAttemptId) -> Result<(), NotAgain> {
        self.forget_attempts(now);
        let attempt = self.hook.attempts.get(&id).ok_or(NotAgain::NotFound)?;
        let failed = attempt.failed.clone().ok_or(NotAgain::Arrived)?;
        let about = attempt.about.clone();
        self.attempt(Delivery { at: now, ..failed }, about, true);
        Ok(())
    }

    /// The attempts that are kept, the newest first.
    pub fn attempts(&self) -> impl Iterator<Item = HookAttempt> {
        self.hook
            .attempts
            .iter()
            .rev()
            .map(|(id, attempt)| attempt.told(*id))
    }

    /// The webhooks that have not arrived in any attempt that is kept.
    pub fn undelivered(&self) -> Vec<Undelivered> {
        let mut open: BTreeMap<DeliveryId, Undelivered> = BTreeMap::new();
        for attempt in self.hook.attempts.values() {
            if attempt.failed.is_none() {
                open.remove(&attempt.delivery);
                continue;
            }
            let known = open.entry(attempt.delivery.clone());
            let one = known.or_insert_with(|| Undelivered {
                delivery: attempt.delivery.clone(),
                event: attempt.about.kind(),
                redeliveries: 0,
                tried_at: attempt.at,
            });
            one.tried_at = attempt.at;
            one.redeliveries += usize::from(attempt.redelivery);
        }
        open.into_values().collect()
    }

    /// The attempts as REST shows them, the newest first, from one on.
    pub(super) fn attempts_from(&self, from: HookAttemptId) -> impl Iterator<Item = (u64, Value)> {
        let attempts = self.hook.attempts.range(..=from).rev();
        attempts.map(|(id, attempt)| (id.0, attempt.wire(*id)))
    }

    fn attempt(&mut self, delivery: Delivery, about: About, redelivery: bool) {
        let at = delivery.at;
        self.forget_attempts(at);
        let down = self.faults.webhooks_down_until;
        let arrives = down.is_none_or(|until| until <= at);
        let id = HookAttemptId(FIRST + self.hook.made);
        self.hook.made += 1;
        let attempt = Attempt {
            delivery: delivery.id.clone(),
            at,
            redelivery,
            about,
            failed: (!arrives).then(|| delivery.clone()),
        };
        self.hook.attempts.insert(id, attempt);
        if arrives {
            self.deliveries.push(delivery);
        }
    }

    fn forget_attempts(&mut self, now: Timestamp) {
        while let Some(oldest) = self.hook.attempts.first_entry() {
            if now.duration_since(oldest.get().at) < KEPT_FOR {
                break;
            }
            oldest.remove();
        }
    }
}

impl Attempt {
    fn told(&self, id: HookAttemptId) -> HookAttempt {
        HookAttempt {
            id,
            delivery: self.delivery.clone(),
            at: self.at,
            redelivery: self.redelivery,
            arrived: self.failed.is_none(),
            event: self.about.kind(),
        }
    }

    fn wire(&self, id: HookAttemptId) -> Value {
        let (status, code) = match self.failed {
            None => ("OK", 200),
            Some(_) => ("failed to connect to host", 502),
        };
        json!({
            "id": id,
            "guid": self.delivery,
            "delivered_at": seconds(self.at),
            "redelivery": self.redelivery,
            "duration": 0.03,
            "status": status,
            "status_code": code,
            "event": self.about.event,
            "action": self.about.action,
            "installation_id": self.about.installation,
            "repository_id": self.about.repository,
            "throttled_at": null,
        })
    }
}

impl About {
    fn kind(&self) -> HookEvent {
        HookEvent::of(self.event, self.action.as_deref())
    }
}
