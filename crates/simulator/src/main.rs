//! Seeds, faults and invariants over the real controller and agent in the simulated world.

fn main() {}
