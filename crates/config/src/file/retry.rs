//! `[retry]`, `[[policy]]`, `[failures]` and `[ask.NAME]`: what comes back, and how.

use std::path::PathBuf;

use jiff::SignedDuration;
use reprise_model::policy::{EvidenceRule, FailurePolicy, MixedReruns, OnDemandRetries};
use secrecy::SecretString;
use serde::Deserialize;

use super::PolicyRetry;

/// How jobs come back.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Retry {
    /// How long a job that failed on spot is looked at for evidence.
    ///
    /// Default: `"60s"`. Range: more than `"0s"` to `"10m"`.
    pub(crate) look_window: Option<SignedDuration>,
    /// The shortest pause between two looks; not longer than `look_window`.
    ///
    /// Default: `"5s"`. Range: more than `"0s"` to `look_window`.
    pub(crate) look_again_after: Option<SignedDuration>,
    /// What it takes to believe that EC2 took an instance: the agent's tag, or EC2's own word.
    ///
    /// Default: `"claim"`.
    pub(crate) evidence: Option<EvidenceRule>,
    /// How several jobs come back of a run in which others failed by themselves: all failed ones in one attempt, or
    /// one after the other.
    ///
    /// Default: `"failed-jobs"`.
    pub(crate) mixed: Option<MixedReruns>,
    /// Which attempts above 1 are kept off spot: all; all but those of jobs with `retry=false`; those that Reprise
    /// asked for; or those of jobs that ran in an earlier attempt.
    ///
    /// Default: `"always"`.
    pub(crate) on_demand_retries: Option<OnDemandRetries>,
    /// How often everything is reconciled without events.
    ///
    /// Default: `"60s"`. Range: more than `"0s"` to `"1h"`.
    pub(crate) sweep_every: Option<SignedDuration>,
    /// What labels may ask for beyond interruptions.
    ///
    /// Default: `[]`.
    pub(crate) allow: Vec<FailurePolicy>,
    /// How long `when-failed` waits after the end of a run, attempt by attempt, give or take a fifth; the last holds
    /// for all that follow. At most 10, each `"24h"` at most.
    ///
    /// Default: `[]`.
    pub(crate) when_failed_delays: Option<Vec<SignedDuration>>,
    /// The same for `when-transient`.
    ///
    /// Default: `["10s", "30s", "90s"]`.
    pub(crate) when_transient_delays: Option<Vec<SignedDuration>>,
    /// How many jobs are re-run in a repository in any 60 minutes; what is over waits.
    ///
    /// Default: `300`. Range: at least `1`.
    pub(crate) most_an_hour: Option<u32>,
}

/// Patterns of your own that tell, beside the built-in ones, whether a failed job may pass when it is run again.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Failures {
    /// What may pass.
    ///
    /// Default: `[]`.
    pub(crate) transient: Vec<FailurePattern>,
    /// What will not.
    ///
    /// Default: `[]`.
    pub(crate) permanent: Vec<FailurePattern>,
    /// What counts for nothing.
    ///
    /// Default: `[]`.
    pub(crate) harmless: Vec<FailurePattern>,
}

/// An entry of `[[failures.transient]]`, `[[failures.permanent]]` or `[[failures.harmless]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FailurePattern {
    /// Regular expressions over one line of the log, in ASCII; upper and lower case are the same.
    ///
    /// Required.
    pub(crate) patterns: Vec<String>,
    /// Where it counts: at the end of the failed step, in lines there that speak of an error, or, for permanent
    /// ones, anywhere in the step.
    ///
    /// Default: `"end"`.
    #[serde(default)]
    pub(crate) reach: Option<FailureReach>,
    /// What a matching line must not have.
    ///
    /// Default: `[]`.
    #[serde(default)]
    pub(crate) except: Vec<String>,
    /// What no line of the step may have.
    ///
    /// Default: `[]`.
    #[serde(default)]
    pub(crate) unless: Vec<String>,
    /// What is shown with the line.
    ///
    /// Default: `""`.
    #[serde(default)]
    pub(crate) note: String,
    /// Lines that it must find.
    ///
    /// Default: `[]`.
    #[serde(default)]
    pub(crate) examples: Vec<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FailureReach {
    Step,
    End,
    Error,
}

/// An endpoint that says which jobs come back ([ask.md](ask.md)).
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Ask {
    /// Its address, `https://`, or `http://` to this machine itself.
    ///
    /// Required without `lambda`.
    pub(crate) url: Option<String>,
    /// A Lambda function's name or ARN.
    ///
    /// Required without `url`.
    pub(crate) lambda: Option<String>,
    /// The function's region.
    ///
    /// Default: that of the ARN, else that of the queues.
    pub(crate) region: Option<String>,
    /// Whose labels may name it; `*` stands for any text. `[[policy]]` may name it all the same.
    ///
    /// Required.
    pub(crate) repositories: Option<Vec<String>>,
    /// What signs the questions, 16 or more characters; with `url`.
    ///
    /// Default: what `secret_file` holds.
    pub(crate) secret: Option<SecretString>,
    /// A file with it.
    ///
    /// Required with `url` and without `secret`.
    pub(crate) secret_file: Option<PathBuf>,
}

/// What holds for jobs whose labels say nothing of re-runs: the first entry that matches.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Policy {
    /// Of these repositories; `*` stands for any text.
    ///
    /// Default: `"*"`.
    #[serde(default = "anything")]
    pub(crate) repository: String,
    /// Of these workflows, by name.
    ///
    /// Default: `"*"`.
    #[serde(default = "anything")]
    pub(crate) workflow: String,
    /// These jobs, by name.
    ///
    /// Default: `"*"`.
    #[serde(default = "anything")]
    pub(crate) job: String,
    /// `"when-interrupted"`, `"when-interrupted:N"`, `"when-failed:N"`, `"when-transient:N"`, `"ask:NAME"`, or
    /// `false`; see [labels.md](labels.md).
    ///
    /// Required.
    pub(crate) retry: PolicyRetry,
    /// How long it waits after the end of a run, attempt by attempt, in place of those of `[retry]`; for
    /// `when-failed` and `when-transient`.
    ///
    /// Default: those of `[retry]`.
    pub(crate) delays: Option<Vec<SignedDuration>>,
}

fn anything() -> String {
    "*".to_owned()
}
