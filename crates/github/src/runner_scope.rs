//! Where a new runner is registered: in a group of the organisation, or, as a person's account has
//! neither groups nor runners of its own, at the repository.
//!
//! Groups are configured by name and asked for by number. A number is looked up once and kept, so
//! that a job costs no call for it; one that GitHub refuses is forgotten.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reprise_model::ids::{Repository, RunnerGroupId};
use tokio::sync::OnceCell;

use crate::GitHub;
use crate::error::GitHubError;
use crate::read::with_query;
use crate::wire::{AccountKind, Page, RunnerGroupsPage, WireRunnerGroup};

/// The group `Default`, where every repository's own runners are.
const DEFAULT_GROUP: RunnerGroupId = RunnerGroupId(1);

/// Where a runner is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunnerScope {
    /// In the organisation that a repository belongs to, for all repositories that the group serves.
    Organization {
        /// The repository through which the App is installed in it.
        repository: Repository,
        /// The group.
        group: RunnerGroupId,
    },
    /// At one repository.
    Repository(Repository),
}

impl RunnerScope {
    /// The repository through which the App acts.
    pub(crate) fn repository(&self) -> &Repository {
        match self {
            Self::Organization { repository, .. } | Self::Repository(repository) => repository,
        }
    }

    pub(crate) fn group(&self) -> RunnerGroupId {
        match self {
            Self::Organization { group, .. } => *group,
            Self::Repository(_) => DEFAULT_GROUP,
        }
    }

    /// The path of its runners.
    pub(crate) fn path(&self) -> String {
        match self {
            Self::Organization { repository, .. } => {
                format!("/orgs/{}/actions/runners", repository.owner())
            }
            Self::Repository(repository) => format!("/repos/{repository}/actions/runners"),
        }
    }
}

impl fmt::Display for RunnerScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Organization { repository, .. } => f.write_str(repository.owner()),
            Self::Repository(repository) => repository.fmt(f),
        }
    }
}

/// The groups that were needed so far, by organisation (in lower case) and name. Calls that come at once
/// wait for one look-up.
#[derive(Default)]
pub(crate) struct RunnerGroups(Mutex<Known>);

type Known = BTreeMap<(String, String), Arc<OnceCell<RunnerGroupId>>>;

impl RunnerGroups {
    fn of(&self, organization: &str, name: &str) -> Arc<OnceCell<RunnerGroupId>> {
        let key = (organization.to_ascii_lowercase(), name.to_owned());
        Arc::clone(self.lock().entry(key).or_default())
    }

    /// Forgets a number that GitHub did not accept: the group may have been made anew.
    pub(crate) fn forget(&self, scope: &RunnerScope) {
        match scope {
            RunnerScope::Organization { group, .. } => {
                self.lock().retain(|_, known| known.get() != Some(group));
            }
            RunnerScope::Repository(_) => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GitHub {
    /// Where runners for a repository's jobs are registered: in the organisation's group of this
    /// name, or at the repository of a person's account.
    pub async fn runner_scope(
        &self,
        repository: &Repository,
        group: &str,
    ) -> Result<RunnerScope, GitHubError> {
        let transport = &self.inner.transport;
        let access = self.inner.installations.access(transport, repository);
        match access.await?.account() {
            AccountKind::User => Ok(RunnerScope::Repository(repository.clone())),
            AccountKind::Organization => Ok(RunnerScope::Organization {
                repository: repository.clone(),
                group: self.runner_group(repository, group).await?,
            }),
        }
    }

    async fn runner_group(
        &self,
        repository: &Repository,
        name: &str,
    ) -> Result<RunnerGroupId, GitHubError> {
        let known = self.inner.groups.of(repository.owner(), name);
        let found = known.get_or_try_init(|| self.look_group_up(repository, name));
        found.await.copied()
    }

    async fn look_group_up(
        &self,
        repository: &Repository,
        name: &str,
    ) -> Result<RunnerGroupId, GitHubError> {
        let groups = self.runner_groups(repository).await?;
        match groups.iter().find(|group| group.name == name) {
            Some(found) => Ok(found.id),
            None => Err(GitHubError::NoRunnerGroup {
                organization: repository.owner().to_owned(),
                group: name.to_owned(),
                known: groups.into_iter().map(|group| group.name).collect(),
            }),
        }
    }

    async fn runner_groups(
        &self,
        repository: &Repository,
    ) -> Result<Vec<WireRunnerGroup>, GitHubError> {
        let organization = repository.owner();
        let operation = format!("list the runner groups of {organization}");
        let path = format!("/orgs/{organization}/actions/runner-groups");
        let mut groups = Vec::new();
        for page in Page::all() {
            let path = with_query(&operation, &path, &page)?;
            let answer: RunnerGroupsPage = self.read(&operation, repository, &path).await?;
            let is_last = answer.runner_groups.len() < Page::SIZE;
            groups.extend(answer.runner_groups);
            if is_last {
                break;
            }
        }
        Ok(groups)
    }
}
