//! Who works on a record that is due, and until when.
//!
//! Of the replicas that find a record due, the one whose commit pushes its due time works on it.
//! The record's version that came of the push is what the commit of the work expects, so whoever
//! takes over at the deadline makes a late one lose. An event that makes the record due meanwhile
//! does the same: nothing is lost, and the work begins anew.

use jiff::{SignedDuration, Timestamp};
use reprise_model::ledger::Due;

use crate::backoff::{Jitter, after, wait_step};

/// How long a record is claimed for. When a replica dies, another one takes over so much later, so
/// it is short; it is longer than the slowest single call (GitHub's may take 20 s), so that few
/// claims need a renewal.
pub const CLAIMED_FOR: SignedDuration = SignedDuration::from_secs(30);

/// How long a launch claim is held for by whoever has the message of its job. It is renewed like any
/// claim, so it is as long.
pub const HELD_FOR: SignedDuration = CLAIMED_FOR;

/// How much of a claim is left when it is renewed: enough for a slow commit, and little enough that
/// only work that is slow itself is renewed.
const RENEWED_WITH: SignedDuration = SignedDuration::from_secs(10);

/// Whether a record is to be worked on.
pub fn is_due(due: Option<Due>, now: Timestamp) -> bool {
    due.is_some_and(|due| due.at <= now)
}

/// How long a record is due already.
pub fn overdue(since: Timestamp, now: Timestamp) -> SignedDuration {
    now.duration_since(since).max(SignedDuration::ZERO)
}

/// The due time of a record that somebody works on from now: the deadline, at which it is anybody's
/// again. How often it was worked on in vain stays as it was: a claim decides nothing.
#[must_use]
pub fn claimed(due: Due, now: Timestamp) -> Due {
    Due {
        at: after(now, CLAIMED_FOR),
        ..due
    }
}

/// Until when a launch claim is nobody else's that is held from now.
#[must_use]
pub fn held_until(now: Timestamp) -> Timestamp {
    after(now, HELD_FOR)
}

/// When a claim that ends at `deadline` is renewed, if the work is not done by then.
pub fn renew_at(deadline: Timestamp) -> Timestamp {
    deadline.checked_sub(RENEWED_WITH).unwrap_or(Timestamp::MIN)
}

/// The due time of a record that is given back unfinished: anybody's at once.
#[must_use]
pub fn handed_back(due: Due, now: Timestamp) -> Due {
    Due { at: now, ..due }
}

/// The due time after work in vain: the next step of the backoff, or `at_least`, if that is more.
#[must_use]
pub fn put_off(due: Due, at_least: SignedDuration, now: Timestamp, jitter: Jitter) -> Due {
    Due {
        at: after(now, wait_step(due.tries, jitter).max(at_least)),
        tries: due.tries.saturating_add(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{at, secs};

    const MIDDLE: Jitter = Jitter(0.5);
    const DUE: Due = Due {
        at: Timestamp::UNIX_EPOCH,
        tries: 2,
    };

    #[test]
    fn a_claimed_record_is_nobodys_before_its_deadline_and_anybodys_at_it() {
        let claimed = claimed(DUE, at(0));
        assert!(!is_due(Some(claimed), at(29)));
        assert!(is_due(Some(claimed), at(30)));
        assert_eq!(claimed.tries, 2, "it was not worked on in vain");
    }

    #[test]
    fn a_claim_is_renewed_before_it_ends() {
        assert_eq!(renew_at(claimed(DUE, at(0)).at), at(20));
        assert_eq!(renew_at(held_until(at(0))), at(20));
        assert_eq!(renew_at(Timestamp::MIN), Timestamp::MIN);
    }

    #[test]
    fn what_is_handed_back_is_due_at_once() {
        let back = handed_back(claimed(DUE, at(0)), at(3));
        assert!(is_due(Some(back), at(3)));
        assert_eq!(back.tries, 2);
    }

    #[test]
    fn work_in_vain_is_put_off_longer_each_time_and_not_shorter_than_asked_for() {
        let later = put_off(DUE, SignedDuration::ZERO, at(0), MIDDLE);
        assert_eq!((later.at, later.tries), (at(90), 3));
        assert_eq!(put_off(DUE, secs(600), at(0), MIDDLE).at, at(600));
    }

    #[test]
    fn a_record_is_overdue_from_its_due_time_on() {
        assert_eq!(overdue(at(10), at(310)), secs(300));
        assert_eq!(overdue(at(10), at(9)), secs(0));
    }

    #[test]
    fn what_wants_no_work_is_not_due() {
        assert!(!is_due(None, at(0)));
    }
}
