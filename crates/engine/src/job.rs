//! What a completed job means.

use jiff::Timestamp;
use reprise_model::evidence::Evidence;
use reprise_model::instance::{Instance, InstanceSight};
use reprise_model::job::{Execution, Job};
use reprise_model::ledger::InstanceEntry;
use reprise_model::policy::RetryPolicy;
use reprise_model::reason::{IgnoreReason, SettleReason};

use crate::rules::Rules;

/// Where a job ran, as far as its runner's name and EC2 tell.
#[derive(Debug, Clone, Copy)]
pub enum Host<'a> {
    /// It never had a runner.
    None,
    /// The runner's name holds no instance id.
    NotNamed,
    /// The name holds an instance id whose region is none of ours.
    ElsewhereRegion,
    /// The instance was looked for.
    Looked {
        /// What EC2 says.
        sight: &'a InstanceSight,
        /// What the store remembers of it.
        remembered: Option<&'a InstanceEntry>,
    },
}

/// The executions of the same job key in earlier attempts.
#[derive(Debug, Clone, Copy)]
pub enum Earlier<'a> {
    /// Not read yet.
    Unread,
    /// All of them, oldest first, carried-over records included once.
    Read(&'a [Execution]),
}

/// Whose machines the controller deals with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FleetRule<'a> {
    /// Retry-only: somebody else's machines; nothing launched, nothing terminated.
    Foreign,
    /// Ours: only instances that bear this stack's tag.
    Ours {
        /// The stack's name.
        stack: &'a str,
    },
}

/// All that is known when a job has completed.
#[derive(Debug, Clone, Copy)]
pub struct JobFacts<'a> {
    /// The job.
    pub job: &'a Job,
    /// Whether configuration allows its repository.
    pub repository_allowed: bool,
    /// Where it ran.
    pub host: Host<'a>,
    /// Earlier executions of the same key.
    pub earlier: Earlier<'a>,
    /// Its policy by label, configuration or default.
    pub policy: RetryPolicy,
    /// Whose machines.
    pub fleet: FleetRule<'a>,
}

/// What is to be done about a completed job.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum JobVerdict {
    /// Nothing, and nothing is remembered.
    Ignore(IgnoreReason),
    /// It is settled. `end` is the instance to terminate, when it is ours and still there.
    Settle {
        /// Why.
        reason: SettleReason,
        /// The instance to terminate.
        end: Option<Instance>,
        /// Where it ran, when that is known: `NotInterrupted` is remembered there.
        ran_on: Option<Instance>,
    },
    /// No evidence yet: look again then, until the window ends.
    LookAgain {
        /// When to look next.
        at: Timestamp,
        /// When the window ends.
        until: Timestamp,
    },
    /// The earlier executions must be read first ([`Earlier::Read`]).
    ReadEarlier,
    /// It was interrupted and is to be re-run once its run has completed.
    Await {
        /// Where it ran.
        instance: Instance,
        /// What shows the interruption.
        evidence: Vec<Evidence>,
        /// The instance to terminate: none, EC2 does it (an end by our hand would destroy the
        /// evidence).
        policy: RetryPolicy,
    },
}
