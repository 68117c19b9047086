//! Beside somebody else's fleet: interrupted jobs are re-run, machines are left alone.
//!
//! The test is that fleet: it launches instances of its own kind, runs their runners, and names them
//! as it likes. Their agents are real, and so is the controller.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use reprise_model::ids::{InstanceId, JobId, RunnerName};
use reprise_model::job::Conclusion;
use reprise_model::tags::TagKeys;
use reprise_tests::harness::stage::{Setting, Stage};
use reprise_world::ec2::{
    Call, CreateFleet, FleetConfig, FleetOverride, FleetTarget, Interruption, TemplateRef,
};
use reprise_world::github::{JobSpec, MutationKind, RunSpec};
use reprise_world::world::{Queue, World};

/// What their jobs ask for; it says nothing to us.
const LABELS: [&str; 2] = ["self-hosted", "linux"];

/// They give notice of half a minute in this test, to be through sooner.
const NOTICE: SignedDuration = SignedDuration::from_secs(30);

async fn stage() -> Result<Stage> {
    let pattern = r"^(?<region>[a-z]+-[a-z]+-\d)\.(?<instance>i-[0-9a-f]+)$";
    let setting = Setting {
        variables: vec![
            ("REPRISE__FLEET__ENABLED", "false"),
            ("REPRISE__RUNNER__NAME_PATTERN", pattern),
        ],
        config: "\n[[policy]]\nrepository = \"acme/*\"\njob = \"deploy*\"\nretry = \"false\"\n",
        ..Setting::default()
    };
    Stage::set(setting).await
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_jobs_of_a_foreign_fleet_are_re_run_once_and_its_machines_are_left_alone()
-> Result<()> {
    let stage = stage().await?;
    let mut controller = stage.controller().await?;
    let shop = push(&stage, "acme/shop", "e2e")?;
    let site = push(&stage, "acme/site", "deploy (production)")?;
    let spot = [take(&stage, shop).await?, take(&stage, site).await?];
    for (instance, _) in &spot {
        interrupt(&stage, instance)?;
    }
    for (instance, job) in &spot {
        loses(&stage, instance, *job).await?;
    }

    // The second attempt, on another machine of theirs.
    let again = stage
        .sees("the re-run", |world, _| {
            let run = world.github().runs().next()?;
            (run.current().number.get() == 2).then(|| run.current().jobs.keys().next().copied())?
        })
        .await?;
    let (second, job) = take(&stage, again).await?;
    ensure!(job == again, "their machine took job {job}");
    stage.with(|world, now| {
        world
            .github_mut(now)
            .finish_job(now, job, Conclusion::Success, Vec::new())
    })?;
    controller
        .says("the recovery", |line| {
            line["decision"] == "settled"
                && line["reason"] == "recovered"
                && line["job.name"] == "e2e"
        })
        .await?;
    let opted_out = controller
        .says("a verdict on the other job", |line| {
            line["decision"] == "settled" && line["job.name"] == "deploy (production)"
        })
        .await?;
    ensure!(opted_out["reason"] == "opted-out", "{opted_out}");
    stage
        .sees("empty queues", |world, _| {
            let empty = |queue| world.is_queue_empty(queue);
            (empty(Queue::Webhooks) && empty(Queue::Ec2Events)).then_some(())
        })
        .await?;

    let mutations = stage.mutations();
    let asked: Vec<_> = mutations
        .iter()
        .map(|one| (one.what, one.answer, one.job))
        .collect();
    ensure!(
        asked == [(MutationKind::RerunJob, 201, Some(shop))],
        "{mutations:?}"
    );
    stage.with(|world, _| {
        ensure!(world.machines().count() == 3, "somebody else launched");
        ensure!(
            world.terminations().is_empty(),
            "{:?}",
            world.terminations()
        );
        let lives = world
            .ec2()
            .instance(&second)
            .is_some_and(|instance| instance.is_alive());
        ensure!(lives, "the machine of the second attempt was ended");
        let tag = TagKeys::default().interrupted();
        let tagged = |id| {
            world
                .ec2()
                .instance(id)
                .is_some_and(|one| one.tags().contains_key(&tag))
        };
        ensure!(
            spot.iter().all(|(id, _)| tagged(id)) && !tagged(&second),
            "tags are not the agents'"
        );
        Ok(())
    })?;
    controller.is_healthy().await
}

/// A run with one job; answers the job.
fn push(stage: &Stage, repository: &str, job: &str) -> Result<JobId> {
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
async fn take(stage: &Stage, job: JobId) -> Result<(InstanceId, JobId)> {
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

fn interrupt(stage: &Stage, instance: &InstanceId) -> Result<()> {
    let notice = Interruption::terminate(NOTICE);
    Ok(stage.with(|world, now| world.ec2_mut(now).interrupt(now, instance, notice))?)
}

/// The runner hears of its machine's end, and reports the job as failed.
async fn loses(stage: &Stage, instance: &InstanceId, job: JobId) -> Result<()> {
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
