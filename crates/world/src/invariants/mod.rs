//! What must hold of a world that has come to rest, whatever happened in it.
//!
//! Judged from the state of the simulated world alone, never from what the programs under test say
//! of themselves. Numbers are those of the project's list of invariants; the ones about a program's
//! own records (8 and 9) are not judged here.

mod fleet;
mod outcome;
mod quiet;
mod reruns;
mod summary;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::scenario::Scenario;
use crate::world::World;

pub use quiet::{QUIET_FOR, is_quiet};
pub use reruns::is_wanted;
pub use summary::{JobRow, summary};

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

/// Everything that is wrong with the final state of a world that played a scenario (and nothing
/// else).
pub fn check(world: &World, scenario: &Scenario) -> Vec<Broken> {
    let invariants = [
        (1, reruns::never_past_the_limit(world)),
        (2, reruns::only_of_what_was_interrupted(world)),
        (3, fleet::later_attempts_are_on_demand(world)),
        (4, outcome::runs_end_as_expected(world, scenario)),
        (5, reruns::never_without_reading_in_between(world)),
        (6, fleet::only_ours_and_idle_are_terminated(world)),
        (7, fleet::nothing_outlives_its_job(world)),
    ];
    broken(invariants)
}

/// What is wrong with a world whatever it plays, and whether or not it has come to rest.
pub fn check_always(world: &World) -> Vec<Broken> {
    broken([
        (1, reruns::never_past_the_limit(world)),
        (2, reruns::only_of_what_was_interrupted(world)),
        (3, fleet::later_attempts_are_on_demand(world)),
        (5, reruns::never_without_reading_in_between(world)),
        (6, fleet::only_ours_and_idle_are_terminated(world)),
    ])
}

/// What is wrong beside that with a world that has come to rest.
pub fn check_at_rest(world: &World) -> Vec<Broken> {
    broken([(7, fleet::nothing_outlives_its_job(world))])
}

fn broken(invariants: impl IntoIterator<Item = (u8, Vec<String>)>) -> Vec<Broken> {
    let broken = invariants.into_iter().flat_map(|(invariant, broken)| {
        let texts = broken.into_iter();
        texts.map(move |what| Broken { invariant, what })
    });
    broken.collect()
}
