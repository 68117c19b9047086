//! Whether EC2 takes this instance, for the part of the agent that would start a runner on it or power it off.
//!
//! Invariant: once it was said, it stays said. A machine that shuts itself down takes away the evidence
//! that EC2 took it, and with it the first hour that EC2 does not charge.

use std::sync::Arc;

use tokio::sync::watch::Sender;

use crate::notice::Action;
use crate::remaining::Standing;
use crate::watch::Seen;

/// Shared between the watch and the rest of the agent.
#[derive(Debug, Clone, Default)]
pub struct Noticed(Arc<Sender<bool>>);

impl Noticed {
    /// Completes when EC2 has given notice of an end.
    pub async fn wait(&self) {
        // The sender is this very value, so the wait cannot end otherwise.
        self.0.subscribe().wait_for(|noticed| *noticed).await.ok();
    }

    /// Once is enough: what it says of a notice stands.
    pub(crate) fn see(&self, seen: &Seen) {
        if ends_soon(&seen.notice.action, seen.remaining.standing) {
            self.0.send_replace(true);
        }
    }
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
