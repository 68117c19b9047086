//! What must hold of a simulated world, whatever happens in it.
//!
//! Judged from the state of the world, never from what the programs under test say of themselves;
//! only why a job was given up is asked of their ledger, and compared with what really happened.
//! [`check`] judges a world that played a scenario, [`Watch`] one that anything may happen to, a step
//! at a time. Numbers are those of the project's list of invariants; the ones about a program's own
//! records (8 and 9) are not judged here.

mod budget;
mod checks;
mod doubt;
mod ends;
mod fleet;
mod mandate;
mod outcome;
mod quiet;
mod reruns;
mod rest;
mod summary;
#[cfg(test)]
mod tests;
mod unrest;
mod watch;

use std::fmt;

use reprise_model::policy::{EvidenceRule, MixedReruns, OnDemandRetries};

use crate::scenario::Scenario;
use crate::world::World;

pub use checks::{unconcluded, with_gates};
pub use ends::{told_twice, untold};
pub use mandate::Mandate;
pub use quiet::{QUIET_FOR, is_quiet};
pub use rest::{Ledger, Verdict, check_at_rest, is_stuck};
pub use summary::{JobRow, summary};
pub use unrest::unrest;
pub use watch::Watch;

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Broken {
    /// Its number.
    pub invariant: u8,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invariant {}: {}", self.invariant, self.what)
    }
}

/// What the programs are told to do where a scenario is played.
const MANDATE: Mandate = Mandate {
    retries_only: false,
    evidence: EvidenceRule::Claim,
    mixed: MixedReruns::FailedJobs,
    on_demand_retries: OnDemandRetries::Always,
    cancels_exhausted: false,
    gates: true,
    labels_may_ask: false,
    labels_may_name_failures: true,
    policy_of_workflow: None,
    most_an_hour: None,
};

/// Everything that is wrong with the final state of a world that played a scenario (and nothing
/// else).
pub fn check(world: &World, scenario: &Scenario) -> Vec<Broken> {
    let invariants = [
        (1, reruns::never_past_the_limit(world, MANDATE, 0)),
        (2, reruns::only_as_policies_say(world, MANDATE, 0)),
        (2, ends::cancelled_unasked(world, MANDATE, 0)),
        (3, fleet::later_attempts_are_on_demand(world)),
        (4, outcome::runs_end_as_expected(world, scenario)),
        (5, reruns::never_without_reading_in_between(world)),
        (6, fleet::only_ours_and_idle_are_terminated(world, 0)),
        (7, fleet::nothing_outlives_its_job(world)),
        (11, checks::opened_early(world)),
    ];
    told(invariants).collect()
}

fn told(invariants: impl IntoIterator<Item = (u8, Vec<String>)>) -> impl Iterator<Item = Broken> {
    invariants.into_iter().flat_map(|(invariant, texts)| {
        let texts = texts.into_iter();
        texts.map(move |what| Broken { invariant, what })
    })
}
