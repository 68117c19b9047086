//! Asking GitHub to re-run, and what its answer means.
//!
//! GitHub answers 403 to most re-runs it will not do, for reasons that pass and for reasons that do
//! not, so the answer is told by its words; a status alone decides only where there are none.

use std::collections::BTreeMap;

use http::StatusCode;
use jiff::SignedDuration;
use reprise_model::ids::{Repository, RunId};
use reprise_model::ledger::{RerunAnswer, RerunTarget};
use reprise_model::reason::{Refusal, RefusalKind};

use crate::GitHub;
use crate::error::{GitHubError, GitHubErrorKind, Rejection};
use crate::transport::Answer;

/// What became of a re-run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RerunReply {
    /// What it means for the ledger.
    pub answer: RerunAnswer,
    /// How long GitHub wants to be left alone, where it says so.
    pub retry_after: Option<SignedDuration>,
    /// What GitHub or the network said, for the log.
    pub detail: String,
}

impl GitHub {
    /// Asks for a re-run with one POST. It never fails: what is not known is
    /// [`RerunAnswer::Unclear`], and the caller reads the run before anything is asked again.
    pub async fn rerun(
        &self,
        repository: &Repository,
        run: RunId,
        target: RerunTarget,
    ) -> RerunReply {
        let transport = &self.inner.transport;
        let access = match self.inner.installations.access(transport, repository).await {
            Ok(access) => access,
            Err(error) => return not_sent(&error),
        };
        let (operation, path) = order(repository, run, target);
        let nothing = BTreeMap::<&str, &str>::new();
        match transport.post(&operation, &path, &access, &nothing).await {
            Ok(answer) => answered(&answer),
            Err(error) => RerunReply::new(RerunAnswer::Unclear, error.with_source()),
        }
    }
}

fn order(repository: &Repository, run: RunId, target: RerunTarget) -> (String, String) {
    let actions = format!("/repos/{repository}/actions");
    match target {
        RerunTarget::Job(job) => (
            format!("re-run job {job} of run {run} of {repository}"),
            format!("{actions}/jobs/{job}/rerun"),
        ),
        RerunTarget::FailedJobs => (
            format!("re-run the failed jobs of run {run} of {repository}"),
            format!("{actions}/runs/{run}/rerun-failed-jobs"),
        ),
    }
}

/// Nothing left for GitHub, as no token could be had; so nothing is unclear about the run.
fn not_sent(error: &GitHubError) -> RerunReply {
    let detail = error.with_source();
    match error.kind() {
        GitHubErrorKind::Forbidden(message) => {
            RerunReply::refused(RefusalKind::MissingPermission, message)
        }
        GitHubErrorKind::RateLimited { retry_after } => RerunReply {
            retry_after,
            ..RerunReply::new(RerunAnswer::NotNow, detail)
        },
        // A rejected App key or an outage is mended without the run taking notice.
        GitHubErrorKind::NotFound
        | GitHubErrorKind::Unauthorized
        | GitHubErrorKind::Unavailable
        | GitHubErrorKind::Unexpected => RerunReply::new(RerunAnswer::NotNow, detail),
    }
}

fn answered(answer: &Answer) -> RerunReply {
    if answer.status == StatusCode::CREATED {
        return RerunReply::new(RerunAnswer::Accepted, "accepted".to_owned());
    }
    // GitHub documents no other success; the run tells whether it was one.
    if answer.status.is_success() {
        let detail = format!("GitHub answered {} instead of 201", answer.status);
        return RerunReply::new(RerunAnswer::Unclear, detail);
    }
    rejected(&answer.rejection())
}

fn rejected(rejection: &Rejection) -> RerunReply {
    let words = rejection.words().to_owned();
    let detail = format!("GitHub answered {rejection}");
    if let Some(wait) = rejection.rate_limit_wait() {
        return RerunReply {
            retry_after: Some(wait),
            ..RerunReply::new(RerunAnswer::NotNow, detail)
        };
    }
    let meaning = match rejection.status {
        // Whether a server that failed did so before or after it acted is not known.
        408 | 500.. => Meaning::Unclear,
        // The token was rejected before anything was looked at; the next read renews it.
        401 => Meaning::NotNow,
        // A repository that was renamed or given away since the ledger's record.
        300..=399 | 404 | 410 => Meaning::Final(RefusalKind::NotFound),
        // Not GitHub's own words: something between us and it answered.
        _ if rejection.message.is_none() => Meaning::Unclear,
        _ => meaning_of(&words),
    };
    match meaning {
        Meaning::Unclear => RerunReply {
            retry_after: rejection.wait,
            ..RerunReply::new(RerunAnswer::Unclear, detail)
        },
        Meaning::NotNow => RerunReply::new(RerunAnswer::NotNow, detail),
        Meaning::Final(kind) => RerunReply::refused(kind, words),
    }
}

#[derive(Clone, Copy)]
enum Meaning {
    Unclear,
    NotNow,
    Final(RefusalKind),
}

/// By the part of each message that stays the same whatever it is about.
fn meaning_of(words: &str) -> Meaning {
    const MEANINGS: [(&str, Meaning); 6] = [
        ("already running", Meaning::NotNow),
        // Somebody re-ran the run. That is no refusal of the run: it is to be read again, and shows
        // an attempt that moved on.
        ("from the current attempt", Meaning::NotNow),
        ("over a month ago", Meaning::Final(RefusalKind::TooOld)),
        (
            "cannot be retried",
            Meaning::Final(RefusalKind::NotRetryable),
        ),
        // Its exact sentence is not known: whichever it is, it has to name what somebody did.
        ("disabled", Meaning::Final(RefusalKind::WorkflowDisabled)),
        (
            "resource not accessible by",
            Meaning::Final(RefusalKind::MissingPermission),
        ),
    ];
    let words = words.to_ascii_lowercase();
    let known = MEANINGS.iter().find(|(part, _)| words.contains(part));
    known.map_or(Meaning::Final(RefusalKind::Unknown), |(_, meaning)| {
        *meaning
    })
}

impl RerunReply {
    fn new(answer: RerunAnswer, detail: String) -> Self {
        Self {
            answer,
            retry_after: None,
            detail,
        }
    }

    fn refused(kind: RefusalKind, message: String) -> Self {
        let detail = message.clone();
        Self::new(RerunAnswer::Refused(Refusal { kind, message }), detail)
    }
}
