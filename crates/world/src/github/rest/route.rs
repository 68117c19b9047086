//! Which call a method and a path are.

use http::Method;
use percent_encoding::percent_decode_str;
use reprise_model::ids::{
    CheckRunId, HookAttemptId, InstallationId, JobId, Repository, RunAttempt, RunId, Sha,
};

use crate::github::registrations::RunnerPlace;
use crate::github::rerun::Rerun;

/// A call that the simulated GitHub knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    RateLimit,
    App,
    HookConfig,
    Installation(Repository),
    AccessToken(InstallationId),
    Deliveries,
    Redeliver(HookAttemptId),
    Installations,
    InstallationRepositories,
    Read(Repository, Read),
    Log(Repository, JobId),
    Mutate(Repository, Change),
    Checks(Repository, CheckCall),
    Runners(RunnerPlace, RunnerCall),
}

/// A call that only looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Read {
    Run(RunId),
    Attempt(RunId, RunAttempt),
    AttemptJobs(RunId, RunAttempt),
    RunJobs(RunId),
    Job(JobId),
    Annotations(CheckRunId),
    Runs,
    /// By number or by file name.
    WorkflowRuns(String),
    /// The concurrency groups of a run.
    RunGroups(RunId),
    /// A concurrency group.
    Group(String),
}

/// A call that changes a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Rerun(Rerun),
    Cancel(RunId),
}

/// A call about the App's check runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CheckCall {
    List(Sha),
    Make,
    Update(CheckRunId),
}

/// A call about self-hosted runners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunnerCall {
    List,
    One(u64),
    Groups,
    Order,
    Remove(u64),
}

impl Route {
    pub(super) fn of(method: &Method, path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match (method.as_str(), parts.as_slice()) {
            (method, ["orgs", organization, "actions", rest @ ..]) => {
                let place = RunnerPlace::Organization((*organization).to_owned());
                return Some(Self::Runners(place, RunnerCall::of(method, rest)?));
            }
            (method, ["repos", owner, name, "actions", "runners", ..]) => {
                let place = RunnerPlace::Repository(repository(owner, name)?);
                return Some(Self::Runners(place, RunnerCall::of(method, &parts[4..])?));
            }
            (method, ["repos", owner, name, rest @ ..]) => {
                if let Some(call) = CheckCall::of(method, rest) {
                    return Some(Self::Checks(repository(owner, name)?, call));
                }
            }
            _ => {}
        }
        match (method.as_str(), parts.as_slice()) {
            ("GET", ["rate_limit"]) => Some(Self::RateLimit),
            ("GET", ["app"]) => Some(Self::App),
            ("GET", ["app", "hook", "config"]) => Some(Self::HookConfig),
            ("GET", ["app", "hook", "deliveries"]) => Some(Self::Deliveries),
            ("POST", ["app", "hook", "deliveries", id, "attempts"]) => {
                Some(Self::Redeliver(id.parse().ok()?))
            }
            ("GET", ["app", "installations"]) => Some(Self::Installations),
            ("GET", ["installation", "repositories"]) => Some(Self::InstallationRepositories),
            ("POST", ["app", "installations", id, "access_tokens"]) => {
                Some(Self::AccessToken(id.parse().ok()?))
            }
            ("GET", ["repos", owner, name, "installation"]) => {
                Some(Self::Installation(repository(owner, name)?))
            }
            ("GET", ["repos", owner, name, "actions", "jobs", job, "logs"]) => {
                Some(Self::Log(repository(owner, name)?, job.parse().ok()?))
            }
            ("GET", ["repos", owner, name, rest @ ..]) => {
                Some(Self::Read(repository(owner, name)?, Read::of(rest)?))
            }
            ("POST", ["repos", owner, name, rest @ ..]) => {
                Some(Self::Mutate(repository(owner, name)?, Change::of(rest)?))
            }
            _ => None,
        }
    }

