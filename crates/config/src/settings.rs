//! What configuration decided, in the words of the domain.

use jiff::SignedDuration;
use reprise_engine::breaker::BreakerRules;
use reprise_engine::offer::FleetOffer;
use reprise_engine::redeliver::RedeliverRules;
use reprise_engine::rules::Rules;
use reprise_model::ids::{AccountId, Region, StackName};
use reprise_model::runner_name::RunnerNamePattern;
use wildmatch::WildMatch;

use crate::failures::Failures;
use crate::policies::Policies;

/// What decisions go by.
#[derive(Debug)]
pub struct Settings {
    /// The numbers that decisions go by.
    pub rules: Rules,
    /// Repositories that are served; `*` stands for any text.
    pub repositories: Vec<WildMatch>,
    /// `[[policy]]`, and what labels may name.
    pub policies: Policies,
    /// What tells that a failure may pass.
    pub failures: Failures,
    /// How a runner's name tells its instance.
    pub runner_name: RunnerNamePattern,
    /// Where instances are looked for, in order.
    pub places: Vec<Place>,
    /// What is launched; `None` in retry-only mode.
    pub fleet: Option<FleetSettings>,
    /// How failed webhook deliveries are asked for again; `None` when they are not.
    pub redeliver: Option<RedeliverRules>,
}

/// A region of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The region.
    pub region: Region,
    /// The account.
    pub account: AccountId,
}

/// What is launched, and how.
#[derive(Debug)]
pub struct FleetSettings {
    /// The stack's name.
    pub stack: StackName,
    /// What jobs may choose from.
    pub offer: FleetOffer,
    /// The launch template's name or id; the same in every region.
    pub launch_template: String,
    /// Its version.
    pub launch_template_version: String,
    /// The pause between two searches for queued jobs that no event announced; `None` for none.
    pub find_queued_every: Option<SignedDuration>,
    /// The age from which on an image in use is warned of; `None` for never.
    pub old_image_after: Option<SignedDuration>,
    /// When a spot pool is left alone; `None` for never.
    pub breaker: Option<BreakerRules>,
    /// Whether an instance is tagged with the job that its runner took.
    pub tag_jobs: bool,
}
