//! What the end-to-end tests share: servers to start, and suites that several servers must pass.
//!
//! Each suite speaks through the project's own adapters and knows nothing of the server behind
//! them, so that the simulated world is held to what servers nobody here wrote do. It holds no test
//! itself: those stand in `suites/`, one program a server.

pub mod agent_host;
pub mod composite;
pub mod cost;
pub mod ec2_suite;
pub mod fauxqs;
pub mod harness;
pub mod isolated;
pub mod microburst;
pub mod ministack;
pub mod moto;
pub mod openapi;
pub mod peers;
pub mod process;
pub mod raw_aws;
pub mod runner_suite;
pub mod sqs_suite;
pub mod systemd;
pub mod wait;
pub mod world;
