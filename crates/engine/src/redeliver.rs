//! Which failed webhook deliveries are asked for again, and when.
//!
//! GitHub's list tells each attempt to deliver with its outcome, those that were asked for included,
//! so nothing is stored: what was read of the list is kept in memory, and whoever takes over reads it
//! again. The list is read from its newest attempt back to where the last reading began. So all that
//! came of a failure is known when the failure itself is read, and nothing that arrived is asked for
//! once more.
//!
//! It promises no order and no single arrival; whoever receives takes doubles.

mod story;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reprise_model::delivery::{HookAttempt, HookEvent, HookPage, RedeliveryAnswer};
use reprise_model::ids::{DeliveryId, HookAttemptId, HookCursor};

use self::story::{State, Story};
use crate::backoff::after;

/// Attempts show in GitHub's list up to minutes late, so each reading goes back so much further than
/// to where the last one began.
const SHOWN_WITHIN: SignedDuration = SignedDuration::from_mins(10);

/// Pages that are read at once, of 100 attempts. With [`ASKS`] a point a page and five a redelivery:
/// 180 of the 900 points that GitHub allows a minute.
const READS: u32 = 30;

/// Redeliveries that are asked for at once; GitHub wants a second between two of them.
const ASKS: u32 = 30;

/// Redeliveries that are asked for while the newest attempt of all has failed: one shows whether the
/// webhook's address is back, and thirty would use up the tries of thirty.
const ASKS_WHILE_DOWN: u32 = 1;

/// How long GitHub is left alone at least where it does not take an order now.
const LEAST_WAIT: SignedDuration = SignedDuration::from_mins(1);

/// Failed deliveries that are kept in mind, some 10 MB; the list is read no further until they are
/// fewer.
const MOST_STORIES: usize = 50_000;

/// What configuration says of redeliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RedeliverRules {
    /// The pause between two readings of the list.
    pub every: SignedDuration,
    /// How old an attempt may be that is asked for again.
    pub within: SignedDuration,
    /// How often a delivery is asked for before it is given up.
    pub tries: u32,
}

/// What was read of GitHub's list, and what was asked for.
#[derive(Debug, Default)]
pub struct Deliveries {
    stories: BTreeMap<DeliveryId, Story>,
    /// Of whatever event.
    newest: Option<Newest>,
    /// Readings that have not come to their end; the last one is the latest, and goes on first.
    readings: Vec<Reading>,
    /// When the latest reading began.
    begun: Option<Timestamp>,
    reads_left: u32,
    asks_left: u32,
    /// Until when GitHub is to be left alone.
    limited_until: Option<Timestamp>,
}

/// The newest attempt of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Newest {
    at: Timestamp,
    id: HookAttemptId,
    arrived: bool,
}

#[derive(Debug)]
struct Reading {
    /// The next page; none is the first one.
    cursor: Option<HookCursor>,
    /// All before this is known or too old.
    floor: Timestamp,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Step {
    /// Read this page, the newest if none is named, and hand it to [`Deliveries::read`].
    Read(Option<HookCursor>),
    /// Say so to [`Deliveries::asking`], ask for this, and hand the answer to
    /// [`Deliveries::answered`].
    Ask(Order),
    /// Tell that this is given up, and say so to [`Deliveries::gave_up`].
    GiveUp(GivenUp),
    /// Nothing, until then.
    Rest {
        /// Why.
        why: RestReason,
        /// When to begin again.
        until: Timestamp,
    },
}

/// A redelivery to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// What is to be delivered.
    pub delivery: DeliveryId,
    /// Its newest attempt, by which it is asked for.
    pub attempt: HookAttemptId,
    /// What it tells of.
    pub event: HookEvent,
    /// How often it was asked for before.
    pub tries: u32,
}

/// A delivery that nobody asks for again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenUp {
    /// Which.
    pub delivery: DeliveryId,
    /// What it tells of.
    pub event: HookEvent,
    /// How often it was asked for.
    pub tries: u32,
    /// Why.
    pub why: GiveUpReason,
}

/// Why a delivery is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum GiveUpReason {
    /// It failed as often as it may be asked for.
    TriesUsedUp,
    /// It is older than what is asked for.
    TooOld,
    /// GitHub will not make it again.
    Refused,
}

