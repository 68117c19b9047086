//! Whether another run holds a concurrency group of a run.
//!
//! A re-run joins the groups of its run again, and may cancel who holds one. GitHub tells of groups since
//! 2026, its Enterprise Server does not: where there is no answer, nobody is in the way.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reprise_model::ids::{Repository, RunId};
use reprise_model::run::Run;
use serde::de::DeserializeOwned;

use crate::GitHub;
use crate::error::GitHubError;
use crate::read::{is_closed, with_query};
use crate::wire::{GroupMembers, Page, RunGroups};

/// What stands in a path as it is (RFC 3986, unreserved).
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A workflow has one group, and a job may have one. Past so many a run that is in the way of one alone is
/// not looked for.
const MOST_GROUPS: usize = 20;

impl GitHub {
    /// A run that holds, or waits for, a concurrency group of this one. Where it is merely one of that run's
    /// jobs which does, a re-run takes its turn behind it, and nobody is in the way.
    pub(crate) async fn group_holder(&self, run: &Run) -> Result<Option<RunId>, GitHubError> {
        let repository = &run.repository;
        let operation = format!(
            "list the concurrency groups of run {} of {repository}",
            run.id
        );
        let first = Page {
            per_page: Page::SIZE,
            page: 1,
        };
        let path = format!(
            "/repos/{repository}/actions/runs/{}/concurrency_groups",
            run.id
        );
        let path = with_query(&operation, &path, &first)?;
        let Some(groups): Option<RunGroups> =
            self.read_if_there(&operation, repository, &path).await?
        else {
            return Ok(None);
        };
        for name in groups.names().take(MOST_GROUPS) {
            let holder = self.holder_of(repository, name, run.id).await?;
            if holder.is_some() {
                return Ok(holder);
            }
        }
        Ok(None)
    }

    async fn holder_of(
        &self,
        repository: &Repository,
        group: &str,
        own: RunId,
    ) -> Result<Option<RunId>, GitHubError> {
        let operation = format!("read the concurrency group {group:?} of {repository}");
        let name = utf8_percent_encode(group, IN_PATH);
        let path = format!("/repos/{repository}/actions/concurrency_groups/{name}");
        let group: Option<GroupMembers> = self.read_if_there(&operation, repository, &path).await?;
        Ok(group.and_then(|group| group.another_run(own)))
    }

    async fn read_if_there<T: DeserializeOwned>(
        &self,
        operation: &str,
        repository: &Repository,
        path: &str,
    ) -> Result<Option<T>, GitHubError> {
        match self.read(operation, repository, path).await {
            Err(error) if is_closed(operation, &error) => Ok(None),
            read => read.map(Some),
        }
    }
}
