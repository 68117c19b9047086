//! The whole loop: the real programs as processes, around a simulated world.
//!
//! A [`Stage`](stage::Stage) is a world on loopback with an agent process on every instance that is
//! up; controllers are started, ended and killed by the tests. Outcomes are read from the world's
//! state, from the queues and from what an operator sees (log lines, `/metrics`), never from inside.

pub mod afar;
pub mod agents;
pub mod alone;
pub mod chaos;
pub mod config;
pub mod controller;
pub mod counting;
pub mod elsewhere;
pub mod foreign;
pub mod gate;
pub mod job_stage;
pub mod ledger;
pub mod messages;
pub mod operator;
pub mod postman;
pub mod program;
pub mod replicas;
pub mod secrets;
pub mod stage;
pub mod story;
pub mod strikes;
pub mod tls;
pub mod units;
pub mod workload;
