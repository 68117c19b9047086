//! Seeds, faults and invariants over the real controller and agent in the simulated world.
//!
//! A seed draws a [`plan`]: what is pushed, what people do, which replica crashes at which of its
//! effects, and how often everything outside fails. [`run`] plays it under virtual time with the real
//! loops of the controller and the real logic of the agent over the simulated world, and checks the
//! invariants after every step. Everything happens in one thread and nothing is left to chance: the
//! same seed gives the same story.

pub mod agents;
pub mod checks;
pub mod clock;
pub mod coverage;
pub mod elsewhere;
#[cfg(feature = "mutants")]
pub mod mutants;
pub mod operator;
pub mod outcome;
pub mod plan;
pub mod ports;
pub mod post;
pub mod replica;
pub mod rows;
pub mod run;
pub mod seeds;
pub mod setting;
pub mod shrink;
pub mod tell;
pub mod trace;
pub mod universe;
