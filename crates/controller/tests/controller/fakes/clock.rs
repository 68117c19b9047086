//! tokio's virtual time as the controller's clock.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reprise_controller::clock::Clock;
use tokio::time::Instant;

#[derive(Debug, Clone, Copy)]
pub(crate) struct TestClock {
    origin: Instant,
}

impl TestClock {
    /// A clock that shows [`TestClock::START`] now.
    pub(crate) fn new() -> Self {
        Self {
            origin: Instant::now(),
        }
    }

    pub(crate) const START: &'static str = "2027-03-01T10:00:00Z";

    /// The time now, for the fakes and the tests.
    pub(crate) fn time(self) -> Timestamp {
        let start: Timestamp = Self::START.parse().expect("a time");
        let passed = SignedDuration::try_from(self.origin.elapsed()).expect("not for ever");
        start + passed
    }
}

#[expect(clippy::disallowed_methods, reason = "the tests' own clock")]
impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        self.time()
    }

    async fn sleep(&self, duration: SignedDuration) {
        tokio::time::sleep(Duration::try_from(duration).unwrap_or_default()).await;
    }
}
