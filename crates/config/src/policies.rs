//! Which policy a job has: its label's, else configuration's, else the default.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use reprise_model::advice::{Advice, EndpointName, NoAnswer, Said};
use reprise_model::ids::Repository;
use reprise_model::job::Job;
use reprise_model::labels;
use reprise_model::policy::{FailurePolicy, RetryPolicy};
use wildmatch::WildMatch;

/// What configuration says of re-runs.
#[derive(Debug, Clone, Default)]
pub struct Policies {
    /// `[[policy]]`: the first that matches a job counts.
    pub rules: Vec<PolicyRule>,
    /// The policies beyond interruption that a label may name. What an operator writes under
    /// `[[policy]]` is not bound by it.
    pub allowed: BTreeSet<FailurePolicy>,
    /// How long each of them waits before its re-runs, where its rule says nothing.
    pub delays: BTreeMap<FailurePolicy, Vec<SignedDuration>>,
    /// The endpoints that there are, each with the repositories whose labels may name it; `*` stands for any
    /// text.
    pub endpoints: BTreeMap<EndpointName, Vec<WildMatch>>,
}

/// A `[[policy]]` entry.
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
    /// How long it waits before its re-runs, attempt by attempt.
    pub delays: Option<Vec<SignedDuration>>,
}

/// The policy of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chosen<'a> {
    /// What holds for it.
    pub retry: RetryPolicy,
    /// How long that waits before its re-runs, attempt by attempt; nothing for not at all.
    pub delays: &'a [SignedDuration],
    /// What its label names and may not.
    pub refused: Option<NotAllowed>,
}

impl Chosen<'_> {
    /// What is kept of the job's label where it named an endpoint in vain. Another endpoint that holds for it
    /// is asked, and this is no answer of that.
    pub fn named_in_vain(&self, at: Timestamp) -> Option<Advice> {
        let asks = self.retry.endpoint().is_some();
        self.refused.filter(|_| !asks)?.advice(at)
    }
}

/// A label names a policy that configuration does not allow labels to name. It says nothing, then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    /// One that re-runs failures.
    #[error("labels may not say retry={word}; retry.allow would have to name it", word = .0.as_str())]
    Policy(FailurePolicy),
    /// An endpoint that there is not.
    #[error("no endpoint is called {0}; [ask.{0}] would have to be configured")]
    NoEndpoint(EndpointName),
    /// An endpoint that other repositories may name.
    #[error(
        "labels of this repository may not say retry=ask:{0}; ask.{0}.repositories would have to name it"
    )]
    OthersEndpoint(EndpointName),
}

impl NotAllowed {
    /// The word for logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Policy(_) => "policy-not-allowed",
            Self::NoEndpoint(_) => "no-such-endpoint",
            Self::OthersEndpoint(_) => "endpoint-not-allowed",
        }
    }

    /// What the ledger keeps of a job whose label named an endpoint in vain.
    fn advice(self, at: Timestamp) -> Option<Advice> {
        let endpoint = match self {
            Self::Policy(_) => return None,
            Self::NoEndpoint(endpoint) | Self::OthersEndpoint(endpoint) => endpoint,
        };
        let why = NoAnswer::NotAllowed;
        Some(Advice {
            endpoint,
            at,
            said: Said::Nothing { why },
            interrupted: false,
        })
    }
}

impl Policies {
    /// The policy of a job. Of its labels only what they say of re-runs is read: in retry-only mode the
    /// rest is written in somebody else's grammar, and an opt-out beside it holds all the same.
    pub fn of(&self, repository: &Repository, job: &Job) -> Chosen<'_> {
        let said = labels::retry_of(&job.labels);
        let refused = said.and_then(|said| self.refused(said, Some(repository)));
        match said.filter(|_| refused.is_none()) {
            Some(said) => self.chosen(said, None, None),
            None => self.by_rule(repository, job, refused),
        }
    }

    /// Whether failures may be re-run of jobs of this workflow.
    pub fn may_retry_failures(&self, repository: &Repository, workflow: Option<&str>) -> bool {
        let by_rule = |rule: &PolicyRule| {
            let retries = rule.retry.failure().is_some() || rule.retry.endpoint().is_some();
            retries && rule.is_about(repository, workflow)
        };
        let mut endpoints = self.endpoints.values();
        !self.allowed.is_empty()
            || endpoints.any(|allowed| are_about(allowed, repository))
            || self.rules.iter().any(by_rule)
    }

    /// What a label may not name of this; of any repository's, where that is not known.
    pub fn refused(
        &self,
        said: RetryPolicy,
        repository: Option<&Repository>,
    ) -> Option<NotAllowed> {
        if let Some(endpoint) = said.endpoint() {
            let Some(allowed) = self.endpoints.get(&endpoint) else {
                return Some(NotAllowed::NoEndpoint(endpoint));
            };
            let is_its = repository.is_none_or(|repository| are_about(allowed, repository));
            return (!is_its).then_some(NotAllowed::OthersEndpoint(endpoint));
        }
        let kind = said.failure()?;
        (!self.allowed.contains(&kind)).then_some(NotAllowed::Policy(kind))
    }

    fn by_rule(
        &self,
        repository: &Repository,
        job: &Job,
        refused: Option<NotAllowed>,
    ) -> Chosen<'_> {
        let mut rules = self.rules.iter();
        match rules.find(|rule| rule.matches(repository, job)) {
            Some(rule) => self.chosen(rule.retry, rule.delays.as_deref(), refused),
            None => self.chosen(RetryPolicy::USUAL, None, refused),
        }
    }

    fn chosen<'a>(
        &'a self,
        retry: RetryPolicy,
        delays: Option<&'a [SignedDuration]>,
        refused: Option<NotAllowed>,
    ) -> Chosen<'a> {
        let usual = || {
            let kind = retry.failure()?;
            self.delays.get(&kind).map(Vec::as_slice)
        };
        Chosen {
            retry,
            delays: delays.or_else(usual).unwrap_or_default(),
            refused,
        }
    }
}

