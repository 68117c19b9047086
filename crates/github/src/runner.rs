//! Runners: the just-in-time configuration of a new one, and the removal of one that is not needed.
//!
//! A configuration comes from one POST, which is never repeated here. Where its answer was lost,
//! GitHub may hold a runner of that name, and a repeat would be told 409: the way out of both is a
//! new name, and GitHub itself removes a runner that never connects within a day.

use std::fmt;

use http::StatusCode;
use jiff::SignedDuration;
use reprise_model::ids::{RunnerId, RunnerName};
use secrecy::SecretString;

use crate::GitHub;
use crate::error::{GitHubError, GitHubErrorKind};
use crate::read::with_query;
use crate::runner_scope::RunnerScope;
use crate::transport::Answer;
use crate::wire::{ListedRunner, Page, RunnersPage, WireJitConfig, WireJitOrder};

/// A runner that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JitOrder {
    /// Its name, up to 64 characters, which no other runner there has.
    pub name: RunnerName,
    /// Its labels: all that a job asks for, 1 to 100 of them.
    pub labels: Vec<String>,
    /// Where its jobs work, below the folder it is installed in.
    pub work_folder: String,
}

/// What one runner starts with, once.
#[derive(Clone)]
pub struct JitConfig {
    /// The runner that GitHub waits for.
    pub runner: RunnerId,
    /// What its program is started with: credentials, so it is shown nowhere.
    pub encoded: SecretString,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum JitError {
    /// A runner of this name is there already, perhaps by a call whose answer was lost: take
    /// another name.
    #[error("{0}")]
    NameTaken(#[source] GitHubError),
    /// The App may not do it there, or there is no such group: an operator must act.
    #[error(
        "{0}; give the App the permission Self-hosted runners: write (Administration: write at a \
         repository), and check that the runner group exists"
    )]
    Denied(#[source] GitHubError),
    /// GitHub does not accept the order, as one with a label that it does not allow.
    #[error("{0}")]
    Refused(#[source] GitHubError),
    /// Nothing was made. It can be had later.
    #[error("{error}")]
    NotNow {
        /// How long GitHub wants to be left alone, where it says so.
        retry_after: Option<SignedDuration>,
        /// What went wrong.
        #[source]
        error: GitHubError,
    },
    /// Whether a runner was made is not known: try again with another name.
    #[error("{0}")]
    Unclear(#[source] GitHubError),
}

/// A runner that GitHub lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenRunner {
    /// GitHub's number for it.
    pub id: RunnerId,
    /// Its name.
    pub name: RunnerName,
    /// Whether it is connected.
    pub is_online: bool,
    /// Whether it has a job.
    pub is_busy: bool,
}

/// What became of a runner's removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunnerRemoval {
    /// It is gone now.
    Removed,
    /// There was none (any more).
    Absent,
    /// It is busy with a job, and stays.
    Busy,
}

impl GitHub {
    /// Asks for a runner that takes one job, with one POST.
    pub async fn create_jit_config(
        &self,
        scope: &RunnerScope,
        order: &JitOrder,
    ) -> Result<JitConfig, JitError> {
        let operation = format!("make the runner {} of {scope}", order.name);
        let path = format!("{}/generate-jitconfig", scope.path());
        let transport = &self.inner.transport;
        let access = self
            .inner
            .installations
            .access(transport, scope.repository());
        let mut access = access.await.map_err(not_sent)?;
        let body = WireJitOrder {
            name: &order.name,
            runner_group_id: scope.group(),
            labels: &order.labels,
            work_folder: &order.work_folder,
        };
        let answer = transport.post(&operation, &path, &access, &body).await;
        let answer = answer.map_err(JitError::Unclear)?;
        if answer.status == StatusCode::UNAUTHORIZED {
            // For the next call: this one is not repeated.
            access.renew(transport).await.map_err(not_sent)?;
        }
        answered(&operation, &answer).inspect_err(|error| match error {
            JitError::Denied(_) | JitError::Refused(_) => self.inner.groups.forget(scope),
            JitError::NameTaken(_) | JitError::NotNow { .. } | JitError::Unclear(_) => {}
        })
    }

