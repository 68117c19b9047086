//! Each way in which a run can end, by name: the real controller and agent in the simulated world.
//!
//! A plan says what is pushed and what befalls it, and [`Ended`] what became of it. The invariants hold at
//! each step besides.

mod rows {
    mod guards;
    mod interruptions;
    mod mixtures;
    mod policies;
    mod stage;
}
