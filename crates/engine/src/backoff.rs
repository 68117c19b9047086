//! How long to wait before the next look or try.

use jiff::SignedDuration;

/// A random number from 0 (inclusive) to 1 (exclusive), drawn by the caller.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Jitter(pub f64);