    /// All runners of the organisation or of the repository.
    pub async fn runners(&self, scope: &RunnerScope) -> Result<Vec<SeenRunner>, GitHubError> {
        let operation = format!("list the runners of {scope}");
        let mut seen = Vec::new();
        for page in Page::all() {
            let path = with_query(&operation, &scope.path(), &page)?;
            let listed: RunnersPage = self.read(&operation, scope.repository(), &path).await?;
            let is_last = listed.runners.len() < Page::SIZE;
            seen.extend(listed.runners.into_iter().map(ListedRunner::into_seen));
            if is_last {
                break;
            }
        }
        Ok(seen)
    }

    /// Takes a runner out of GitHub.
    pub async fn delete_runner(
        &self,
        scope: &RunnerScope,
        runner: RunnerId,
    ) -> Result<RunnerRemoval, GitHubError> {
        let operation = format!("remove the runner {runner} of {scope}");
        let path = format!("{}/{runner}", scope.path());
        let transport = &self.inner.transport;
        let access = self
            .inner
            .installations
            .access(transport, scope.repository());
        let mut access = access.await?;
        let answer = transport.delete(&operation, &path, &access).await?;
        match answer.status {
            StatusCode::NO_CONTENT => return Ok(RunnerRemoval::Removed),
            StatusCode::NOT_FOUND => return Ok(RunnerRemoval::Absent),
            StatusCode::UNPROCESSABLE_ENTITY => return Ok(RunnerRemoval::Busy),
            StatusCode::UNAUTHORIZED => access.renew(transport).await?,
            _ => {}
        }
        Err(rejected(operation, &answer))
    }
}

impl ListedRunner {
    fn into_seen(self) -> SeenRunner {
        SeenRunner {
            id: self.id,
            name: self.name,
            is_online: self.status != "offline",
            is_busy: self.busy,
        }
    }
}

fn answered(operation: &str, answer: &Answer) -> Result<JitConfig, JitError> {
    if answer.status.is_success() {
        let made: WireJitConfig = answer.parse(operation).map_err(JitError::Unclear)?;
        return Ok(JitConfig {
            runner: made.runner.id,
            encoded: made.encoded_jit_config,
        });
    }
    let error = rejected(operation.to_owned(), answer);
    Err(match (error.kind(), answer.status) {
        (GitHubErrorKind::RateLimited { retry_after }, _) => {
            JitError::NotNow { retry_after, error }
        }
        (GitHubErrorKind::Unauthorized, _) => not_sent(error),
        (GitHubErrorKind::Forbidden(_) | GitHubErrorKind::NotFound, _) => JitError::Denied(error),
        // Whether a server that failed did so before or after it acted is not known.
        (GitHubErrorKind::Unavailable, _) => JitError::Unclear(error),
        (GitHubErrorKind::Unexpected, StatusCode::CONFLICT) => JitError::NameTaken(error),
        (GitHubErrorKind::Unexpected, _) => JitError::Refused(error),
    })
}

fn rejected(operation: String, answer: &Answer) -> GitHubError {
    GitHubError::Rejected {
        operation,
        rejection: answer.rejection(),
    }
}

/// Nothing was asked for, as no token could be had.
fn not_sent(error: GitHubError) -> JitError {
    match error.kind() {
        GitHubErrorKind::Forbidden(_) => JitError::Denied(error),
        GitHubErrorKind::RateLimited { retry_after } => JitError::NotNow { retry_after, error },
        GitHubErrorKind::NotFound
        | GitHubErrorKind::Unauthorized
        | GitHubErrorKind::Unavailable
        | GitHubErrorKind::Unexpected => JitError::NotNow {
            retry_after: None,
            error,
        },
    }
}

impl fmt::Debug for JitConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JitConfig")
            .field("runner", &self.runner)
            .finish_non_exhaustive()
    }
}
