//! A simulated SQS with standard queues: at-least-once, unordered where a queue is told to be so.
//!
//! Two doors lead to the same queues: direct calls, and [`Sqs::handle`], which speaks the JSON
//! protocol of the real SDKs. A long poll never waits here; it says until when its server shall
//! ask again. FIFO queues and access policies are not modelled.

mod batch;
mod error;
mod message;
mod poll;
mod queue;
mod requests;
mod state;
#[cfg(test)]
mod tests;
mod wire;

pub use error::SqsError;
pub use message::{AttributeValue, MessageAttribute, NewMessage, Received};
pub use queue::{Counts, DeadLetter, QueueSettings};
pub use state::Sqs;
pub use wire::SqsReply;
