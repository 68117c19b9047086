//! Check runs of ours on a commit, and the cancel of a run: how people are told what becomes of their jobs.
//!
//! Each call sends one request at most. It never fails: what is not known is
//! [`ChangeAnswer::Unclear`], and the caller reads before it asks again.

use http::StatusCode;
use jiff::SignedDuration;
use reprise_model::check::{CheckRunOrder, CheckRunSeen, CheckState, CheckText};
use reprise_model::ending::ChangeAnswer;
use reprise_model::ids::{CheckRunId, Repository, RunId, Sha};
use reprise_model::reason::{Refusal, RefusalKind};
use serde::{Deserialize, Serialize};

use crate::GitHub;
use crate::error::{GitHubError, GitHubErrorKind, Rejection};
use crate::read::with_query;
use crate::transport::Answer;
use crate::wire::Page;

/// What became of a request that changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeReply {
    /// What it means.
    pub answer: ChangeAnswer,
    /// The check run that was written, where its answer tells.
    pub check_run: Option<CheckRunId>,
    /// How long GitHub wants to be left alone, where it says so.
    pub retry_after: Option<SignedDuration>,
    /// What GitHub or the network said, for the log.
    pub detail: String,
}

impl GitHub {
    /// The App's own check runs of a name on a commit.
    pub async fn check_runs(
        &self,
        repository: &Repository,
        head: &Sha,
        name: &str,
    ) -> Result<Vec<CheckRunSeen>, GitHubError> {
        let operation = format!("list the check runs of {head} of {repository}");
        let path = format!("/repos/{repository}/commits/{head}/check-runs");
        let mut seen = Vec::new();
        for Page { per_page, page } in Page::all() {
            let query = ChecksQuery {
                check_name: name,
                // Of equal names GitHub would show the newest alone.
                filter: "all",
                app_id: self.inner.transport.app_id(),
                per_page,
                page,
            };
            let path = with_query(&operation, &path, &query)?;
            let listed: ChecksPage = self.read(&operation, repository, &path).await?;
            let is_last = listed.check_runs.len() < per_page;
            seen.extend(listed.check_runs.into_iter().map(WireCheck::into_seen));
            if is_last {
                break;
            }
        }
        Ok(seen)
    }

    /// Makes a check run, or makes one that is there say this.
    pub async fn write_check_run(
        &self,
        repository: &Repository,
        known: Option<CheckRunId>,
        order: &CheckRunOrder,
    ) -> ChangeReply {
        let access = self
            .inner
            .installations
            .access(&self.inner.transport, repository);
        let access = match access.await {
            Ok(access) => access,
            Err(error) => return not_sent(&error),
        };
        let (head, transport) = (&order.head, &self.inner.transport);
        let operation = format!("write a check run on {head} of {repository}");
        let checks = format!("/repos/{repository}/check-runs");
        let body = WireCheckOrder::new(order, known.is_none());
        let sent = match known {
            None => {
                let post = transport.post(&operation, &checks, &access, &body);
                (post.await, StatusCode::CREATED)
            }
            Some(id) => {
                let path = format!("{checks}/{id}");
                let patch = transport.patch(&operation, &path, &access, &body);
                (patch.await, StatusCode::OK)
            }
        };
        let check_run = sent.0.as_ref().ok().and_then(|answer| {
            let made: WireMade = answer.parse(&operation).ok()?;
            Some(made.id)
        });
        ChangeReply {
            check_run,
            ..answered(sent.0, sent.1)
        }
    }

    /// Cancels a run with one POST. One that has completed already is refused, as [`RefusalKind::NotFound`].
    pub async fn cancel_run(&self, repository: &Repository, run: RunId) -> ChangeReply {
        let transport = &self.inner.transport;
        let access = match self.inner.installations.access(transport, repository).await {
            Ok(access) => access,
            Err(error) => return not_sent(&error),
        };
        let operation = format!("cancel run {run} of {repository}");
        let path = format!("/repos/{repository}/actions/runs/{run}/cancel");
        let nothing = std::collections::BTreeMap::<&str, &str>::new();
        let post = transport.post(&operation, &path, &access, &nothing);
        answered(post.await, StatusCode::ACCEPTED)
    }
}

fn answered(sent: Result<Answer, GitHubError>, success: StatusCode) -> ChangeReply {
    let answer = match sent {
        Ok(answer) => answer,
        Err(error) => return ChangeReply::new(ChangeAnswer::Unclear, error.with_source()),
    };
    if answer.status == success {
        return ChangeReply::new(ChangeAnswer::Accepted, "accepted".to_owned());
    }
    // GitHub documents no other success; a read tells whether it was one.
    if answer.status.is_success() {
        let detail = format!("GitHub answered {} instead of {success}", answer.status);
        return ChangeReply::new(ChangeAnswer::Unclear, detail);
    }
    rejected(&answer.rejection())
}