    /// The name under which its requests are counted.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::RateLimit => "rate limit",
            Self::App => "app",
            Self::HookConfig => "webhook of the app",
            Self::Installation(_) => "installation of a repository",
            Self::AccessToken(_) => "access token",
            Self::Deliveries => "webhook deliveries",
            Self::Redeliver(_) => "redeliver a webhook",
            Self::Installations => "installations",
            Self::InstallationRepositories => "repositories of the installation",
            Self::Log(..) => "log of a job",
            Self::Read(_, Read::Run(_)) => "run",
            Self::Read(_, Read::Attempt(..)) => "attempt",
            Self::Read(_, Read::AttemptJobs(..)) => "jobs of an attempt",
            Self::Read(_, Read::RunJobs(_)) => "jobs of a run",
            Self::Read(_, Read::Job(_)) => "job",
            Self::Read(_, Read::Annotations(_)) => "annotations",
            Self::Read(_, Read::Runs) => "runs",
            Self::Read(_, Read::WorkflowRuns(_)) => "runs of a workflow",
            Self::Read(_, Read::RunGroups(_)) => "concurrency groups of a run",
            Self::Read(_, Read::Group(_)) => "concurrency group",
            Self::Mutate(_, Change::Rerun(Rerun::Job(_))) => "re-run a job",
            Self::Mutate(_, Change::Rerun(Rerun::FailedJobs(_))) => "re-run failed jobs",
            Self::Mutate(_, Change::Rerun(Rerun::WholeRun(_))) => "re-run a run",
            Self::Mutate(_, Change::Cancel(_)) => "cancel a run",
            Self::Checks(_, CheckCall::List(_)) => "check runs of a commit",
            Self::Checks(_, CheckCall::Make) => "new check run",
            Self::Checks(_, CheckCall::Update(_)) => "write a check run",
            Self::Runners(_, RunnerCall::List) => "runners",
            Self::Runners(_, RunnerCall::One(_)) => "runner",
            Self::Runners(_, RunnerCall::Groups) => "runner groups",
            Self::Runners(_, RunnerCall::Order) => "new runner",
            Self::Runners(_, RunnerCall::Remove(_)) => "remove a runner",
        }
    }
}

impl Read {
    fn of(parts: &[&str]) -> Option<Self> {
        match parts {
            ["actions", "runs"] => Some(Self::Runs),
            ["actions", "runs", run] => Some(Self::Run(run.parse().ok()?)),
            ["actions", "runs", run, "jobs"] => Some(Self::RunJobs(run.parse().ok()?)),
            ["actions", "runs", run, "attempts", number] => {
                Some(Self::Attempt(run.parse().ok()?, attempt(number)?))
            }
            ["actions", "runs", run, "attempts", number, "jobs"] => {
                Some(Self::AttemptJobs(run.parse().ok()?, attempt(number)?))
            }
            ["actions", "runs", run, "concurrency_groups"] => {
                Some(Self::RunGroups(run.parse().ok()?))
            }
            ["actions", "concurrency_groups", name] => {
                let name = percent_decode_str(name).decode_utf8().ok()?;
                Some(Self::Group(name.into_owned()))
            }
            ["actions", "jobs", job] => Some(Self::Job(job.parse().ok()?)),
            ["check-runs", id, "annotations"] => Some(Self::Annotations(id.parse().ok()?)),
            ["actions", "workflows", workflow, "runs"] => {
                Some(Self::WorkflowRuns((*workflow).to_owned()))
            }
            _ => None,
        }
    }
}

impl Change {
    fn of(parts: &[&str]) -> Option<Self> {
        match parts {
            ["actions", "jobs", job, "rerun"] => Some(Self::Rerun(Rerun::Job(job.parse().ok()?))),
            ["actions", "runs", run, "rerun-failed-jobs"] => {
                Some(Self::Rerun(Rerun::FailedJobs(run.parse().ok()?)))
            }
            ["actions", "runs", run, "rerun"] => {
                Some(Self::Rerun(Rerun::WholeRun(run.parse().ok()?)))
            }
            ["actions", "runs", run, "cancel"] => Some(Self::Cancel(run.parse().ok()?)),
            _ => None,
        }
    }
}

impl CheckCall {
    fn of(method: &str, parts: &[&str]) -> Option<Self> {
        match (method, parts) {
            ("GET", ["commits", head, "check-runs"]) => Some(Self::List(Sha::new(*head))),
            ("POST", ["check-runs"]) => Some(Self::Make),
            ("PATCH", ["check-runs", id]) => Some(Self::Update(id.parse().ok()?)),
            _ => None,
        }
    }
}

impl RunnerCall {
    fn of(method: &str, parts: &[&str]) -> Option<Self> {
        match (method, parts) {
            ("GET", ["runners"]) => Some(Self::List),
            ("GET", ["runner-groups"]) => Some(Self::Groups),
            ("GET", ["runners", id]) => Some(Self::One(id.parse().ok()?)),
            ("POST", ["runners", "generate-jitconfig"]) => Some(Self::Order),
            ("DELETE", ["runners", id]) => Some(Self::Remove(id.parse().ok()?)),
            _ => None,
        }
    }
}

fn repository(owner: &str, name: &str) -> Option<Repository> {
    format!("{owner}/{name}").parse().ok()
}

fn attempt(text: &str) -> Option<RunAttempt> {
    RunAttempt::new(text.parse().ok()?)
}
