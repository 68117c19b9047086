//! The real clock, and the only place of this crate that reads one.

use std::time::SystemTime;

use jiff::{SignedDuration, Timestamp};

use crate::clock::Clock;

/// Counts by the kernel's monotonic clock from the time of day at which it was made, so that a
/// time of day that is stepped later (by NTP, by a job with `sudo`) moves no deadline.
#[derive(Debug, Clone)]
pub struct SystemClock {
    anchor: Timestamp,
    since: tokio::time::Instant,
}

impl SystemClock {
    /// A clock that starts at the time of day.
    #[expect(
        clippy::disallowed_methods,
        reason = "this clock is where the agent's time comes from"
    )]
    pub fn start() -> Self {
        Self::starting_at(Timestamp::now())
    }

    /// A clock that starts at `anchor` and runs at the pace of tokio's clock, which a test may
    /// pause.
    pub fn starting_at(anchor: Timestamp) -> Self {
        Self {
            anchor,
            since: tokio::time::Instant::now(),
        }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.since.elapsed()).unwrap_or(SignedDuration::MAX);
        self.anchor.saturating_add(passed).unwrap_or(Timestamp::MAX)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this clock is where the agent's time comes from"
    )]
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this clock is where the agent's waits end"
    )]
    async fn sleep(&self, duration: SignedDuration) {
        tokio::time::sleep(duration.try_into().unwrap_or_default()).await;
    }
}
