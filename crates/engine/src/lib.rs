//! The decisions of Reprise: pure functions from facts to verdicts.
//!
//! No clock (`now` is an argument), no randomness (jitter is an argument), no I/O, no async. Where
//! a decision needs a fact that costs a call, it answers with what it needs and is asked again.
//! Every "do nothing" carries a typed reason.
//!
//! The whole dependency list is `jiff` (for times as values, without its clock), `regex` (for the
//! patterns of [`failure`]) and `reprise-model`. A check holds it to that, so nothing that reads a clock, draws a number or
//! opens a socket can come in by way of a dependency.

#[cfg(all(feature = "mutants", not(debug_assertions)))]
compile_error!(
    "the feature `mutants` breaks decisions on purpose; it is for the simulator's dev profile alone"
);

mod mutant;

pub mod backoff;
pub mod bind;
pub mod breaker;
pub mod budget;
pub mod capacity;
pub mod check;
pub mod console;
pub mod crowd;
pub mod doctor;
pub mod drill;
pub mod due;
pub mod failure;
pub mod fleet;
pub mod image_age;
pub mod job;
pub mod launch;
pub mod look;
#[cfg(feature = "mutants")]
pub mod mutants;
pub mod no_machine;
pub mod offer;
pub mod pace;
mod public;
pub mod queue_age;
pub mod queue_depth;
pub mod reap;
pub mod redeliver;
pub mod room;
pub mod rules;
pub mod run;
#[cfg(test)]
mod samples;
pub mod select;
pub mod share;
pub mod still_queued;
pub mod strays;
pub mod tenant;
pub mod types;
pub mod unannounced;
pub mod view;
