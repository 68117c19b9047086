//! What the App's installations show: their repositories, and the runs there that have not ended.

use std::collections::BTreeSet;

use reprise_model::ids::Repository;
use reprise_model::run::Run;
use serde::{Deserialize, Serialize};

use crate::GitHub;
use crate::error::GitHubError;
use crate::read::with_query;
use crate::wire::{Page, RunsPage, WireInstallation};

/// What GitHub calls a run that has jobs that wait for runners.
const HAS_QUEUED_JOBS: [&str; 2] = ["queued", "in_progress"];

impl GitHub {
    /// Every repository that an installation of the App shows and in which something can run.
    pub async fn repositories(&self) -> Result<BTreeSet<Repository>, GitHubError> {
        let mut repositories = BTreeSet::new();
        for installation in self.installations().await? {
            self.repositories_of(&installation, &mut repositories)
                .await?;
        }
        Ok(repositories)
    }

    /// The runs of a repository that have not ended and may have jobs that wait for runners.
    pub async fn active_runs(&self, repository: &Repository) -> Result<Vec<Run>, GitHubError> {
        let mut runs = Vec::new();
        for status in HAS_QUEUED_JOBS {
            self.runs_with(repository, status, &mut runs).await?;
        }
        Ok(runs)
    }

    async fn installations(&self) -> Result<Vec<WireInstallation>, GitHubError> {
        let operation = "list the App's installations";
        let mut found = Vec::new();
        for page in Page::all() {
            let path = with_query(operation, "/app/installations", &page)?;
            let answer = self.inner.transport.get_as_app(operation, &path).await?;
            let listed: Vec<WireInstallation> = answer.parse(operation)?;
            let last = listed.len() < Page::SIZE;
            let works = |one: &WireInstallation| one.suspended_at.is_none();
            found.extend(listed.into_iter().filter(works));
            if last {
                break;
            }
        }
        Ok(found)
    }

    async fn repositories_of(
        &self,
        installation: &WireInstallation,
        into: &mut BTreeSet<Repository>,
    ) -> Result<(), GitHubError> {
        let operation = format!("list the repositories of installation {}", installation.id);
        let transport = &self.inner.transport;
        let installations = &self.inner.installations;
        for page in Page::all() {
            let path = with_query(&operation, "/installation/repositories", &page)?;
            let access = installations.access_to_all(transport, installation);
            let listed: RepositoriesPage = self.read_by(access.await?, &operation, &path).await?;
            let last = listed.repositories.len() < Page::SIZE;
            let works = |one: &WireListed| !one.archived && !one.disabled;
            let named = listed.repositories.into_iter().filter(works);
            into.extend(named.map(|one| one.full_name));
            if last {
                break;
            }
        }
        Ok(())
    }

    async fn runs_with(
        &self,
        repository: &Repository,
        status: &str,
        into: &mut Vec<Run>,
    ) -> Result<(), GitHubError> {
        let operation = format!("list the runs of {repository} that are {status}");
        let path = format!("/repos/{repository}/actions/runs");
        for Page { per_page, page } in Page::all() {
            let query = StatusQuery {
                status,
                exclude_pull_requests: true,
                per_page,
                page,
            };
            let path = with_query(&operation, &path, &query)?;
            let listed: RunsPage = self.read(&operation, repository, &path).await?;
            let last = listed.workflow_runs.len() < per_page;
            let runs = listed.workflow_runs.into_iter();
            into.extend(runs.map(|run| run.into_parts(repository).0));
            if last {
                break;
            }
        }
        Ok(())
    }
}

#[derive(Debug, Serialize)]
struct StatusQuery<'a> {
    status: &'a str,
    exclude_pull_requests: bool,
    per_page: usize,
    page: usize,
}

#[derive(Debug, Deserialize)]
struct RepositoriesPage {
    repositories: Vec<WireListed>,
}

#[derive(Debug, Deserialize)]
struct WireListed {
    full_name: Repository,
    #[serde(default)]
    archived: bool,
    #[serde(default)]
    disabled: bool,
}
