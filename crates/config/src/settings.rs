//! What configuration decided, in the words of the domain.

use jiff::SignedDuration;
use reprise_engine::breaker::BreakerRules;
use reprise_engine::offer::FleetOffer;
use reprise_engine::redeliver::RedeliverRules;
use reprise_engine::rules::Rules;
use reprise_model::ids::{AccountId, Region, Repository, StackName};
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
    /// Where people see GitHub, without a slash at its end.
    pub web: String,
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
    /// What people are told on commits.
    pub checks: CheckSettings,
}

/// What people are told on commits.
#[derive(Debug, Clone)]
pub struct CheckSettings {
    /// Whether a check run tells of the jobs of a run that were interrupted.
    pub reports: bool,
    /// Repositories whose merge queues wait for check runs of ours.
    pub merge_queues: Vec<WildMatch>,
    /// The workflows of these for which they do, by `name:`.
    pub workflows: Vec<WildMatch>,
}

impl CheckSettings {
    /// Whether a merge queue of this repository waits for runs of this workflow.
    pub fn gates(&self, repository: &Repository, workflow: Option<&str>) -> bool {
        let name = repository.to_string().to_ascii_lowercase();
        let workflow = workflow.unwrap_or_default();
        self.merge_queues.iter().any(|one| one.matches(&name))
            && self.workflows.iter().any(|one| one.matches(workflow))
    }
}

/// As where nothing is configured.
impl Default for CheckSettings {
    fn default() -> Self {
        Self {
            reports: true,
            merge_queues: Vec::new(),
            workflows: vec![WildMatch::new("*")],
        }
    }
}

impl Settings {
    /// Whether the repository is served.
    pub fn serves(&self, repository: &Repository) -> bool {
        let name = repository.to_string().to_ascii_lowercase();
        let mut patterns = self.repositories.iter();
        patterns.any(|pattern| pattern.matches(&name))
    }
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
    /// The age from which on the runner in an image in use is warned of; `None` for never.
    pub old_image_after: Option<SignedDuration>,
    /// When a spot pool is left alone; `None` for never.
    pub breaker: Option<BreakerRules>,
    /// Whether an instance is tagged with the job that its runner took.
    pub tag_jobs: bool,
}
