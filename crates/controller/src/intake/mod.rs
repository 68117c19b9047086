//! From a message to its outcome.
//!
//! What a message is, its queue says: a body among the webhooks counts only with its HMAC, and an
//! EC2 event only on the queue that EventBridge alone may write to. No shape of a body proves
//! anything.

mod advise;
pub(crate) mod attempts;
mod completed;
mod ec2_event;
mod gates;
mod in_progress;
mod judge;
mod judge_failure;
mod letter;
mod pasts;
mod queued;
mod run_completed;
pub mod signature;
mod webhook;

use reprise_model::reason::{IgnoreReason, SettleReason};

pub(crate) use self::advise::{Advised, MOST_ADVISED};
pub(crate) use self::gates::Gates;
pub(crate) use self::judge_failure::{Judged, MOST_JUDGED};
pub(crate) use self::letter::Letter;
pub(crate) use self::pasts::{MOST_PASTS, Pasts};
pub(crate) use self::queued::{LedBy, wanted};

/// How a message ended: counted, logged, final.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// Nothing was to be done.
    Ignored(IgnoreReason),
    /// No signature, or none that one of our secrets made.
    Forged(Forgery),
    /// The body cannot be read; it is kept in the dead-letter queue for a person.
    Unparsable {
        /// What is wrong with it.
        problem: String,
    },
    /// The job is settled.
    Settled(SettleReason),
    /// The job waits for its run to complete.
    Awaiting,
    /// It is too early for a verdict; whoever asked looks again.
    Looking,
    /// The run is due to be read.
    RunDue,
    /// An instance is on its way.
    Launched,
    /// EC2 gave no instance yet, and is asked again.
    LaunchDue,
    /// No instance will be launched.
    LaunchGivenUp,
    /// The queued job asks for what it cannot have.
    LaunchRefused(&'static str),
    /// Evidence of an interruption was stored.
    EvidenceStored,
    /// A runner took a job: its instance was told.
    Bound,
    /// A merge queue waits for the run from now on.
    GateOpened,
}

/// Why a webhook is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgery {
    /// The signature attribute is missing.
    Unsigned,
    /// The signature is not ours.
    WrongSignature,
}

impl Outcome {
    /// The label value for metrics and logs: one of a fixed set.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Ignored(reason) => reason.outcome(),
            Self::Forged(Forgery::Unsigned) => "unsigned",
            Self::Forged(Forgery::WrongSignature) => "wrong-signature",
            Self::Unparsable { .. } => "unparsable",
            Self::Settled(_) => "settled",
            Self::Awaiting => "awaiting",
            Self::Looking => "looking",
            Self::RunDue => "run-due",
            Self::Launched => "launched",
            Self::LaunchDue => "launch-due",
            Self::LaunchGivenUp => "launch-given-up",
            Self::LaunchRefused(_) => "launch-refused",
            Self::EvidenceStored => "evidence-stored",
            Self::Bound => "bound",
            Self::GateOpened => "gate-opened",
        }
    }
}
