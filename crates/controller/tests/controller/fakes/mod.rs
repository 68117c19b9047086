//! A small world that holds state: EC2, GitHub and queues as far as the controller sees them, by
//! virtual time.

pub(crate) mod advisers;
pub(crate) mod clock;
pub(crate) mod cloud;
pub(crate) mod github;
pub(crate) mod house;
pub(crate) mod queue;
pub(crate) mod runners;
pub(crate) mod samples;
pub(crate) mod store;

use std::time::Duration;

use jiff::SignedDuration;
use reprise_controller::ports::{PortError, PortErrorKind};

/// Longer than anybody waits.
pub(crate) const FOR_EVER: Duration = Duration::from_secs(365 * 86_400);

/// A call takes a while, so that things can happen during it.
#[expect(clippy::disallowed_methods, reason = "virtual time")]
pub(crate) async fn takes(time: Duration) {
    tokio::task::yield_now().await;
    tokio::time::sleep(time).await;
}

/// A failure that passes.
pub(crate) fn passing(operation: &'static str) -> PortError {
    failure(operation, PortErrorKind::Passing, None)
}

pub(crate) fn failure(
    operation: &'static str,
    kind: PortErrorKind,
    retry_after: Option<SignedDuration>,
) -> PortError {
    PortError {
        operation,
        kind,
        retry_after,
        source: "so the test wants it".into(),
    }
}
