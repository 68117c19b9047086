//! The decisions of Reprise: pure functions from facts to verdicts.
//!
//! No clock (`now` is an argument), no randomness (jitter is an argument), no I/O, no async. Where
//! a decision needs a fact that costs a call, it answers with what it needs and is asked again.
//! Every "do nothing" carries a typed reason.

pub mod backoff;
pub mod capacity;
pub mod job;
pub mod launch;
pub mod rules;
pub mod run;
pub mod types;
