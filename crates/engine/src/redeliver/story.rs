//! One delivery that failed, with what came of it.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use reprise_model::delivery::{HookAttempt, HookEvent};
use reprise_model::ids::HookAttemptId;

use super::{GiveUpReason, Order, RedeliverRules, SHOWN_WITHIN, before};
use crate::backoff::after;

/// The pause after the first redelivery that failed. Each further one is three times as long: an
/// address that is down mostly comes back within minutes or within hours.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_mins(5);

/// No pause is longer, so that all tries lie within hours.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(1);

#[derive(Debug)]
pub(super) struct Story {
    pub(super) event: HookEvent,
    newest: (Timestamp, HookAttemptId),
    /// Redeliveries that failed.
    in_vain: BTreeSet<HookAttemptId>,
    end: End,
    /// How often it was asked for by this process.
    asks: u32,
    /// When it was asked for last, and what the newest attempt was then.
    asked: Option<(Timestamp, HookAttemptId)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Refused,
    GivenUp,
    Arrived,
}

/// What is to be done about a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Over,
    GiveUp(GiveUpReason),
    TooEarly,
    Due,
}

impl Story {
    pub(super) fn of(attempt: &HookAttempt) -> Self {
        Self {
            event: attempt.event,
            newest: (attempt.at, attempt.id),
            in_vain: BTreeSet::new(),
            end: End::Open,
            asks: 0,
            asked: None,
        }
    }

    pub(super) fn learn(&mut self, attempt: &HookAttempt) {
        self.newest = self.newest.max((attempt.at, attempt.id));
        if attempt.arrived {
            self.end = End::Arrived;
        } else if attempt.redelivery {
            self.in_vain.insert(attempt.id);
        }
    }

    pub(super) fn asking(&mut self, order: &Order, now: Timestamp) {
        self.asks = order.tries.saturating_add(1);
        self.asked = Some((now, order.attempt));
    }

    pub(super) fn not_asked(&mut self, order: &Order) {
        self.asks = order.tries;
        self.asked = None;
    }

    pub(super) fn refused(&mut self) {
        self.end = End::Refused;
    }

    pub(super) fn given_up(&mut self) {
        self.end = End::GivenUp;
    }

    pub(super) fn newest(&self) -> (Timestamp, HookAttemptId) {
        self.newest
    }

    /// What this process asked for, or what the list shows of whoever asked.
    pub(super) fn tries(&self) -> u32 {
        let shown = u32::try_from(self.in_vain.len()).unwrap_or(u32::MAX);
        self.asks.max(shown)
    }

    /// Whether nothing is to be done about it any more.
    pub(super) fn is_over(&self) -> bool {
        match self.end {
            End::Arrived | End::GivenUp => true,
            End::Open | End::Refused => false,
        }
    }

    pub(super) fn has_arrived(&self) -> bool {
        self.end == End::Arrived
    }

    pub(super) fn is_too_old(&self, rules: &RedeliverRules, now: Timestamp) -> bool {
        self.newest.0 < before(now, rules.within)
    }

    pub(super) fn state(&self, rules: &RedeliverRules, now: Timestamp) -> State {
        match self.end {
            End::Arrived | End::GivenUp => State::Over,
            End::Refused => State::GiveUp(GiveUpReason::Refused),
            End::Open if self.is_under_way(now) => State::TooEarly,
            End::Open if self.tries() >= rules.tries => State::GiveUp(GiveUpReason::TriesUsedUp),
            End::Open if self.is_too_old(rules, now) => State::GiveUp(GiveUpReason::TooOld),
            End::Open if now < after(self.newest.0, pause(self.tries())) => State::TooEarly,
            End::Open => State::Due,
        }
    }

    /// Whether an attempt that was asked for does not show yet, and may.
    fn is_under_way(&self, now: Timestamp) -> bool {
        self.asked.is_some_and(|(at, newest_then)| {
            newest_then == self.newest.1 && now < after(at, SHOWN_WITHIN)
        })
    }
}

/// What failed for the first time is asked for at once.
fn pause(tries: u32) -> SignedDuration {
    let Some(before) = tries.checked_sub(1) else {
        return SignedDuration::ZERO;
    };
    let factor = 3_i32.checked_pow(before).unwrap_or(i32::MAX);
    let pause = FIRST_PAUSE.checked_mul(factor).unwrap_or(LONGEST_PAUSE);
    pause.min(LONGEST_PAUSE)
}
