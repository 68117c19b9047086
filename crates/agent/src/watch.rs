//! The watch over the notice: what was seen and tried, and what is to be done now.
//!
//! Decisions only: `now`, randomness and results are arguments, what to do comes back as a value.
//! It neither asks nor tags.
//!
//! Invariants: everything about a notice is counted from its first sight, so that a `time` that
//! changes, or a notice that is away for a moment, moves nothing; a notice is tagged for once; the first
//! attempt is made however late it is.

use jiff::{SignedDuration, Timestamp};

use crate::notice::{Action, Notice};
pub use crate::remaining::NOTICE_SPAN;
use crate::remaining::{Remaining, Standing, remaining};
use crate::tagger::{Remedy, TagFailure, full_jitter};

/// How long before the end the agent stops trying: a tag that comes later is hardly read.
pub const TAG_MARGIN: SignedDuration = SignedDuration::from_secs(5);

/// The longest wait between two attempts.
const WAIT_CAP: SignedDuration = SignedDuration::from_secs(5);

/// The same for a hibernation, which may freeze the agent at any moment.
const HIBERNATE_WAIT_CAP: SignedDuration = SignedDuration::from_secs(1);

/// A notice in other words is another one if none was there for longer: a service that falters for some polls has not
/// taken its notice back.
const AWAY: SignedDuration = SignedDuration::from_secs(10);

/// All that the agent knows about an interruption.
#[derive(Debug, Default)]
pub struct Watch {
    case: Option<Case>,
}

#[derive(Debug)]
struct Case {
    seen: Seen,
    presence: Presence,
    tagging: Tagging,
}

/// Whether a notice is there, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    There,
    GoneSince(Timestamp),
}

/// A notice and its first sight, from which all is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The notice as it was then.
    pub notice: Notice,
    /// When that was.
    pub at: Timestamp,
    /// What was left then.
    pub remaining: Remaining,
}

impl Seen {
    /// When the instance goes.
    pub fn ends_at(&self) -> Timestamp {
        self.at + self.remaining.span
    }
}

/// How far the tag is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tagging {
    /// Being tried.
    Trying {
        /// Attempts that failed.
        failed: u32,
        /// When the next one is due.
        next_at: Timestamp,
        /// Why the last one failed.
        last: Option<TagFailure>,
    },
    /// EC2 confirmed it.
    Tagged {
        /// Attempts it took.
        attempts: u32,
    },
    /// It will not be tried again.
    GaveUp {
        /// Attempts that were made.
        attempts: u32,
        /// Why.
        reason: GaveUp,
    },
}

/// Why the agent stopped trying to tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GaveUp {
    /// Another attempt would fail alike.
    #[error("{0}")]
    Final(TagFailure),
    /// The instance is about to go.
    #[error("the deadline has passed; at last: {last}")]
    DeadlinePassed {
        /// Why the last attempt failed.
        last: TagFailure,
    },
}

/// What a poll that was answered showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// There is no notice.
    Clear,
    /// There is one, in an answer of that `Date`.
    Notice(Notice, Option<Timestamp>),
}

/// What a sight changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Change {
    /// Nothing: as before.
    Same,
    /// A notice is seen for the first time.
    FirstSight,
    /// The notice is not there any more.
    Gone,
    /// It is there again, in whatever words.
    Back,
}

/// What is to be done now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Due {
    /// Nothing but polling.
    Nothing,
    /// Try to tag.
    Tag,
    /// Nothing before that time.
    Wait(Timestamp),
    /// The deadline has just passed: say so.
    GiveUp(GaveUp),
}

/// What an attempt led to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// The tag is there.
    Tagged,
    /// Another attempt after this wait.
    Again {
        /// The wait.
        after: SignedDuration,
        /// Whether the credentials must be fetched anew.
        new_credentials: bool,
    },
    /// No other attempt.
    GaveUp(GaveUp),
}

impl Watch {
    /// Takes in what a poll showed.
    pub fn see(&mut self, sight: Sight, now: Timestamp) -> Change {
        match (&mut self.case, sight) {
            (None, Sight::Clear) => Change::Same,
            (Some(case), Sight::Clear) => match case.presence {
                Presence::There => {
                    case.presence = Presence::GoneSince(now);
                    Change::Gone
                }
                Presence::GoneSince(_) => Change::Same,
            },
            (Some(case), Sight::Notice(notice, date)) if case.stands_for(&notice, date, now) => {
                match std::mem::replace(&mut case.presence, Presence::There) {
                    Presence::There => Change::Same,
                    Presence::GoneSince(_) => Change::Back,
                }
            }
            (None | Some(_), Sight::Notice(notice, date)) => {
                let remaining = remaining(notice.time, date, now);
                self.open(Seen {
                    notice,
                    at: now,
                    remaining,
                });
                Change::FirstSight
            }
        }
    }

