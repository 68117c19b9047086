//! Which policy a job has: its label's, else configuration's, else the default.

use reprise_model::ids::Repository;
use reprise_model::job::Job;
use reprise_model::labels;
use reprise_model::policy::RetryPolicy;
use wildmatch::WildMatch;

/// A `[[policy]]` entry: the first that matches a job counts.
#[derive(Debug, Clone)]
pub struct PolicyRule {
    /// `owner/name`, `*` stands for any text.
    pub repository: WildMatch,
    /// The workflow's `name:`.
    pub workflow: WildMatch,
    /// The job's name.
    pub job: WildMatch,
    /// What holds for it.
    pub retry: RetryPolicy,
}

impl PolicyRule {
    fn matches(&self, repository: &Repository, job: &Job) -> bool {
        self.repository.matches(&repository.to_string().to_ascii_lowercase())
            && self.workflow.matches(job.workflow_name.as_deref().unwrap_or_default())
            && self.job.matches(&job.name)
    }
}

/// The policy of a job. A label that cannot be understood decides nothing: it was refused when the
/// job was queued, and in retry-only mode it belongs to somebody else's grammar.
pub fn policy_of(rules: &[PolicyRule], repository: &Repository, job: &Job) -> RetryPolicy {
    labels::parse(&job.labels)
        .ok()
        .flatten()
        .and_then(|labels| labels.retry)
        .or_else(|| {
            rules
                .iter()
                .find(|rule| rule.matches(repository, job))
                .map(|rule| rule.retry)
        })
        .unwrap_or(RetryPolicy::WhenInterrupted)
}