fn are_about(patterns: &[WildMatch], repository: &Repository) -> bool {
    let name = repository.to_string().to_ascii_lowercase();
    patterns.iter().any(|pattern| pattern.matches(&name))
}

impl PolicyRule {
    fn matches(&self, repository: &Repository, job: &Job) -> bool {
        self.is_about(repository, job.workflow_name.as_deref()) && self.job.matches(&job.name)
    }

    fn is_about(&self, repository: &Repository, workflow: Option<&str>) -> bool {
        self.repository
            .matches(&repository.to_string().to_ascii_lowercase())
            && self.workflow.matches(workflow.unwrap_or_default())
    }
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

    #[test]
    fn a_label_names_a_policy_beyond_interruption_only_where_that_is_allowed() {
        let label = "runs-on=1/retry=when-failed:2";
        let mut policies = Policies {
            rules: vec![rule("acme/*", "ci", "*", RetryPolicy::Never)],
            ..Policies::default()
        };
        let refused = policies.of(&repository(), &job(label));
        assert_eq!(refused.retry, RetryPolicy::Never, "as if it said nothing");
        let why = refused.refused.expect("it is told");
        assert_eq!(why, NotAllowed::Policy(FailurePolicy::WhenFailed));
        assert_eq!(
            why.to_string(),
            "labels may not say retry=when-failed; retry.allow would have to name it"
        );
        policies.allowed.insert(FailurePolicy::WhenFailed);
        let allowed = policies.of(&repository(), &job(label));
        assert_eq!(allowed.retry.to_string(), "when-failed:2");
        assert_eq!(allowed.refused, None);
    }

    #[test]
    fn a_label_names_an_endpoint_only_where_that_is_its_repositorys() {
        let label = "runs-on=1/retry=ask:judge";
        let mut policies = Policies {
            rules: vec![rule("acme/*", "ci", "*", RetryPolicy::Never)],
            ..Policies::default()
        };
        let judge: EndpointName = "judge".parse().expect("a name");
        let missing = policies.of(&repository(), &job(label));
        assert_eq!(missing.refused, Some(NotAllowed::NoEndpoint(judge)));
        for (pattern, refused) in [
            ("acme/*", None),
            ("other/*", Some(NotAllowed::OthersEndpoint(judge))),
        ] {
            let patterns = vec![WildMatch::new(pattern)];
            policies.endpoints = BTreeMap::from([(judge, patterns)]);
            let chosen = policies.of(&repository(), &job(label));
            assert_eq!(chosen.refused, refused, "{pattern}");
            let held = if refused.is_none() {
                RetryPolicy::Ask(judge)
            } else {
                RetryPolicy::Never
            };
            assert_eq!(chosen.retry, held, "else as if it said nothing");
            let may = policies.may_retry_failures(&repository(), Some("ci"));
            assert_eq!(may, refused.is_none());
        }
        let told = |policies: &Policies| {
            let chosen = policies.of(&repository(), &job(label));
            chosen.named_in_vain(Timestamp::UNIX_EPOCH)
        };
        assert_eq!(told(&policies).expect("it is told").endpoint, judge);
        policies.rules = vec![rule("acme/*", "ci", "*", RetryPolicy::Ask(judge))];
        assert_eq!(told(&policies), None, "the rule's endpoint is asked");
    }

    #[test]
    fn configuration_gives_any_job_a_policy_and_its_delays() {
        let failed: RetryPolicy = "when-failed".parse().expect("a policy");
        let [usual, own] = [5, 60].map(|seconds| vec![SignedDuration::from_secs(seconds)]);
        let mut policies = Policies {
            rules: vec![rule("acme/shop", "ci", "test*", failed)],
            delays: BTreeMap::from([(FailurePolicy::WhenFailed, usual.clone())]),
            ..Policies::default()
        };
        let hosted = policies.of(&repository(), &job("ubuntu-latest"));
        assert_eq!((hosted.retry, hosted.delays), (failed, usual.as_slice()));
        policies.rules[0].delays = Some(own.clone());
        let hosted = policies.of(&repository(), &job("ubuntu-latest"));
        assert_eq!(hosted.delays, own);
        assert!(policies.may_retry_failures(&repository(), Some("ci")));
        assert!(!policies.may_retry_failures(&repository(), Some("nightly")));
        policies.rules.clear();
        assert!(!policies.may_retry_failures(&repository(), Some("ci")));
        assert_eq!(policies.of(&repository(), &job("ubuntu-latest")).delays, []);
    }

    fn rule(repository: &str, workflow: &str, job: &str, retry: RetryPolicy) -> PolicyRule {
        PolicyRule {
            repository: WildMatch::new(repository),
            workflow: WildMatch::new(workflow),
            job: WildMatch::new(job),
            retry,
            delays: None,
        }
    }

    fn policy(rules: &[PolicyRule], label: &str) -> RetryPolicy {
        let policies = Policies {
            rules: rules.to_vec(),
            ..Policies::default()
        };
        policies.of(&repository(), &job(label)).retry
    }

    fn repository() -> Repository {
        "Acme/Shop".parse().expect("valid")
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
            runner_id: None,
            check_run: None,
        }
    }
}
