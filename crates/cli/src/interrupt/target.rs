//! Which machine is meant, and which job it has.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use reprise_engine::drill;
use reprise_engine::tenant::{RunRead, RunSeen, Tenant, tenant};
use reprise_model::ids::{InstanceId, JobId, Repository, RunId};
use reprise_model::instance::{InstanceSight, InstanceView};
use reprise_model::job::Job;
use reprise_model::ledger::ClaimKey;
use reprise_model::view::Subject;
use reprise_store::Store;

use super::follow::Follower;

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Whom {
    /// The machine of this job.
    Job(Repository, RunId, JobId),
    /// This machine.
    Instance(InstanceId),
}

impl FromStr for Whom {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("i-") {
            let id = text
                .parse()
                .map_err(|_| format!("{text:?} is no instance's id"))?;
            return Ok(Self::Instance(id));
        }
        let subject = Subject::read(&[text]).map_err(|error| error.to_string())?;
        let job = subject.job.ok_or_else(|| {
            format!("{text:?} names a run and not a job; open the job that is to be interrupted and take its address")
        })?;
        Ok(Self::Job(subject.repository, subject.run, job))
    }
}

/// A machine that may be taken, and the job on it.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) repository: Repository,
    pub(super) job: Job,
    pub(super) view: InstanceView,
}

impl Target {
    /// As `reprise explain` is asked.
    pub(super) fn address(&self) -> String {
        format!("{} {}", self.repository, self.job.run_id)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let view = &self.view;
        write!(
            f,
            "{} ({} {}), on which {} of {} runs (run {}, attempt {})",
            view.instance.id,
            view.capacity,
            view.instance_type,
            self.job.name,
            self.repository,
            self.job.run_id,
            self.job.run_attempt
        )
    }
}

/// Finds it, or says why it may not be taken.
pub(super) async fn find(follower: &Follower, whom: &Whom) -> Result<Target> {
    let Some(fleet) = &follower.settings.fleet else {
        bail!(
            "the configuration launches nothing ([fleet] enabled = false): its machines are somebody else's"
        );
    };
    let (repository, job, view) = match whom {
        Whom::Job(repository, run, job) => of_job(follower, repository, *run, *job).await?,
        Whom::Instance(id) => of_instance(follower, id).await?,
    };
    let id = view.instance.id.clone();
    drill::may_interrupt(
        &view,
        job.as_ref(),
        fleet.stack.as_str(),
        &follower.settings.rules,
    )
    .with_context(|| format!("{id} is not interrupted"))?;
    let job = job.context("no job runs on it")?;
    Ok(Target {
        repository,
        job,
        view,
    })
}

type Found = (Repository, Option<Job>, InstanceView);

async fn of_job(
    follower: &Follower,
    repository: &Repository,
    run: RunId,
    id: JobId,
) -> Result<Found> {
    let now = follower.github.run(repository, run).await?;
    let jobs = follower
        .github
        .jobs(repository, run, now.run_attempt)
        .await?;
    let Some(job) = jobs.into_iter().find(|job| job.id == id) else {
        bail!(
            "attempt {} of run {run} has no job {id}; take the address of a job that runs now",
            now.run_attempt
        );
    };
    let name = job.runner_name.as_ref();
    let host = name.and_then(|name| follower.settings.runner_name.read(name));
    let Some(host) = host else {
        bail!("{} has no runner of ours yet; wait until it runs", job.name);
    };
    let view = view_of(follower, &host.id).await?;
    Ok((repository.clone(), Some(job), view))
}

/// By the launch that its tags name.
async fn of_instance(follower: &Follower, id: &InstanceId) -> Result<Found> {
    let view = view_of(follower, id).await?;
    let tags = &follower.settings.rules.tags;
    let read = |key: String| view.tags.get(&key);
    let repository = read(tags.repository()).and_then(|text| text.parse().ok());
    let job_id = read(tags.launch()).and_then(|text| text.parse().ok());
    let (Some(repository), Some(job_id)) = (repository, job_id) else {
        bail!("{id} bears no tags of a launch of ours; it is not interrupted");
    };
    let key = ClaimKey { repository, job_id };
    let claim = follower.store.claim(&key).await?;
    let Some(claim) = claim.map(|found| found.record) else {
        bail!("the ledger knows nothing of the launch of {id}; take the job's address instead");
    };
    let run = follower.github.run(&key.repository, claim.run_id).await?;
    let mut lists = std::collections::BTreeMap::new();
    let job = loop {
        let seen = RunSeen {
            run: Some(&run),
            lists: &lists,
        };
        match tenant(&view, &claim, &follower.settings.runner_name, seen) {
            Tenant::Job(job) => break Some(job.clone()),
            Tenant::Nobody | Tenant::Read(RunRead::Run) => break None,
            Tenant::Read(RunRead::Jobs(attempt)) => {
                let github = &follower.github;
                let jobs = github.jobs(&key.repository, claim.run_id, attempt).await?;
                lists.insert(attempt, jobs);
            }
        }
    };
    Ok((key.repository, job, view))
}

async fn view_of(follower: &Follower, id: &InstanceId) -> Result<InstanceView> {
    for place in &follower.settings.places {
        match follower.ec2.look(&place.region, id).await? {
            InstanceSight::Seen(view) => return Ok(view),
            InstanceSight::Absent => {}
        }
    }
    bail!("EC2 knows no instance {id} in the configured regions")
}
