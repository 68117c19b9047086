//! The port through which the agent counts time.
//!
//! Three different things are called time here, and a scaled clock (the demo's) tells them apart:
//! the agent's own counting ([`Clock::now`], [`Clock::sleep`]) may run fast or be virtual; the time
//! that AWS wants to see in a signature ([`Clock::wall`]) may not; and deadlines of network
//! requests are not the clock's business at all (see [`crate::session::REQUEST_DEADLINE`]).

use std::future::Future;
use std::time::SystemTime;

use jiff::{SignedDuration, Timestamp};

/// Where the agent's time comes from.
pub trait Clock: Send + Sync {
    /// The time by which polls, waits and deadlines are counted.
    ///
    /// Invariant: it never goes back and never jumps; the notice's own `time` is told in it. It is
    /// *not* good for signatures, because it may be scaled or virtual.
    fn now(&self) -> Timestamp;

    /// The true time of day, for signatures and the expiry of credentials: AWS refuses a request
    /// that was signed more than five minutes away from it.
    fn wall(&self) -> SystemTime;

    /// Returns when [`Clock::now`] has moved on by `duration`; at once when that is not positive.
    fn sleep(&self, duration: SignedDuration) -> impl Future<Output = ()> + Send;
}

impl<C: Clock> Clock for &C {
    fn now(&self) -> Timestamp {
        (**self).now()
    }

    fn wall(&self) -> SystemTime {
        (**self).wall()
    }

    async fn sleep(&self, duration: SignedDuration) {
        (**self).sleep(duration).await;
    }
}
