//! A small world that holds state: EC2, GitHub and queues as far as the controller sees them, by
//! virtual time.

pub(crate) mod clock;
pub(crate) mod cloud;
pub(crate) mod github;
pub(crate) mod house;
pub(crate) mod queue;
pub(crate) mod samples;
pub(crate) mod store;

use jiff::SignedDuration;
use reprise_controller::ports::{PortError, PortErrorKind};

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