fn rejected(rejection: &Rejection) -> ChangeReply {
    let detail = format!("GitHub answered {rejection}");
    if let Some(wait) = rejection.rate_limit_wait() {
        return ChangeReply {
            retry_after: Some(wait),
            ..ChangeReply::new(ChangeAnswer::NotNow, detail)
        };
    }
    let refused = |kind| {
        let message = rejection.words().to_owned();
        ChangeReply::new(
            ChangeAnswer::Refused(Refusal { kind, message }),
            detail.clone(),
        )
    };
    match rejection.status {
        401 => ChangeReply::new(ChangeAnswer::NotNow, detail),
        403 | 451 => refused(RefusalKind::MissingPermission),
        300..=399 | 404 | 409 | 410 => refused(RefusalKind::NotFound),
        // Whether a server that failed did so before or after it acted is not known.
        408 | 500.. => ChangeReply {
            retry_after: rejection.wait,
            ..ChangeReply::new(ChangeAnswer::Unclear, detail)
        },
        _ => refused(RefusalKind::Unknown),
    }
}

/// Nothing left for GitHub, as no token could be had.
fn not_sent(error: &GitHubError) -> ChangeReply {
    let detail = error.with_source();
    match error.kind() {
        GitHubErrorKind::Forbidden(message) => {
            let kind = RefusalKind::MissingPermission;
            ChangeReply::new(ChangeAnswer::Refused(Refusal { kind, message }), detail)
        }
        GitHubErrorKind::RateLimited { retry_after } => ChangeReply {
            retry_after,
            ..ChangeReply::new(ChangeAnswer::NotNow, detail)
        },
        GitHubErrorKind::NotFound
        | GitHubErrorKind::Unauthorized
        | GitHubErrorKind::Unavailable
        | GitHubErrorKind::Unexpected => ChangeReply::new(ChangeAnswer::NotNow, detail),
    }
}

impl ChangeReply {
    fn new(answer: ChangeAnswer, detail: String) -> Self {
        Self {
            answer,
            check_run: None,
            retry_after: None,
            detail,
        }
    }
}

#[derive(Debug, Serialize)]
struct ChecksQuery<'a> {
    check_name: &'a str,
    filter: &'a str,
    app_id: u64,
    per_page: usize,
    page: usize,
}

#[derive(Debug, Deserialize)]
struct ChecksPage {
    check_runs: Vec<WireCheck>,
}

#[derive(Debug, Deserialize)]
struct WireCheck {
    id: CheckRunId,
    #[serde(default)]
    external_id: Option<String>,
    #[serde(default)]
    status: String,
    #[serde(default)]
    conclusion: Option<String>,
    #[serde(default)]
    output: Option<WireOutput>,
}

/// All that is read of the answer to a write.
#[derive(Debug, Deserialize)]
struct WireMade {
    id: CheckRunId,
}

#[derive(Debug, Default, Deserialize)]
struct WireOutput {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    summary: Option<String>,
}

impl WireCheck {
    fn into_seen(self) -> CheckRunSeen {
        let text = self.text();
        CheckRunSeen {
            id: self.id,
            external_id: self.external_id,
            text,
        }
    }

    fn text(&self) -> Option<CheckText> {
        let output = self.output.as_ref()?;
        Some(CheckText {
            state: CheckState::read(&self.status, self.conclusion.as_deref())?,
            title: output.title.clone()?,
            summary: output.summary.clone()?,
        })
    }
}

/// A commit cannot be named for a check run that has one.
#[derive(Debug, Serialize)]
struct WireCheckOrder<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    head_sha: Option<&'a Sha>,
    external_id: &'a str,
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    conclusion: Option<&'a str>,
    output: WireOutputOrder<'a>,
}

#[derive(Debug, Serialize)]
struct WireOutputOrder<'a> {
    title: &'a str,
    summary: &'a str,
}

impl<'a> WireCheckOrder<'a> {
    fn new(order: &'a CheckRunOrder, is_new: bool) -> Self {
        Self {
            name: &order.name,
            head_sha: is_new.then_some(&order.head),
            external_id: &order.external_id,
            status: order.text.state.status(),
            conclusion: order.text.state.conclusion(),
            output: WireOutputOrder {
                title: &order.text.title,
                summary: &order.text.summary,
            },
        }
    }
}
