//! The frames in which REST answers hold what `reprise_model` already reads.

use reprise_model::ids::{
    InstallationId, JobId, Repository, RunId, RunnerGroupId, RunnerId, RunnerName,
};
use reprise_model::run::Run;
use reprise_model::webhook::wire::{WireJob, WireRepository, WireRun};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// An installation of the App.
#[derive(Debug, Deserialize)]
pub(crate) struct WireInstallation {
    pub(crate) id: InstallationId,
    #[serde(default)]
    pub(crate) target_type: AccountKind,
    #[serde(default)]
    pub(crate) suspended_at: Option<String>,
}

/// Whose installation it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(crate) enum AccountKind {
    /// A person's account, which has no runners of its own.
    User,
    /// An organisation's, and whatever GitHub may come to name beside it.
    #[default]
    #[serde(other)]
    Organization,
}

/// A page of an organisation's runner groups.
#[derive(Debug, Deserialize)]
pub(crate) struct RunnerGroupsPage {
    pub(crate) runner_groups: Vec<WireRunnerGroup>,
}

/// A runner group.
#[derive(Debug, Deserialize)]
pub(crate) struct WireRunnerGroup {
    pub(crate) id: RunnerGroupId,
    pub(crate) name: String,
}

/// What is asked for with a runner.
#[derive(Debug, Serialize)]
pub(crate) struct WireJitOrder<'a> {
    pub(crate) name: &'a RunnerName,
    pub(crate) runner_group_id: RunnerGroupId,
    pub(crate) labels: &'a [String],
    pub(crate) work_folder: &'a str,
}

/// A runner that has just been made, and what it starts with. No `Debug`: it is a secret.
#[derive(Deserialize)]
pub(crate) struct WireJitConfig {
    pub(crate) runner: WireRunner,
    pub(crate) encoded_jit_config: SecretString,
}

/// A runner; only its number is of use.
#[derive(Deserialize)]
pub(crate) struct WireRunner {
    pub(crate) id: RunnerId,
}

/// A page of runners.
#[derive(Debug, Deserialize)]
pub(crate) struct RunnersPage {
    pub(crate) runners: Vec<ListedRunner>,
}

/// A runner in a list. Whatever GitHub may come to call it beside `offline` is taken as online, and a
/// runner that does not say whether it is busy as busy: such a one stays.
#[derive(Debug, Deserialize)]
pub(crate) struct ListedRunner {
    pub(crate) id: RunnerId,
    pub(crate) name: RunnerName,
    #[serde(default)]
    pub(crate) status: String,
    #[serde(default = "yes")]
    pub(crate) busy: bool,
}

fn yes() -> bool {
    true
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

/// The concurrency groups of a run.
#[derive(Debug, Deserialize)]
pub(crate) struct RunGroups {
    concurrency_groups: Vec<GroupName>,
}

#[derive(Debug, Deserialize)]
struct GroupName {
    group_name: String,
}

impl RunGroups {
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.concurrency_groups
            .iter()
            .map(|group| group.group_name.as_str())
    }
}

/// Who holds a concurrency group, and who waits for it.
#[derive(Debug, Deserialize)]
pub(crate) struct GroupMembers {
    group_members: Vec<GroupMember>,
}

/// A run, or where `job_id` stands, one of its jobs.
#[derive(Debug, Deserialize)]
struct GroupMember {
    run_id: RunId,
    #[serde(default)]
    job_id: Option<JobId>,
}

impl GroupMembers {
    /// The first run, as a whole, that is not this one.
    pub(crate) fn another_run(self, own: RunId) -> Option<RunId> {
        let mut others = self.group_members.into_iter();
        let other = others.find(|member| member.job_id.is_none() && member.run_id != own);
        other.map(|member| member.run_id)
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
