//! The machine's clock: a job's program asks nobody else what time it is.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// What time it is.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock that everybody else must ask"
)]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// Waits.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the clock that everybody else must ask"
)]
pub(crate) async fn pause(duration: SignedDuration) {
    tokio::time::sleep(Duration::try_from(duration).unwrap_or_default()).await;
}
