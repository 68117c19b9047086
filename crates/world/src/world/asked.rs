//! The operator's endpoint that has a say in re-runs: what it says of a job is the job's, so that asking again
//! brings the same answer, and what whoever asked heard of it is remembered.

use reprise_model::advice::{Answer, EndpointName, Said};
use reprise_model::ids::JobId;
use reprise_model::instance::Capacity;

use super::World;

/// Its name; there is no other one.
pub const ENDPOINT: &str = "judge";

/// A policy that asks it.
pub fn asks_the_endpoint() -> Option<EndpointName> {
    ENDPOINT.parse().ok()
}

impl World {
    /// What the endpoint thinks of a job.
    pub fn opinion(job: JobId) -> Answer {
        let (retry, capacity) = match job.0.wrapping_mul(7) % 10 {
            0..4 => (true, None),
            4 | 5 => (true, Some(Capacity::Spot)),
            6 => (true, Some(Capacity::OnDemand)),
            _ => (false, None),
        };
        Answer {
            retry,
            capacity,
            reason: None,
        }
    }

    /// Whoever asked about a job has heard this, or would have, had it lived.
    pub fn was_heard(&mut self, job: JobId, said: Said) {
        self.asked.entry(job).or_default().push(said);
    }

    /// What was heard of a job.
    pub fn said_of(&self, job: JobId) -> &[Said] {
        self.asked.get(&job).map(Vec::as_slice).unwrap_or_default()
    }
}
