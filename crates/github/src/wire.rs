//! The frames in which REST answers hold what `reprise_model` already reads.

use reprise_model::ids::{InstallationId, Repository};
use reprise_model::run::Run;
use reprise_model::webhook::wire::{WireJob, WireRepository, WireRun};
use serde::{Deserialize, Serialize};

/// An installation of the App; only its id is of use.
#[derive(Debug, Deserialize)]
pub(crate) struct WireInstallation {
    pub(crate) id: InstallationId,
}

/// A page of an attempt's jobs.
#[derive(Debug, Deserialize)]
pub(crate) struct JobsPage {
    pub(crate) total_count: usize,
    pub(crate) jobs: Vec<WireJob>,
}

/// A page of a workflow's runs.
#[derive(Debug, Deserialize)]
pub(crate) struct RunsPage {
    pub(crate) workflow_runs: Vec<ListedRun>,
}

/// A run in a list, with the repository that its commit comes from: equal branch names of two forks
/// are two branches.
#[derive(Debug, Deserialize)]
pub(crate) struct ListedRun {
    #[serde(flatten)]
    run: WireRun,
    #[serde(default)]
    head_repository: Option<WireRepository>,
}

impl ListedRun {
    pub(crate) fn into_parts(self, repository: &Repository) -> (Run, Option<Repository>) {
        let head = self.head_repository.map(WireRepository::into_repository);
        (self.run.into_run(repository.clone()), head)
    }
}

/// An annotation of a check run.
#[derive(Debug, Deserialize)]
pub(crate) struct WireAnnotation {
    #[serde(default)]
    pub(crate) message: Option<String>,
}

/// Where a page of a list begins.
#[derive(Debug, Serialize)]
pub(crate) struct Page {
    pub(crate) per_page: usize,
    pub(crate) page: usize,
}

impl Page {
    /// The most that GitHub gives at once.
    pub(crate) const SIZE: usize = 100;

    /// Pages of a list that is read to its end. A list of 10,000 is none that Reprise asks for, so
    /// a server that never ends one is not followed for ever.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (1..=100).map(|page| Self {
            per_page: Self::SIZE,
            page,
        })
    }
}

/// Which runs of a workflow to list.
#[derive(Debug, Serialize)]
pub(crate) struct RunsQuery<'a> {
    pub(crate) branch: &'a str,
    pub(crate) event: &'a str,
    pub(crate) created: &'a str,
    pub(crate) exclude_pull_requests: bool,
    pub(crate) per_page: usize,
    pub(crate) page: usize,
}
