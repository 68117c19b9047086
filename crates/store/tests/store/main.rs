//! The store as its callers see it: the rules that every backend keeps, and what is SQLite's own.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "the helpers of a test fail it where they stand"
)]

#[macro_use]
mod conformance;
mod formats;
mod samples;
mod sqlite;
