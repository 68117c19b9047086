//! Whether a world has come to rest.

use jiff::{SignedDuration, Timestamp};

use super::rest::is_stuck;
use crate::world::{Queue, World};

/// How long nothing may have happened: longer than the 60 s for which a program may look for
/// evidence before it decides.
pub const QUIET_FOR: SignedDuration = SignedDuration::from_secs(75);

/// Whether everything is pushed and completed, or waits for what GitHub never ends; no instance is
/// left, no message waits or is being handled, and nothing has happened for [`QUIET_FOR`].
pub fn is_quiet(world: &World, now: Timestamp) -> bool {
    now.duration_since(world.last_change()) >= QUIET_FOR
        && world.planned().iter().all(|planned| planned.run.is_some())
        && !world
            .github()
            .runs()
            .any(|run| run.is_active() && !is_stuck(world, run))
        && !world.instances().any(|instance| instance.is_alive())
        && world.is_queue_empty(Queue::Webhooks)
        && world.is_queue_empty(Queue::Ec2Events)
}
