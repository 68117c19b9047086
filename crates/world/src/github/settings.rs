//! How a simulated GitHub is set up, and the faults that a test switches on.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::{InstallationId, JobId, Repository, RunId};

/// What the App may do unless something else is said.
const PERMISSIONS: [(&str, &str); 5] = [
    ("actions", "write"),
    ("administration", "write"),
    ("checks", "write"),
    ("metadata", "read"),
    ("organization_self_hosted_runners", "write"),
];

/// What is fixed when the simulated GitHub is made.
#[derive(Clone)]
pub struct Settings {
    /// The App's number.
    pub app_id: u64,
    /// The App's name in addresses; its bot is called `<slug>[bot]`.
    pub app_slug: String,
    /// The public half of the App's key, PEM; requests are checked against it.
    pub app_public_key_pem: String,
    /// The secret of webhook signatures.
    pub webhook_secret: String,
    /// The App's only installation.
    pub installation: InstallationId,
    /// Repositories that the installation sees before their first push.
    pub repositories: Vec<Repository>,
    /// Accounts of persons among their owners; all others are organisations.
    pub people: Vec<String>,
    /// Runner groups of every organisation, beside the one called `Default`.
    pub runner_groups: Vec<String>,
    /// The id of the first run.
    pub first_run: RunId,
    /// The id of the first job.
    pub first_job: JobId,
    /// Seeds delivery ids, request ids and tokens.
    pub seed: u64,
    /// The address of the REST API, without a slash at its end; it stands in every `url` field.
    pub api_url: String,
    /// The address of the pages for people.
    pub html_url: String,
    /// When installation tokens expire; `None` is GitHub's hour after they were made.
    ///
    /// A client compares it with **its own** clock. Where that clock is not the `now` given here
    /// (scaled time against wall time), name a moment that both reach late.
    pub tokens_expire_at: Option<Timestamp>,
    /// How long a job that was told to stop may take. GitHub's runner interrupts after 7.5 s,
    /// terminates 2.5 s later, and so ends within 10 s.
    pub stopping_takes: SignedDuration,
    /// Whether `rerun-failed-jobs` takes cancelled jobs along: public reports say both.
    pub rerun_failed_takes_cancelled: bool,
    /// Requests an hour and installation before the primary rate limit.
    pub requests_an_hour: u64,
    /// What the App may do, by permission.
    pub permissions: BTreeMap<String, String>,
    /// Where its webhooks go.
    pub webhook_url: String,
}

impl Settings {
    /// The usual values around the two secrets.
    pub fn new(app_public_key_pem: impl Into<String>, webhook_secret: impl Into<String>) -> Self {
        Self {
            app_id: 1_234,
            app_slug: "reprise".to_owned(),
            app_public_key_pem: app_public_key_pem.into(),
            webhook_secret: webhook_secret.into(),
            installation: InstallationId(42),
            repositories: Vec::new(),
            people: Vec::new(),
            runner_groups: Vec::new(),
            first_run: RunId(9_000_000_001),
            first_job: JobId(25_000_000_001),
            seed: 0,
            api_url: "https://api.github.com".to_owned(),
            html_url: "https://github.com".to_owned(),
            tokens_expire_at: None,
            stopping_takes: SignedDuration::from_secs(10),
            rerun_failed_takes_cancelled: true,
            requests_an_hour: 5_000,
            permissions: PERMISSIONS
                .map(|(name, level)| (name.to_owned(), level.to_owned()))
                .into(),
            webhook_url: "https://webhooks.example.com/webhooks".to_owned(),
        }
    }

    /// Whether an account is a person's.
    pub(super) fn is_person(&self, login: &str) -> bool {
        self.people
            .iter()
            .any(|one| one.eq_ignore_ascii_case(login))
    }

    /// The login under which the App acts.
    pub fn bot(&self) -> String {
        format!("{}[bot]", self.app_slug)
    }
}

/// What goes wrong; all of it off at first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    /// So many of the next mutations (re-runs, cancels, new runners) answer 500 and do nothing.
    pub fail_before_acting: u32,
    /// So many of the next mutations answer 500 although they were carried out.
    pub fail_after_acting: u32,
    /// Until then every request is answered by the secondary rate limit with `Retry-After`.
    pub secondary_limit_until: Option<Timestamp>,
    /// The App lacks Actions: write.
    pub no_actions_write: bool,
    /// The App lacks Self-hosted runners: write.
    pub no_runners_write: bool,
    /// The App lacks Checks: it can neither read nor write any.
    pub no_checks_read: bool,
    /// The logs of every run are past their retention: nothing can be re-run.
    pub logs_are_gone: bool,
    /// Every workflow is disabled: nothing can be re-run.
    pub workflows_are_disabled: bool,
    /// So many of the next re-runs over the API are accepted and make an attempt in which nothing
    /// executes.
    pub reruns_execute_nothing: u32,
    /// A job whose host is gone stays in progress for ever (actions/runner#4309).
    pub lost_jobs_never_end: bool,
    /// Until then the webhook's address takes nothing.
    pub webhooks_down_until: Option<Timestamp>,
    /// For so long after the last change of a re-run's attempt, its job list lacks a record.
    pub job_lists_lag: SignedDuration,
}

/// Why the simulated GitHub cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The App's key is of no use.
    #[error("the app's public key is not an RSA key in PEM; give the public half of the app's key")]
    PublicKey(#[source] jsonwebtoken::errors::Error),
    /// The webhook secret is of no use.
    #[error("the webhook secret cannot key an HMAC; give a text that is not empty")]
    WebhookSecret,
}
