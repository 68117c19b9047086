//! How old the oldest message of a queue is, as far as one replica can tell.
//!
//! SQS tells that to CloudWatch alone. A replica knows of the messages that it received and has not dealt with,
//! also of those that it handed back and that come again. Of the others it knows this: an open poll is answered
//! as soon as one is to be had. So as long as polls are answered, nothing else waits for long, and an empty queue
//! is as old as nothing. Once they are not, for whatever reason, messages may have waited since the last answer,
//! and that counts as their age: what nobody can see is not taken for well.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::backoff::after;

/// A poll takes 20 s, and its call may take 10 s more and be tried again: an answer that is older tells nothing
/// of now. As long after it may be had again, a message that was handed back is somebody else's.
const ANSWER_LASTS: SignedDuration = SignedDuration::from_secs(60);

/// How many messages are remembered; those sent first are what matters.
const MOST_REMEMBERED: usize = 10_000;

/// What a replica knows of the messages of a queue.
#[derive(Debug, Clone)]
pub struct QueueAge {
    answered_at: Timestamp,
    /// How old the oldest message of the last answer was when it came.
    brought: SignedDuration,
    /// Messages that were received and not dealt with, by their ids.
    open: BTreeMap<String, Open>,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    sent_at: Timestamp,
    /// When it may be had again; never, as long as it is worked on.
    again_at: Option<Timestamp>,
}

impl QueueAge {
    /// A queue that is about to be asked for the first time.
    pub fn new(now: Timestamp) -> Self {
        Self {
            answered_at: now,
            brought: SignedDuration::ZERO,
            open: BTreeMap::new(),
        }
    }

    /// A poll brought these: ids, and when each was sent.
    pub fn answered<'a>(
        &mut self,
        messages: impl Iterator<Item = (&'a str, Timestamp)>,
        now: Timestamp,
    ) {
        self.answered_at = now;
        self.brought = SignedDuration::ZERO;
        self.open.retain(|_, open| {
            let again_at = open.again_at;
            again_at.is_none_or(|again_at| now < after(again_at, ANSWER_LASTS))
        });
        for (id, sent_at) in messages {
            self.brought = self.brought.max(now.duration_since(sent_at));
            self.remember(id, sent_at);
        }
    }

    /// A message was dealt with, or nobody here knows of it any more.
    pub fn done(&mut self, id: &str) {
        self.open.remove(id);
    }

    /// A message was not dealt with, and may be had again at some time.
    pub fn handed_back(&mut self, id: &str, again_at: Timestamp) {
        if let Some(open) = self.open.get_mut(id) {
            open.again_at = Some(again_at);
        }
    }

    /// How old the oldest message is.
    pub fn age(&self, now: Timestamp) -> SignedDuration {
        let unanswered = now.duration_since(self.answered_at);
        let unseen = if unanswered > ANSWER_LASTS {
            unanswered
        } else {
            self.brought
        };
        let oldest = self.open.values().map(|open| open.sent_at).min();
        let oldest = oldest.map(|sent_at| now.duration_since(sent_at));
        // SQS's clock is not ours.
        oldest.unwrap_or_default().max(unseen)
    }

    fn remember(&mut self, id: &str, sent_at: Timestamp) {
        let open = Open {
            sent_at,
            again_at: None,
        };
        self.open.insert(id.to_owned(), open);
        if self.open.len() > MOST_REMEMBERED {
            let youngest = self.open.iter().max_by_key(|(_, open)| open.sent_at);
            if let Some(id) = youngest.map(|(id, _)| id.clone()) {
                self.open.remove(&id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{at, secs};

    fn answered(age: &mut QueueAge, messages: &[(&str, i64)], now: i64) {
        let messages = messages.iter().map(|(id, sent)| (*id, at(*sent)));
        age.answered(messages, at(now));
    }

    #[test]
    fn an_empty_queue_is_as_old_as_nothing_while_a_poll_is_open() {
        let mut age = QueueAge::new(at(0));
        for now in [20, 40, 60] {
            assert_eq!(age.age(at(now)), secs(0));
            answered(&mut age, &[], now);
        }
    }

    #[test]
    fn a_queue_that_does_not_answer_gets_older_from_its_last_answer_on() {
        let mut age = QueueAge::new(at(0));
        assert_eq!(age.age(at(61)), secs(61), "it never answered");
        answered(&mut age, &[], 100);
        assert_eq!(age.age(at(160)), secs(0));
        assert_eq!(age.age(at(161)), secs(61));
        assert_eq!(age.age(at(1_000)), secs(900));
        answered(&mut age, &[], 1_001);
        assert_eq!(age.age(at(1_001)), secs(0));
    }

    #[test]
    fn a_message_gets_older_until_it_is_dealt_with() {
        let mut age = QueueAge::new(at(0));
        answered(&mut age, &[("a", 5), ("b", 3)], 10);
        answered(&mut age, &[], 30);
        assert_eq!(age.age(at(50)), secs(47));
        age.done("b");
        assert_eq!(age.age(at(50)), secs(45));
        age.done("a");
        assert_eq!(age.age(at(50)), secs(0));
    }

    #[test]
    fn a_backlog_shows_between_two_answers_too() {
        let mut age = QueueAge::new(at(0));
        answered(&mut age, &[("a", 100)], 500);
        age.done("a");
        assert_eq!(age.age(at(501)), secs(400));
        answered(&mut age, &[("b", 450)], 502);
        age.done("b");
        assert_eq!(age.age(at(503)), secs(52));
        answered(&mut age, &[], 523);
        assert_eq!(age.age(at(523)), secs(0));
    }

    #[test]
    fn a_message_that_fails_again_and_again_is_not_forgotten_while_it_is_hidden() {
        let mut age = QueueAge::new(at(0));
        answered(&mut age, &[("a", 0)], 1);
        age.handed_back("a", at(91));
        for now in [21, 41, 61, 81] {
            answered(&mut age, &[], now);
            assert_eq!(age.age(at(now)), secs(now));
        }
        answered(&mut age, &[("a", 0)], 92);
        answered(&mut age, &[], 1_000);
        assert_eq!(age.age(at(1_000)), secs(1_000), "it is worked on");
    }

    #[test]
    fn a_message_that_does_not_come_again_is_somebody_elses() {
        let mut age = QueueAge::new(at(0));
        answered(&mut age, &[("a", 0)], 1);
        age.handed_back("a", at(91));
        answered(&mut age, &[], 150);
        assert_eq!(age.age(at(150)), secs(150));
        answered(&mut age, &[], 151);
        assert_eq!(age.age(at(151)), secs(0));
    }

    #[test]
    fn a_clock_that_is_behind_makes_no_message_younger_than_new() {
        let mut age = QueueAge::new(at(0));
        answered(&mut age, &[("a", 7)], 5);
        assert_eq!(age.age(at(5)), secs(0));
        age.handed_back("b", at(9));
        assert_eq!(age.age(at(5)), secs(0), "it is not known");
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_oldest_stay() {
        let mut age = QueueAge::new(at(0));
        answered(&mut age, &[("oldest", 1)], 2);
        for number in 0..=MOST_REMEMBERED {
            answered(&mut age, &[(&format!("m-{number}"), 3)], 4);
        }
        assert_eq!(age.open.len(), MOST_REMEMBERED);
        assert_eq!(age.age(at(10)), secs(9));
    }
}
