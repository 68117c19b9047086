//! The ways in which runs end, by name: the real controller and agent in the simulated world.
//!
//! A plan says what is pushed and what befalls it, and a `RunOutcome` what became of it. The invariants hold at
//! each step besides. What GitHub alone decides, as a run's age, stands among the engine's tests.

mod rows {
    mod guards;
    mod interruptions;
    mod mixtures;
    mod policies;
    mod stage;
}
