//! The agent against a metadata service and an EC2 on loopback: the library, then the program.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails loudly; clippy.toml's allowance does not reach a test crate's helpers"
)]

mod library;
mod program;
mod surroundings;
