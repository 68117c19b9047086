//! Somebody else's fleet: it launches instances of its own kind, runs their runners, and names them as
//! it likes. The test decides what its jobs come to.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::{InstanceId, JobId, RunnerName};
use reprise_model::job::Conclusion;
use reprise_world::ec2::{
    Call, CreateFleet, FleetConfig, FleetOverride, FleetTarget, Interruption, TemplateRef,
};
use reprise_world::github::{JobSpec, RunSpec};
use reprise_world::world::World;

use super::stage::Stage;

/// How its runners' names tell their instances.
pub const NAME_PATTERN: &str = r"^(?<region>[a-z]+-[a-z]+-\d)\.(?<instance>i-[0-9a-f]+)$";

/// What its jobs ask for; it says nothing to us.
const LABELS: [&str; 2] = ["self-hosted", "linux"];

/// EC2 gives notice of half a minute, to be through sooner.
const NOTICE: SignedDuration = SignedDuration::from_secs(30);

/// A run with one job; answers the job.
pub fn push(stage: &Stage, repository: &str, job: &str) -> Result<JobId> {
    let repository = repository.parse().context("no repository")?;
    stage.with(|world, now| {
        let github = world.github_mut(now);
        let run = github.push(
            now,
            RunSpec::new(repository, vec![JobSpec::new(job, LABELS)]),
        );
        let run = github.run(run).context("no run")?;
        run.current().jobs.keys().next().copied().context("no job")
    })
}

/// Their fleet launches a spot machine, and its runner takes the job when it has booted.
pub async fn take(stage: &Stage, job: JobId) -> Result<(InstanceId, JobId)> {
    let instance = stage.with(launch)?;
    stage
        .sees("their machine", |world, _| {
            world.hosts_up().any(|id| *id == instance).then_some(())
        })
        .await?;
    let runner = RunnerName::new(format!("eu-west-1.{instance}"));
    let labels = LABELS.map(str::to_owned);
    let taken = stage.with(|world, now| world.github_mut(now).take_job(now, &runner, &labels));
    let taken = taken.with_context(|| format!("nothing is queued, and job {job} should be"))?;
    ensure!(
        taken == job,
        "their runner took job {taken} instead of {job}"
    );
    Ok((instance, taken))
}

fn launch(world: &mut World, now: Timestamp) -> Result<InstanceId> {
    let template = TemplateRef::Name(world.settings().launch_template.clone());
    let request = CreateFleet {
        configs: vec![FleetConfig {
            template,
            version: "$Latest".to_owned(),
            overrides: vec![FleetOverride {
                instance_type: Some("c7a.large".to_owned()),
                subnet: Some("subnet-eu-west-1a".to_owned()),
                ..FleetOverride::default()
            }],
        }],
        spot: FleetTarget {
            count: 1,
            ..FleetTarget::default()
        },
        instance_tags: BTreeMap::from([("owner".to_owned(), "another-fleet".to_owned())]),
        ..CreateFleet::default()
    };
    let fleet = world
        .ec2_mut(now)
        .create_fleet(&Call::by_account(now), &request)?;
    fleet
        .instances()
        .next()
        .cloned()
        .context("EC2 launched nothing")
}

/// EC2 takes it back.
pub fn interrupt(stage: &Stage, instance: &InstanceId) -> Result<()> {
    let notice = Interruption::terminate(NOTICE);
    Ok(stage.with(|world, now| world.ec2_mut(now).interrupt(now, instance, notice))?)
}

/// The runner hears of its machine's end, and reports the job as failed.
pub async fn loses(stage: &Stage, instance: &InstanceId, job: JobId) -> Result<()> {
    stage
        .sees("the machine's end", |world, _| {
            (!world.hosts_up().any(|id| id == instance)).then_some(())
        })
        .await?;
    Ok(stage.with(|world, now| {
        world
            .github_mut(now)
            .finish_job(now, job, Conclusion::Failure, Vec::new())
    })?)
}
