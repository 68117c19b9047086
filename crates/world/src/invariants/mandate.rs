//! What the programs under test are told to do, as far as the invariants depend on it.

use reprise_model::policy::{OnDemandRetries, RetryPolicy};

use super::reruns;
use crate::github::{Attempt, Job};
use crate::world::World;

/// What the programs under test are told to do, as far as the invariants depend on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mandate {
    /// The machines are somebody else's: nothing is launched, and nothing is ended.
    pub retries_only: bool,
    /// Which later attempts are kept off spot.
    pub on_demand_retries: OnDemandRetries,
    /// The run of a job that gets no machine is cancelled.
    pub cancels_exhausted: bool,
    /// Runs of merge queues have gates.
    pub gates: bool,
}

impl Mandate {
    /// Whether a job of this attempt must be kept off spot.
    pub(super) fn keeps_off_spot(self, world: &World, attempt: &Attempt, job: &Job) -> bool {
        let is_later = !attempt.number.is_first();
        is_later
            && match self.on_demand_retries {
                OnDemandRetries::Always => true,
                OnDemandRetries::UnlessOptedOut => reruns::policy(job) != Some(RetryPolicy::Never),
                OnDemandRetries::AutomaticOnly => {
                    attempt.triggering_actor == world.github().settings().bot()
                }
            }
    }
}
