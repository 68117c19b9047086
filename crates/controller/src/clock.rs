//! The only place where the controller reads the time.

use std::future::Future;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Time, as the controller sees it.
pub trait Clock: Send + Sync + 'static {
    /// The time.
    fn now(&self) -> Timestamp;

    /// Ends after `duration` of this clock's time; at once when it is not positive.
    fn sleep(&self, duration: SignedDuration) -> impl Future<Output = ()> + Send;

    /// Ends at `time` of this clock.
    fn sleep_until(&self, time: Timestamp) -> impl Future<Output = ()> + Send {
        self.sleep(time.duration_since(self.now()))
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock that everybody else must ask"
)]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn sleep(&self, duration: SignedDuration) {
        tokio::time::sleep(Duration::try_from(duration).unwrap_or_default()).await;
    }
}
