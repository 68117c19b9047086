//! The controller: consumes events, decides by `reprise-engine`, re-runs and launches.
//!
//! This crate is the shell around the decisions: it gathers facts, asks the engine, commits what
//! it answers, and only then performs it. It makes no choice of its own. Everything outside the
//! process is behind a port ([`ports`]), so that a simulator can stand in for the world.

#[cfg(all(feature = "mutants", not(debug_assertions)))]
compile_error!(
    "the feature `mutants` breaks behaviours on purpose; it is for the simulator's dev profile alone"
);

pub mod adapters;
pub mod api;
mod bells;
mod board;
mod breakers;
#[cfg(feature = "mutants")]
mod broken;
mod catalogue;
mod claims;
pub mod clock;
mod consoles;
pub mod context;
mod crowd;
pub mod daemon;
mod denied;
pub mod health;
pub mod health_check;
pub mod http;
mod images;
pub mod intake;
pub mod logging;
pub mod loops;
pub mod metrics;
mod once;
pub mod operator;
pub mod pace;
mod packed;
mod panics;
pub mod ports;
pub mod pump;
mod queues;
pub mod ready;
mod recall;
mod records;
pub mod shutdown;
pub mod sweep;
mod systemd;
mod together;
pub mod work;
