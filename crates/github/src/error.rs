//! Why a call to GitHub did not give what was asked for.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use jiff::SignedDuration;
use reprise_model::ids::Repository;
use serde::Deserialize;

use crate::limits::{LEAST_WAIT, is_rate_limited, wait};

/// A failed call. Every variant but [`GitHubError::Settings`] begins with what was being done, so
/// that the text fits "failed to {error}".
#[derive(Debug, thiserror::Error)]
pub enum GitHubError {
    /// The configuration cannot work.
    #[error("connect to GitHub: {problem}")]
    Settings {
        /// What is wrong and what is wanted.
        problem: String,
    },
    /// The App is not installed where it is needed.
    #[error(
        "find the GitHub App's installation on {repository}: App {app_id} is not installed there; \
         install it on that repository, or take the repository out of the configuration"
    )]
    NotInstalled {
        /// The App.
        app_id: u64,
        /// Where it is missing.
        repository: Repository,
    },
    /// The organisation has no runner group of the configured name.
    #[error(
        "find the runner group {group:?} of {organization}: it has {}; create it, or correct the name \
         in the configuration",
        listed(known)
    )]
    NoRunnerGroup {
        /// The organisation.
        organization: String,
        /// The name as configured.
        group: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// GitHub answered with something else than what was asked for.
    #[error("{operation}: GitHub answered {rejection}")]
    Rejected {
        /// What was being done.
        operation: String,
        /// Its answer.
        rejection: Rejection,
    },
    /// The connection failed before the answer was complete.
    #[error("{operation}: no answer came from GitHub")]
    Broken {
        /// What was being done.
        operation: String,
        /// What broke.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// Where GitHub linked to answered with something else than what was asked for: the link is old, or
    /// that server is down.
    #[error("{operation}: the server that GitHub linked to answered {status}")]
    LinkRefused {
        /// What was being done.
        operation: String,
        /// Its status.
        status: u16,
    },
    /// The answer took too long.
    #[error("{operation}: no answer came from GitHub within {limit:?}")]
    TimedOut {
        /// What was being done.
        operation: String,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The answer is not what GitHub describes.
    #[error("{operation}: GitHub's answer cannot be understood: {problem}")]
    Unparsable {
        /// What was being done.
        operation: String,
        /// What is wrong with it. Never the answer itself, which may hold a token.
        problem: String,
    },
}

/// An answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The HTTP status.
    pub status: u16,
    /// GitHub's own words; absent when the answer is not GitHub's JSON, as a proxy's page.
    pub message: Option<String>,
    /// Whether it is a rate limit, primary or secondary.
    pub rate_limited: bool,
    /// How long GitHub asks to wait, where it says so.
    pub wait: Option<SignedDuration>,
}

/// What to do about a failed call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GitHubErrorKind {
    /// There is no such run, job or repository (any more), or the App may not see it.
    NotFound,
    /// The App may not do this, in GitHub's words: an operator must act.
    Forbidden(String),
    /// Too many requests.
    RateLimited {
        /// How long to wait: what GitHub said, else a minute.
        retry_after: Option<SignedDuration>,
    },
    /// The App's id or key, or a fresh token, was rejected: an operator must act.
    Unauthorized,
    /// GitHub or the way to it is down: try again later.
    Unavailable,
    /// An answer that GitHub's documentation does not describe, or settings that cannot work.
    Unexpected,
}

impl GitHubError {
    /// What to do about it.
    pub fn kind(&self) -> GitHubErrorKind {
        match self {
            Self::NotInstalled { .. } | Self::NoRunnerGroup { .. } => {
                GitHubErrorKind::Forbidden(self.to_string())
            }
            Self::Rejected { rejection, .. } => rejection.kind(),
            Self::Broken { .. } | Self::TimedOut { .. } | Self::LinkRefused { .. } => {
                GitHubErrorKind::Unavailable
            }
            Self::Settings { .. } | Self::Unparsable { .. } => GitHubErrorKind::Unexpected,
        }
    }
}

impl GitHubError {
    /// The text with what broke, on one line.
    pub fn with_source(&self) -> String {
        let causes = std::iter::successors(self.source(), |error| (*error).source());
        causes.fold(self.to_string(), |said, cause| format!("{said}: {cause}"))
    }
}

impl Rejection {
    pub(crate) fn from_answer(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Body {
            message: String,
        }
        let message = serde_json::from_slice::<Body>(body).map(|body| body.message);
        Self::new(status, headers, message.ok())
    }

    pub(crate) fn new(status: StatusCode, headers: &HeaderMap, message: Option<String>) -> Self {
        let words = message.as_deref().unwrap_or_default();
        Self {
            status: status.as_u16(),
            rate_limited: is_rate_limited(status, headers, words),
            wait: wait(headers),
            message: message.map(shortened),
        }
    }

    /// How long to wait because of a rate limit; `None` when it is none.
    pub(crate) fn rate_limit_wait(&self) -> Option<SignedDuration> {
        self.rate_limited.then(|| self.wait.unwrap_or(LEAST_WAIT))
    }

    fn kind(&self) -> GitHubErrorKind {
        if let Some(wait) = self.rate_limit_wait() {
            return GitHubErrorKind::RateLimited {
                retry_after: Some(wait),
            };
        }
        match self.status {
            401 => GitHubErrorKind::Unauthorized,
            403 | 451 => GitHubErrorKind::Forbidden(self.words().to_owned()),
            404 | 410 => GitHubErrorKind::NotFound,
            408 | 500.. => GitHubErrorKind::Unavailable,
            _ => GitHubErrorKind::Unexpected,
        }
    }

    /// GitHub's words, else HTTP's.
    pub(crate) fn words(&self) -> &str {
        let reason = || StatusCode::from_u16(self.status).ok()?.canonical_reason();
        self.message
            .as_deref()
            .or_else(reason)
            .unwrap_or("no words")
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.words())
    }
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "none that the App may see".to_owned(),
        names => format!("only {}", names.join(", ")),
    }
}

/// GitHub's messages are one sentence; what is longer is a page, and goes into records and logs.
fn shortened(message: String) -> String {
    const LONGEST: usize = 300;
    match message.char_indices().nth(LONGEST) {
        None => message,
        Some((end, _)) => format!("{} ...", &message[..end]),
    }
}
