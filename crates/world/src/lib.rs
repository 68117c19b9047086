//! A simulated EC2, metadata service, SQS, runner table, EventBridge, GitHub and runner whose clock is an
//! argument.

mod aws_auth;
pub mod clock;
pub mod drills;
pub mod ec2;
pub mod event_bridge;
pub mod event_rules;
pub mod fate;
pub mod github;
pub mod imds;
pub mod invariants;
pub mod machine;
pub mod runner_table;
pub mod scenario;
pub mod server;
pub mod sqs;
pub mod stand_in;
pub mod story;
mod sts;
#[cfg(test)]
mod testbed;
pub mod world;
