//! Virtual time: tokio's paused clock, counted from the beginning of the world.

use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// The time of one simulation. It moves only when nobody has anything left to do.
#[derive(Debug, Clone, Copy)]
pub struct SimClock {
    epoch: Timestamp,
    start: Instant,
}

#[expect(
    clippy::disallowed_methods,
    reason = "tokio's clock is paused: this is the virtual time that everybody else asks"
)]
impl SimClock {
    /// A clock that shows `epoch` now. It must be made inside a paused runtime.
    pub fn begin(epoch: Timestamp) -> Self {
        Self {
            epoch,
            start: Instant::now(),
        }
    }

    /// When it began.
    pub fn epoch(&self) -> Timestamp {
        self.epoch
    }

    /// The time.
    pub fn time(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.start.elapsed()).unwrap_or_default();
        self.epoch.checked_add(elapsed).unwrap_or(Timestamp::MAX)
    }

    /// How much time has passed since the beginning.
    pub fn elapsed(&self) -> SignedDuration {
        self.time().duration_since(self.epoch)
    }

    /// Ends after `duration`; at once when it is not positive.
    pub async fn pause(&self, duration: SignedDuration) {
        tokio::time::sleep(Duration::try_from(duration).unwrap_or_default()).await;
    }

    /// Ends at `time`.
    pub async fn pause_until(&self, time: Timestamp) {
        self.pause(time.duration_since(self.time())).await;
    }
}

impl reprise_controller::clock::Clock for SimClock {
    fn now(&self) -> Timestamp {
        self.time()
    }

    async fn sleep(&self, duration: SignedDuration) {
        self.pause(duration).await;
    }
}

impl reprise_agent::Clock for SimClock {
    fn now(&self) -> Timestamp {
        self.time()
    }

    fn wall(&self) -> SystemTime {
        self.time().into()
    }

    async fn sleep(&self, duration: SignedDuration) {
        self.pause(duration).await;
    }
}
