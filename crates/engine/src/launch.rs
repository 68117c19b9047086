//! What a queued job gets, and what follows from EC2's answer.

use std::collections::BTreeMap;

use reprise_model::ids::{Region, Repository};
use reprise_model::job::Job;
use reprise_model::labels::{JobLabels, LabelErrors};
use reprise_model::ledger::LaunchClaim;
use reprise_model::policy::RetryPolicy;
use reprise_model::reason::{IgnoreReason, LaunchRefusal};

use crate::types::InstanceType;

/// All that is known when a job is queued.
#[derive(Debug, Clone, Copy)]
pub struct QueuedFacts<'a> {
    /// Where it runs.
    pub repository: &'a Repository,
    /// The job.
    pub job: &'a Job,
    /// Whether configuration allows the repository.
    pub repository_allowed: bool,
    /// Its labels: `Ok(None)` when none is one of ours.
    pub labels: &'a Result<Option<JobLabels>, LabelErrors>,
    /// Its policy by label, configuration or default.
    pub policy: RetryPolicy,
    /// Whether Reprise asked for this attempt.
    pub asked_by_us: bool,
    /// Its claim, if there is one.
    pub claim: Option<&'a LaunchClaim>,
    /// What may be launched; `None` in retry-only mode.
    pub fleet: Option<&'a FleetOffer>,
}

/// What configuration offers to queued jobs.
#[derive(Debug, Clone)]
pub struct FleetOffer {
    /// Where to launch.
    pub region: Region,
    /// The types that may be launched, in order of preference.
    pub types: Vec<InstanceType>,
    /// Images by the name that `image=` may say.
    pub images: BTreeMap<String, String>,
}

/// What is to be done about a queued job.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum QueuedVerdict {
    /// Nothing.
    Ignore(IgnoreReason),
    /// It asks for what it cannot have.
    Refuse(LaunchRefusal),
    /// Commit this claim; its due work is the launch.
    Launch(LaunchClaim),
}
