//! Whether EC2 takes this instance, for the part of the agent that would start a runner on it or power it off.
//!
//! Invariant: from a notice on that part rests, also where the notice goes away. A machine that shuts itself down
//! takes away the evidence that EC2 took it, and with it the first hour that EC2 does not charge. A machine that has
//! outlived its notice was not taken, and is left by its own agent when it has served its turn.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch::Sender;

use crate::clock::Clock;
use crate::notice::Action;
use crate::plan::OUTLIVED;
use crate::remaining::Standing;
use crate::watch::Seen;

/// Shared between the watch and the rest of the agent.
#[derive(Debug, Clone, Default)]
pub struct Noticed(Arc<Sender<Option<Timestamp>>>);

impl Noticed {
    /// Does that part's work whenever no notice stands against it.
    pub async fn rest_of<C: Clock>(
        &self,
        clock: &C,
        keeping: impl Future<Output = Infallible>,
    ) -> Infallible {
        let mut keeping = pin!(keeping);
        let mut heard = self.0.subscribe();
        loop {
            tokio::select! {
                biased;
                // The sender is this very value, so the wait cannot end otherwise.
                _ = heard.wait_for(|until| time_left(*until, clock.now()).is_some()) => (),
                never = &mut keeping => match never {},
            }
            tracing::info!("EC2 gives notice; the instance is left to it");
            loop {
                let until = *heard.borrow_and_update();
                match time_left(until, clock.now()) {
                    Some(left) => clock.sleep(left).await,
                    None => break,
                }
            }
            tracing::warn!("EC2 has not taken the instance; going on with its runner");
        }
    }

    /// What it says of a notice stands until the machine has outlived it.
    pub(crate) fn see(&self, seen: &Seen) {
        if ends_soon(&seen.notice.action, seen.remaining.standing) {
            self.0.send_replace(Some(seen.ends_at() + OUTLIVED));
        }
    }
}

fn time_left(until: Option<Timestamp>, now: Timestamp) -> Option<SignedDuration> {
    let left = until?.duration_since(now);
    left.is_positive().then_some(left)
}

/// Whether EC2 is about to take the instance: not for a hibernation, from which it comes back, nor for a notice
/// that EC2 failed to carry out.
pub(crate) fn ends_soon(action: &Action, standing: Standing) -> bool {
    match (action, standing) {
        (Action::Hibernate, _) | (_, Standing::Stale) => false,
        (
            Action::Terminate | Action::Stop | Action::Other(_),
            Standing::Ahead | Standing::Unknown,
        ) => true,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::notice::Notice;
    use crate::remaining::Remaining;
    use crate::system_clock::SystemClock;

    fn seen(action: Action, standing: Standing, at: Timestamp) -> Seen {
        Seen {
            notice: Notice { action, time: None },
            at,
            remaining: Remaining {
                span: SignedDuration::from_secs(120),
                standing,
            },
        }
    }

    /// In which of twenty minutes the work went on.
    async fn worked_after(notice: Option<(Action, Standing)>) -> Vec<u32> {
        let (clock, noticed) = (SystemClock::start(), Noticed::default());
        let minutes = AtomicU32::new(0);
        let keeping = async {
            loop {
                clock.sleep(SignedDuration::from_mins(1)).await;
                minutes.fetch_add(1, Ordering::Relaxed);
            }
        };
        let mut worked = Vec::new();
        let watching = async {
            clock.sleep(SignedDuration::from_secs(90)).await;
            if let Some((action, standing)) = notice {
                noticed.see(&seen(action, standing, clock.now()));
            }
            for minute in 2..20 {
                let before = minutes.load(Ordering::Relaxed);
                clock.sleep(SignedDuration::from_mins(1)).await;
                if minutes.load(Ordering::Relaxed) > before {
                    worked.push(minute);
                }
            }
        };
        tokio::select! {
            never = noticed.rest_of(&clock, keeping) => match never {},
            () = watching => (),
        }
        worked
    }

    #[tokio::test(start_paused = true)]
    async fn from_a_notice_on_nothing_is_done_until_the_machine_has_outlived_it() {
        let all: Vec<u32> = (2..20).collect();
        assert_eq!(worked_after(None).await, all);
        let worked = worked_after(Some((Action::Terminate, Standing::Ahead))).await;
        // Two minutes of the notice, and ten that it is given: to the moment between these two.
        assert!(matches!(worked.first(), Some(13 | 14)), "{worked:?}");
        assert!(worked.len() > 3, "it goes on: {worked:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_hibernation_and_a_stale_notice_hold_nothing_up() {
        let all: Vec<u32> = (2..20).collect();
        let hibernates = worked_after(Some((Action::Hibernate, Standing::Ahead))).await;
        assert_eq!(hibernates, all);
        assert_eq!(
            worked_after(Some((Action::Stop, Standing::Stale))).await,
            all
        );
    }
}