/// Why nothing is to be done for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RestReason {
    /// Nothing failed that has not arrived since, or was given up.
    NothingOpen,
    /// What failed was asked for, and it is too early to ask again.
    TooEarly,
    /// The webhook's address takes nothing, and one try shows when it does.
    AddressDown,
    /// So much was asked for at once; the rest follows soon.
    AskedEnough,
    /// So much was read at once; the rest follows soon.
    ReadEnough,
    /// Too much has failed to keep more in mind.
    MindFull,
    /// GitHub wants to be left alone.
    Limited,
}

impl Deliveries {
    /// Begins or goes on, after a rest.
    pub fn begin(&mut self, rules: &RedeliverRules, now: Timestamp) {
        self.reads_left = READS;
        self.asks_left = ASKS;
        // A reading tells by itself what arrived, as it begins with the newest attempt. Only one that
        // goes on with older pages must know what newer ones told.
        let is_read = self.readings.is_empty();
        self.stories.retain(|_, story| {
            let is_done = is_read && story.has_arrived();
            let is_of_the_past = story.is_over() && story.is_too_old(rules, now);
            !is_done && !is_of_the_past
        });
        let is_time = self
            .begun
            .is_none_or(|begun| after(begun, rules.every) <= now);
        if is_time {
            let oldest = before(now, rules.within);
            let known = self.begun.map(|begun| before(begun, SHOWN_WITHIN));
            self.readings.push(Reading {
                cursor: None,
                floor: known.map_or(oldest, |known| known.max(oldest)),
            });
            self.begun = Some(now);
        }
    }

    /// What is to be done next.
    pub fn next(&self, rules: &RedeliverRules, now: Timestamp) -> Step {
        let is_full = self.stories.len() >= MOST_STORIES;
        if let Some(reading) = self.readings.last()
            && self.reads_left > 0
            && !is_full
        {
            return Step::Read(reading.cursor.clone());
        }
        if let Some(given_up) = self.to_give_up(rules, now) {
            return Step::GiveUp(given_up);
        }
        let order = self.to_ask(rules, now);
        if order.is_some()
            && let Some(until) = self.limited_until.filter(|until| now < *until)
        {
            let why = RestReason::Limited;
            return Step::Rest { why, until };
        }
        match order {
            Some(order) if self.may_ask() => Step::Ask(order),
            order => self.rest(order.is_some(), is_full, rules, now),
        }
    }

    /// Takes in the page that was to be read. With a `fleet` of ours queued jobs matter, too.
    pub fn read(&mut self, page: HookPage, fleet: bool) {
        self.reads_left = self.reads_left.saturating_sub(1);
        let oldest = page.attempts.last().map(|attempt| attempt.at);
        for attempt in page.attempts {
            self.learn(attempt, fleet);
        }
        let Some(reading) = self.readings.last_mut() else {
            return;
        };
        let goes_on = oldest.is_some_and(|oldest| oldest >= reading.floor);
        // A server that never gets on is not followed for ever.
        if goes_on && page.next.is_some() && page.next != reading.cursor {
            reading.cursor = page.next;
        } else {
            self.readings.pop();
        }
    }

    /// It is about to be asked for. Should no answer come, only GitHub's list tells what came of it.
    pub fn asking(&mut self, order: &Order, now: Timestamp) {
        self.asks_left = self.asks_left.saturating_sub(1);
        if let Some(story) = self.stories.get_mut(&order.delivery) {
            story.asking(order, now);
        }
    }

    /// Takes in what GitHub answered to an order, and how long it asks to be left alone.
    pub fn answered(
        &mut self,
        order: &Order,
        answer: &RedeliveryAnswer,
        retry_after: Option<SignedDuration>,
        now: Timestamp,
    ) {
        let Some(story) = self.stories.get_mut(&order.delivery) else {
            return;
        };
        match answer {
            RedeliveryAnswer::Accepted | RedeliveryAnswer::Unclear => {}
            RedeliveryAnswer::Refused { .. } => story.refused(),
            RedeliveryAnswer::NotNow => {
                let wait = retry_after.unwrap_or(LEAST_WAIT).max(LEAST_WAIT);
                story.not_asked(order);
                self.limited_until = Some(after(now, wait));
            }
        }
    }

