//! Whose turn it is to sweep: one replica's at a time, by a lease in the store.
//!
//! The lease saves calls; it is not what keeps a sweep from doing harm. Two sweeps at once, as when
//! a process was stopped for longer than its lease, read and judge the same and meet on the records'
//! versions like any two replicas; so a commit of a sweep carries no guard of its own. What a
//! version does not hold, the end of an instance, is asked only while the turn is known to be ours.

use jiff::{SignedDuration, Timestamp};
use reprise_engine::backoff::after;
use reprise_store::{Fence, LeaseName, Store, StoreError};
use tracing::{info, warn};

use super::rounds::Rounds;
use crate::clock::Clock;
use crate::context::Controller;
use crate::logging::chain;
use crate::ports::Ports;

/// How long the turn is ours without a renewal. Two renewals may fail before somebody else takes it.
const HELD_FOR: SignedDuration = SignedDuration::from_secs(20);

/// The pause between two renewals, and between two tries of those whose turn it is not. With
/// [`HELD_FOR`], a replica that died is followed within 27 s.
const RENEWED_EVERY: SignedDuration = SignedDuration::from_secs(7);

/// What a replica knows of its turn.
#[derive(Debug)]
pub(super) struct Turn {
    held: Option<Held>,
    /// When to sweep next.
    next: Timestamp,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    fence: Fence,
    until: Timestamp,
}

impl Turn {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            held: None,
            next: now,
        }
    }

    /// Until the turn is to be renewed or tried for, or the next sweep begins. A sweep that should
    /// have begun by now could not: it waits for the turn like one that is not ours.
    pub(super) fn pause(&self, now: Timestamp) -> SignedDuration {
        let until_next = self.next.duration_since(now);
        if self.held.is_some() && until_next.is_positive() {
            until_next.min(RENEWED_EVERY)
        } else {
            RENEWED_EVERY
        }
    }

    /// For the log: the number of our turn among all, none when it is not ours.
    pub(super) fn fence(&self) -> Option<u64> {
        self.held.map(|held| held.fence.0)
    }
}

impl<P: Ports> Controller<P> {
    /// Takes or renews the turn, and sweeps if it is ours and time.
    pub(super) async fn take_turn(
        &self,
        turn: &mut Turn,
        rounds: &mut Rounds,
        every: SignedDuration,
    ) {
        if let Err(error) = self.hold(turn).await {
            warn!(error = %chain(&error), "failed to ask whose turn it is to sweep; asked again");
            return;
        }
        if turn.held.is_none() {
            // Whoever sweeps tells of them.
            self.metrics.deliveries_open(0);
            self.metrics.image_ages(&[]);
            return;
        }
        if self.now() < turn.next {
            return;
        }
        self.sweep_in_turn(turn, rounds).await;
        turn.next = after(self.now(), every);
    }

    /// Gives the turn up, so that nobody need wait for its end.
    pub(super) async fn leave_turn(&self, turn: Turn) {
        let Some(Held { fence, .. }) = turn.held else {
            return;
        };
        let released = self
            .store
            .release_lease(LeaseName::Sweep, &self.holder, fence)
            .await;
        match released {
            Ok(()) => info!(sweep.fence = fence.0, "somebody else sweeps from now on"),
            Err(error) => warn!(
                error = %chain(&error),
                sweep.fence = fence.0,
                "failed to hand the sweep over; its lease runs out"
            ),
        }
    }

    /// Ends when the turn is not ours any more, and renews it until then.
    pub(super) async fn turn_lost(&self, turn: &mut Turn) {
        while let Some(held) = turn.held {
            self.clock.sleep(RENEWED_EVERY).await;
            // A stopped process comes here first when it goes on.
            if self.now() < held.until {
                tokio::select! {
                    biased;
                    renewed = self.hold(turn) => if let Err(error) = renewed {
                        warn!(error = %chain(&error), "failed to renew the turn to sweep");
                    },
                    () = self.clock.sleep_until(held.until) => {}
                }
            }
            let is_over = turn.held.is_none_or(|held| self.now() >= held.until);
            if is_over || turn.fence() != Some(held.fence.0) {
                warn!(
                    sweep.fence = held.fence.0,
                    "the turn to sweep was lost in the middle of it"
                );
                turn.held = None;
            }
        }
    }

    /// Takes the lease, or renews it. On an error what is known stays.
    async fn hold(&self, turn: &mut Turn) -> Result<(), StoreError> {
        let now = self.now();
        let until = after(now, HELD_FOR);
        let fence = self
            .store
            .take_lease(LeaseName::Sweep, &self.holder, now, until)
            .await?;
        if let Some(fence) = fence
            && turn.fence() != Some(fence.0)
        {
            info!(sweep.fence = fence.0, "this replica sweeps from now on");
            turn.next = now;
        }
        turn.held = fence.map(|fence| Held { fence, until });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_ends_with_the_renewal_or_the_next_sweep_and_never_at_once() {
        let pauses = |held: bool, next| {
            let turn = Turn {
                held: held.then_some(Held {
                    fence: Fence(1),
                    until: at(20),
                }),
                next: at(next),
            };
            turn.pause(at(10)).as_secs()
        };
        assert_eq!(pauses(true, 60), 7);
        assert_eq!(pauses(true, 13), 3);
        assert_eq!(pauses(true, 10), 7, "the store did not answer");
        assert_eq!(pauses(false, 13), 7, "somebody else sweeps");
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).expect("within range")
    }
}