    /// Goes on with a notice that an earlier agent of this boot saw.
    pub fn resume(&mut self, seen: Seen, tagged: bool, gone: bool) {
        self.open(seen);
        if let Some(case) = &mut self.case {
            if gone {
                case.presence = Presence::GoneSince(Timestamp::MIN);
            }
            if tagged {
                case.tagging = Tagging::Tagged { attempts: 0 };
            }
        }
    }

    /// What is to be done now.
    pub fn due(&mut self, now: Timestamp) -> Due {
        let Some(case) = &mut self.case else {
            return Due::Nothing;
        };
        let Tagging::Trying {
            failed,
            next_at,
            last,
        } = &case.tagging
        else {
            return Due::Nothing;
        };
        match last {
            Some(last) if now >= case.tag_deadline() => {
                let reason = GaveUp::DeadlinePassed { last: last.clone() };
                case.tagging = Tagging::GaveUp {
                    attempts: *failed,
                    reason: reason.clone(),
                };
                Due::GiveUp(reason)
            }
            Some(_) if now < *next_at => Due::Wait((*next_at).min(case.tag_deadline())),
            None | Some(_) => Due::Tag,
        }
    }

    /// Takes in what an attempt came to; `random` is from 0 to 1.
    pub fn attempted(
        &mut self,
        outcome: Result<(), TagFailure>,
        now: Timestamp,
        random: f64,
    ) -> Option<Verdict> {
        let case = self.case.as_mut()?;
        let Tagging::Trying { failed, last, .. } = &case.tagging else {
            return None;
        };
        let attempts = failed.saturating_add(1);
        let (tagging, verdict) = match outcome {
            Ok(()) => (Tagging::Tagged { attempts }, Verdict::Tagged),
            Err(failure) => case.failed(failure, last.as_ref(), attempts, now, random),
        };
        case.tagging = tagging;
        Some(verdict)
    }

    /// The notice and how far its tag is, if there was one.
    pub fn case(&self) -> Option<(&Notice, &Tagging)> {
        self.case
            .as_ref()
            .map(|case| (&case.seen.notice, &case.tagging))
    }

    /// The notice with its first sight, and whether it is there now, as far as is known.
    pub fn seen(&self) -> Option<(&Seen, bool)> {
        let there = |case: &Case| case.presence == Presence::There;
        self.case.as_ref().map(|case| (&case.seen, there(case)))
    }

    fn open(&mut self, seen: Seen) {
        let next_at = seen.at;
        self.case = Some(Case {
            seen,
            presence: Presence::There,
            tagging: Tagging::Trying {
                failed: 0,
                next_at,
                last: None,
            },
        });
    }
}

impl Case {
    /// Whether a notice is still this one, in the same words or with another `time`. One that has outlived its
    /// end gives way to another whose time lies ahead.
    fn stands_for(&self, notice: &Notice, date: Option<Timestamp>, now: Timestamp) -> bool {
        if self.seen.notice == *notice {
            return true;
        }
        let away = match self.presence {
            Presence::There => SignedDuration::ZERO,
            Presence::GoneSince(since) => now.duration_since(since),
        };
        let outlived = self.seen.remaining.standing == Standing::Stale
            || now > self.seen.ends_at() + NOTICE_SPAN;
        let ahead = remaining(notice.time, date, now).standing == Standing::Ahead;
        self.seen.notice.action == notice.action && away <= AWAY && !(outlived && ahead)
    }

    fn tag_deadline(&self) -> Timestamp {
        let trying_for = self.seen.remaining.span - TAG_MARGIN;
        self.seen.at + trying_for.max(SignedDuration::ZERO)
    }

    fn failed(
        &self,
        failure: TagFailure,
        previous: Option<&TagFailure>,
        attempts: u32,
        now: Timestamp,
        random: f64,
    ) -> (Tagging, Verdict) {
        let wait = || full_jitter(attempts, self.wait_cap(), random);
        let repeated = previous.is_some_and(|p| p.remedy() == Remedy::NewCredentials);
        let (after, new_credentials) = match failure.remedy() {
            Remedy::None => {
                let reason = GaveUp::Final(failure);
                let tagging = Tagging::GaveUp {
                    attempts,
                    reason: reason.clone(),
                };
                return (tagging, Verdict::GaveUp(reason));
            }
            Remedy::Wait => (wait(), false),
            Remedy::NewCredentials if repeated => (wait(), true),
            Remedy::NewCredentials => (SignedDuration::ZERO, true),
        };
        let tagging = Tagging::Trying {
            failed: attempts,
            next_at: now + after,
            last: Some(failure),
        };
        let verdict = Verdict::Again {
            after,
            new_credentials,
        };
        (tagging, verdict)
    }

    fn wait_cap(&self) -> SignedDuration {
        match self.seen.notice.action {
            Action::Hibernate => HIBERNATE_WAIT_CAP,
            Action::Terminate | Action::Stop | Action::Other(_) => WAIT_CAP,
        }
    }
}

#[cfg(test)]
mod tests;
