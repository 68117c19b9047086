//! What must hold of input that strangers and operators write, whatever it is.
//!
//! Each target is a function from bytes that panics where a promise is broken: more than "it does not
//! crash". `fuzz_targets/` hands the functions to libFuzzer; `corpus/` holds inputs that reach far.

pub mod config;
pub mod ec2_events;
pub mod failures;
pub mod labels;
pub mod webhooks;
pub mod workflows;

use std::error::Error;

/// No error of a message has more characters: it is logged, and kept with a dead letter.
const LONGEST_ERROR: usize = 1_000;

/// An error with all its sources, as it is logged; it must have an end.
fn told(error: &dyn Error) -> String {
    let mut told = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        told = format!("{told}: {source}");
        next = source.source();
    }
    assert!(!told.is_empty(), "an error says what failed");
    let characters = told.chars().count();
    assert!(
        characters <= LONGEST_ERROR,
        "an error of {characters} characters: {told:.300}"
    );
    told
}