    /// It was told that this is given up.
    pub fn gave_up(&mut self, given_up: &GivenUp) {
        if let Some(story) = self.stories.get_mut(&given_up.delivery) {
            story.given_up();
        }
    }

    /// How many failed deliveries have neither arrived since nor been given up.
    pub fn open(&self) -> usize {
        self.stories
            .values()
            .filter(|story| !story.is_over())
            .count()
    }

    fn learn(&mut self, attempt: HookAttempt, fleet: bool) {
        let this = Newest {
            at: attempt.at,
            id: attempt.id,
            arrived: attempt.arrived,
        };
        self.newest = self.newest.max(Some(this));
        let matters = acts_on(attempt.event, fleet) && (!attempt.arrived || attempt.redelivery);
        if matters {
            self.stories
                .entry(attempt.delivery.clone())
                .or_insert_with(|| Story::of(&attempt))
                .learn(&attempt);
        }
    }

    fn to_give_up(&self, rules: &RedeliverRules, now: Timestamp) -> Option<GivenUp> {
        self.stories.iter().find_map(|(delivery, story)| {
            let State::GiveUp(why) = story.state(rules, now) else {
                return None;
            };
            Some(GivenUp {
                delivery: delivery.clone(),
                event: story.event,
                tries: story.tries(),
                why,
            })
        })
    }

    /// Queued jobs first, as somebody waits for them; runs last, as they are also read without their
    /// event. What failed first is asked for first.
    fn to_ask(&self, rules: &RedeliverRules, now: Timestamp) -> Option<Order> {
        let due = self
            .stories
            .iter()
            .filter(|(_, story)| story.state(rules, now) == State::Due);
        let (delivery, story) = due.min_by_key(|(_, story)| (story.event, story.newest()))?;
        Some(Order {
            delivery: delivery.clone(),
            attempt: story.newest().1,
            event: story.event,
            tries: story.tries(),
        })
    }

    fn is_down(&self) -> bool {
        self.newest.is_some_and(|newest| !newest.arrived)
    }

    fn may_ask(&self) -> bool {
        let asked = ASKS - self.asks_left.min(ASKS);
        self.asks_left > 0 && (!self.is_down() || asked < ASKS_WHILE_DOWN)
    }

    fn rest(&self, more: bool, is_full: bool, rules: &RedeliverRules, now: Timestamp) -> Step {
        let (why, until) = if more && self.is_down() {
            (RestReason::AddressDown, after(now, rules.every))
        } else if more {
            (RestReason::AskedEnough, now)
        } else if is_full {
            (RestReason::MindFull, after(now, rules.every))
        } else if !self.readings.is_empty() {
            (RestReason::ReadEnough, now)
        } else if self.open() > 0 {
            (RestReason::TooEarly, after(now, rules.every))
        } else {
            (RestReason::NothingOpen, after(now, rules.every))
        };
        Step::Rest { why, until }
    }
}

impl GiveUpReason {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::TriesUsedUp, Self::TooOld, Self::Refused];

    /// In a word, for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TriesUsedUp => "tries-used-up",
            Self::TooOld => "too-old",
            Self::Refused => "refused",
        }
    }
}

impl RestReason {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::NothingOpen,
        Self::TooEarly,
        Self::AddressDown,
        Self::AskedEnough,
        Self::ReadEnough,
        Self::MindFull,
        Self::Limited,
    ];

    /// In a word, for the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NothingOpen => "nothing-open",
            Self::TooEarly => "too-early",
            Self::AddressDown => "address-down",
            Self::AskedEnough => "asked-enough",
            Self::ReadEnough => "read-enough",
            Self::MindFull => "mind-full",
            Self::Limited => "limited",
        }
    }
}

/// Whether anything follows from an event.
fn acts_on(event: HookEvent, fleet: bool) -> bool {
    match event {
        HookEvent::JobQueued => fleet,
        HookEvent::JobCompleted | HookEvent::RunCompleted => true,
        HookEvent::Other => false,
    }
}

fn before(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_sub(by).unwrap_or(Timestamp::MIN)
}
