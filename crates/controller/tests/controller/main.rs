//! The controller's loops over a small world that holds state, by virtual time. What is asserted is
//! where everything stands in the end: the ledger, EC2, the re-runs that took place, the queues.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "the helpers of a test fail it where they stand"
)]

mod advised;
mod asking;
mod breakers;
mod budgets;
mod checks;
mod choices;
mod consoles;
mod drains;
mod ends;
mod failures;
mod fakes;
mod inputs;
mod interruptions;
mod launches;
mod limits;
mod lost;
mod operators;
mod paces;
mod policies;
mod proofs;
mod pumps;
mod reaps;
mod recalls;
mod replicas;
mod runners;
mod serving;
mod shared;
mod standing;
mod still_queued;
mod sweeps;
mod turns;
mod withdrawals;
mod writes;
