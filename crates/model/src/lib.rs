//! The words of Reprise: ids, labels, tags, payloads, evidence, records and reasons.
//!
//! Data alone: no clock, no I/O, no async, no SDK. Every other crate speaks in these types, so a
//! type belongs here when two crates must agree on it.

pub mod advice;
pub mod breaker;
pub mod budget;
pub mod check;
pub mod console;
pub mod delivery;
pub mod ec2_event;
pub mod ending;
pub mod evidence;
pub mod failure;
pub mod ids;
pub mod image;
pub mod instance;
pub mod job;
pub mod json;
pub mod labels;
pub mod launch;
pub mod ledger;
pub mod machine;
pub mod machine_refusal;
pub mod notes;
pub mod policy;
pub mod reason;
pub mod run;
pub mod runner_config;
pub mod runner_name;
pub mod runner_row;
pub mod tags;
pub mod view;
pub mod webhook;

pub use jiff::Timestamp;
