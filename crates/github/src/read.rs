//! What Reprise reads of a run: the run, the jobs of an attempt, and why a job was cancelled.
//!
//! A list is read page by page with `page=`; links in answers are not followed for that.

use std::collections::BTreeMap;

use http::StatusCode;
use reprise_model::ids::{CheckRunId, JobId, Repository, RunAttempt, RunId};
use reprise_model::job::Job;
use reprise_model::run::{CancelCause, Run};
use reprise_model::webhook::wire::{WireJob, WireRun};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::GitHub;
use crate::error::{GitHubError, GitHubErrorKind};
use crate::installation::Access;
use crate::wire::{JobsPage, Page, WireAnnotation};

impl GitHub {
    /// The run as it stands now, with its latest attempt. Its repository is the one asked for, also
    /// where it was renamed since, so that records keep their key.
    pub async fn run(&self, repository: &Repository, run: RunId) -> Result<Run, GitHubError> {
        let operation = format!("read run {run} of {repository}");
        let path = format!("/repos/{repository}/actions/runs/{run}");
        let wire: WireRun = self.read(&operation, repository, &path).await?;
        Ok(wire.into_run(repository.clone()))
    }

    /// All jobs of one attempt, carried over ones included, in the order of their ids.
    pub async fn jobs(
        &self,
        repository: &Repository,
        run: RunId,
        attempt: RunAttempt,
    ) -> Result<Vec<Job>, GitHubError> {
        let operation = format!("list the jobs of attempt {attempt} of run {run} of {repository}");
        let path = format!("/repos/{repository}/actions/runs/{run}/attempts/{attempt}/jobs");
        // By id, as a list that grows while it is read shows a job on two pages.
        let mut jobs: BTreeMap<JobId, Job> = BTreeMap::new();
        for page in Page::all() {
            let path = with_query(&operation, &path, &page)?;
            let answer: JobsPage = self.read(&operation, repository, &path).await?;
            let ended = answer.jobs.is_empty();
            let listed = answer.jobs.into_iter().map(WireJob::into_job);
            jobs.extend(listed.map(|job| (job.id, job)));
            if ended || jobs.len() >= answer.total_count {
                break;
            }
        }
        Ok(jobs.into_values().collect())
    }

    /// Why a job was cancelled, by the annotations of its check run. An App that may not read them
    /// has no cause to tell, which is no error: `Checks: read` is worth having, not needed.
    pub async fn cancel_cause(
        &self,
        repository: &Repository,
        check_run: CheckRunId,
    ) -> Result<CancelCause, GitHubError> {
        let operation = format!("list the annotations of check run {check_run} of {repository}");
        let path = format!("/repos/{repository}/check-runs/{check_run}/annotations");
        for page in Page::all() {
            let path = with_query(&operation, &path, &page)?;
            let answer = self.read(&operation, repository, &path).await;
            let annotations: Vec<WireAnnotation> = match answer {
                Err(error) if is_closed(&operation, &error) => return Ok(CancelCause::Unreadable),
                other => other?,
            };
            let messages = annotations.iter().filter_map(|a| a.message.as_deref());
            let cause = CancelCause::from_annotations(messages);
            if cause != CancelCause::Unreadable || annotations.len() < Page::SIZE {
                return Ok(cause);
            }
        }
        Ok(CancelCause::Unreadable)
    }

    /// A GET, read to the end. A rejected token is renewed once, and a renamed repository's
    /// redirect is followed once.
    pub(crate) async fn read<T: DeserializeOwned>(
        &self,
        operation: &str,
        repository: &Repository,
        path: &str,
    ) -> Result<T, GitHubError> {
        let transport = &self.inner.transport;
        let access = self.inner.installations.access(transport, repository);
        self.read_by(access.await?, operation, path).await
    }

    /// The same with a token that is there already.
    pub(crate) async fn read_by<T: DeserializeOwned>(
        &self,
        mut access: Access,
        operation: &str,
        path: &str,
    ) -> Result<T, GitHubError> {
        let transport = &self.inner.transport;
        let mut answer = transport.get(operation, path, &access).await?;
        if answer.status == StatusCode::UNAUTHORIZED {
            access.renew(transport).await?;
            answer = transport.get(operation, path, &access).await?;
        }
        if let Some(moved) = transport.redirect(&answer) {
            answer = transport.get(operation, &moved, &access).await?;
        }
        answer.parse(operation)
    }
}

/// Whether the answer to `operation` itself, not that to the token's request before it, is "you may
/// not" or "there is none".
pub(crate) fn is_closed(operation: &str, error: &GitHubError) -> bool {
    let itself =
        matches!(error, GitHubError::Rejected { operation: other, .. } if other == operation);
    itself
        && matches!(
            error.kind(),
            GitHubErrorKind::NotFound | GitHubErrorKind::Forbidden(_)
        )
}

/// A path with its query.
pub(crate) fn with_query(
    operation: &str,
    path: &str,
    query: &impl Serialize,
) -> Result<String, GitHubError> {
    match serde_urlencoded::to_string(query) {
        Ok(query) => Ok(format!("{path}?{query}")),
        Err(error) => Err(GitHubError::Unparsable {
            operation: operation.to_owned(),
            problem: error.to_string(),
        }),
    }
}
