//! SQS queues and the EC2 fleet: the only crate that names these two SDKs; and the few calls to EventBridge
//! and the Fault Injection Service that `reprise doctor` and `reprise interrupt` make, without one.
//!
//! It carries requests and answers, and hands out the project's own types only: no SDK type is in
//! its public interface. It decides nothing: what a throttled launch or a lost answer means for a
//! job is the engine's business, when to ask again the controller's.
//!
//! Invariants: many callers share one AWS call where the service has a batch form; each caller gets
//! the answer to its own key, found by id and never by position; "EC2 does not know it" is an
//! answer, not an error.

mod batcher;
mod caller;
mod connect;
mod drill;
mod ec2;
mod error;
mod rules;
mod signed;
mod sqs;

pub use batcher::{Batcher, Shape, Unanswered};
pub use caller::caller;
pub use connect::{NoCredentials, RegionSettings, credentials};
pub use drill::{Drills, Experiment, ExperimentState};
pub use ec2::{Ec2, Image, ImageQuery, LaunchRequest, LaunchTemplate, RootVolume, launch_fault};
pub use error::{CallError, Ec2Error, FailureKind, SqsError};
pub use rules::{EventRule, EventRules, Pattern};
pub use sqs::{Counts, Message, QueueAttributes, Receipt, SqsQueue};
