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
        self.repository
            .matches(&repository.to_string().to_ascii_lowercase())
            && self
                .workflow
                .matches(job.workflow_name.as_deref().unwrap_or_default())
            && self.job.matches(&job.name)
    }
}

/// The policy of a job. Of its labels only what they say of re-runs is read: in retry-only mode the
/// rest is written in somebody else's grammar, and an opt-out beside it holds all the same.
pub fn policy_of(rules: &[PolicyRule], repository: &Repository, job: &Job) -> RetryPolicy {
    labels::retry_of(&job.labels)
        .or_else(|| {
            let mut rules = rules.iter();
            rules
                .find(|rule| rule.matches(repository, job))
                .map(|rule| rule.retry)
        })
        .unwrap_or(RetryPolicy::USUAL)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use reprise_model::ids::{JobId, RunAttempt, RunId, Sha};
    use reprise_model::job::JobStatus;

    use super::*;

    #[test]
    fn the_label_goes_before_configuration_and_configuration_before_the_default() {
        let never = [rule("acme/*", "*", "*", RetryPolicy::Never)];
        assert_eq!(
            policy(&never, "runs-on=1/retry=when-interrupted"),
            RetryPolicy::USUAL
        );
        assert_eq!(policy(&never, "runs-on=1"), RetryPolicy::Never);
        assert_eq!(policy(&[], "runs-on=1"), RetryPolicy::USUAL);
        assert_eq!(policy(&[], "ubuntu-latest"), RetryPolicy::USUAL);
    }

    #[test]
    fn the_first_entry_that_matches_counts() {
        let rules = [
            rule("acme/shop", "release*", "*", RetryPolicy::Never),
            rule("acme/shop", "ci", "test*", RetryPolicy::USUAL),
            rule("*", "*", "*", RetryPolicy::Never),
        ];
        assert_eq!(policy(&rules, "runs-on=1"), RetryPolicy::USUAL);
        assert_eq!(policy(&rules[2..], "runs-on=1"), RetryPolicy::Never);
    }

    #[test]
    fn a_label_may_say_how_often() {
        let twice = policy(&[], "runs-on=1/retry=2");
        assert_eq!(twice.last_retried_execution(), 2);
    }

    #[test]
    fn an_opt_out_counts_among_settings_of_somebody_elses_grammar() {
        let foreign = "runs-on=1/runner=2cpu-linux-x64/retry=false";
        assert_eq!(policy(&[], foreign), RetryPolicy::Never);
    }

    fn rule(repository: &str, workflow: &str, job: &str, retry: RetryPolicy) -> PolicyRule {
        PolicyRule {
            repository: WildMatch::new(repository),
            workflow: WildMatch::new(workflow),
            job: WildMatch::new(job),
            retry,
        }
    }

    fn policy(rules: &[PolicyRule], label: &str) -> RetryPolicy {
        let repository: Repository = "Acme/Shop".parse().expect("valid");
        policy_of(rules, &repository, &job(label))
    }

    fn job(label: &str) -> Job {
        Job {
            id: JobId(1),
            run_id: RunId(1),
            run_attempt: RunAttempt::FIRST,
            name: "test (1)".to_owned(),
            workflow_name: Some("ci".to_owned()),
            status: JobStatus::Completed,
            conclusion: None,
            labels: vec![label.to_owned()],
            runner_name: None,
            created_at: None,
            started_at: None,
            completed_at: Some(Timestamp::UNIX_EPOCH),
            head_sha: Sha::new("0123abc"),
            head_branch: None,
            check_run: None,
        }
    }
}
