//! What is known of a failed job: its steps, the annotations of its check run, the end of its log.

use reprise_model::failure::{Annotation, FailureFacts, Step};
use reprise_model::ids::{CheckRunId, JobId, Repository};
use reprise_model::job::{Conclusion, Job};
use serde::Deserialize;

use crate::GitHub;
use crate::error::GitHubError;
use crate::read::{is_closed, with_query};
use crate::wire::Page;

/// So many pages of annotations are read. GitHub keeps ten of each kind a step.
const PAGES: usize = 5;

/// A job, as far as its failure is concerned.
#[derive(Deserialize)]
struct WireFailed {
    #[serde(default)]
    conclusion: Option<Conclusion>,
    #[serde(default)]
    steps: Option<Vec<Step>>,
}

impl GitHub {
    /// All that tells why a job failed, in three calls and the one or two by which the log is read. What is
    /// not there (any more) or may not be read is missing in it.
    pub async fn failure_facts(
        &self,
        repository: &Repository,
        job: &Job,
    ) -> Result<FailureFacts, GitHubError> {
        let (conclusion, steps) = self.steps(repository, job.id).await?;
        let annotations = match job.check_run {
            Some(check_run) => self.annotations(repository, check_run).await?,
            None => None,
        };
        let log = self.job_log(repository, job.id).await?;
        Ok(FailureFacts {
            conclusion,
            steps,
            annotations,
            log,
        })
    }

    /// How a job ended, and its steps.
    async fn steps(
        &self,
        repository: &Repository,
        job: JobId,
    ) -> Result<(Option<Conclusion>, Vec<Step>), GitHubError> {
        let operation = format!("read the steps of job {job} of {repository}");
        let path = format!("/repos/{repository}/actions/jobs/{job}");
        let wire: WireFailed = Box::pin(self.read(&operation, repository, &path)).await?;
        Ok((wire.conclusion, wire.steps.unwrap_or_default()))
    }

    /// The annotations of a check run; `None` where they may not be read.
    async fn annotations(
        &self,
        repository: &Repository,
        check_run: CheckRunId,
    ) -> Result<Option<Vec<Annotation>>, GitHubError> {
        let operation = format!("list the annotations of check run {check_run} of {repository}");
        let path = format!("/repos/{repository}/check-runs/{check_run}/annotations");
        let mut all = Vec::new();
        for page in Page::all().take(PAGES) {
            let path = with_query(&operation, &path, &page)?;
            let answer = Box::pin(self.read(&operation, repository, &path)).await;
            let listed: Vec<Annotation> = match answer {
                Err(error) if is_closed(&operation, &error) => return Ok(None),
                other => other?,
            };
            let last = listed.len() < Page::SIZE;
            all.extend(listed);
            if last {
                break;
            }
        }
        Ok(Some(all))
    }
}
