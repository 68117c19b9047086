//! Two regions: labels choose among them, and what happens in the second is seen and mended there.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reprise_model::ids::Region;
use reprise_model::instance::Capacity;
use reprise_model::job::Conclusion;
use reprise_tests::harness::stage::{Setting, Stage};
use reprise_tests::harness::story::{Story, interrupted, passes};
use reprise_tests::wait;
use reprise_world::ec2::Action;
use reprise_world::github::JobSpec;
use reprise_world::machine::RunnerStart;
use reprise_world::scenario::{JobExpectation, RUN_PLACEHOLDER};
use reprise_world::world::World;

const HOME: &str = "eu-west-1";
const SECOND: &str = "eu-central-1";

/// A sweep comes each minute of the story.
const SOON: Duration = Duration::from_secs(60);

/// The second region, and a runner table of the same name in each.
const CONFIG: &str = r#"
[[aws.regions]]
region = "eu-central-1"
account = "123456789012"
subnets = ["subnet-eu-central-1a", "subnet-eu-central-1b"]

[runner]
table = "reprise-runners"
role_id = "AROAFAKEFAKEFAKEFAKE0"
"#;

async fn stage() -> Result<Stage> {
    Stage::set(Setting {
        world: |world| {
            world.further_regions = vec![Region::new(SECOND)];
            world.machines.runner = RunnerStart::JustInTime;
        },
        config: CONFIG,
        ..Setting::default()
    })
    .await
}

fn job(name: &str, more: &str) -> JobSpec {
    let label = format!("runs-on={RUN_PLACEHOLDER}-{name}/family=c7a{more}");
    JobSpec::new(name, [label])
}

/// In which region each instance of a job was, in the order of attempts, and as what.
fn hosts(world: &World, job: &str) -> Vec<(String, Capacity)> {
    let runs = world.github().runs();
    let executions = runs.flat_map(|run| run.executions(job));
    executions
        .filter_map(|job| {
            let machine = world.machine_of_runner(&job.runner.as_ref()?.name)?;
            let region = world.region_of(&machine.id)?;
            Some((region.to_string(), machine.capacity))
        })
        .collect()
}

/// How often an action of EC2 was called in each region, home first.
fn calls(world: &World, action: Action) -> [u64; 2] {
    [HOME, SECOND].map(|region| {
        let ec2 = world.ec2_in(&Region::new(region));
        let count = ec2.and_then(|ec2| ec2.call_counts().get(&action).copied());
        count.unwrap_or_default()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_choose_among_the_regions_and_each_is_left_clean() -> Result<()> {
    let stage = stage().await?;
    let controller = stage.controller().await?;
    let story = Story::of("acme/shop")?
        .job(job("anywhere", ""), [passes(10)], JobExpectation::Passes)
        .job(
            job("here", "/region=eu-west-1"),
            [passes(10)],
            JobExpectation::Passes,
        )
        .job(
            job("there", "/region=eu-central-1"),
            [passes(10)],
            JobExpectation::Passes,
        );
    let scenario = story.ends(1, Conclusion::Success);
    stage.play(&scenario);
    stage.ends_well(&scenario).await?;
    controller.terminate().await?;
    stage.with(|world, _| {
        for (job, region) in [("anywhere", HOME), ("here", HOME), ("there", SECOND)] {
            let hosts = hosts(world, job);
            let expected = [(region.to_owned(), Capacity::Spot)];
            ensure!(hosts == expected, "{job} ran on {hosts:?}");
        }
        let launches = calls(world, Action::CreateFleet);
        // Two of them are alike, and may share a call.
        ensure!(
            launches[0] <= 2 && launches[1] == 1,
            "{launches:?} launches"
        );
        let ends = calls(world, Action::TerminateInstances);
        ensure!(ends.iter().all(|count| *count > 0), "{ends:?} ends");
        for (region, rows) in [(HOME, 2), (SECOND, 1)] {
            let table = world.runner_table_in(&Region::new(region));
            let written = table.context("no table")?.keys().count();
            ensure!(written == rows, "{written} rows in {region}");
        }
        Ok(())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interruption_in_the_second_region_is_mended_there() -> Result<()> {
    let stage = stage().await?;
    let controller = stage.controller().await?;
    let story = Story::of("acme/shop")?.job(
        job("e2e", "/region=eu-central-1"),
        [interrupted(5), passes(10)],
        JobExpectation::Recovers,
    );
    let scenario = story.ends(2, Conclusion::Success);
    stage.play(&scenario);
    stage.ends_well(&scenario).await?;
    let evidence = controller.decisions("evidence")?;
    ensure!(
        !evidence.is_empty()
            && evidence
                .iter()
                .all(|line| line["instance.region"] == SECOND),
        "{evidence:#?}"
    );
    controller.terminate().await?;
    let hosts = stage.with(|world, _| hosts(world, "e2e"));
    let expected =
        [Capacity::Spot, Capacity::OnDemand].map(|capacity| (SECOND.to_owned(), capacity));
    ensure!(hosts == expected, "it ran on {hosts:?}");
    let launches = stage.with(|world, _| calls(world, Action::CreateFleet));
    ensure!(launches == [0, 2], "{launches:?} launches");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_is_not_configured_is_refused_by_name() -> Result<()> {
    let stage = stage().await?;
    let mut controller = stage.controller().await?;
    let story = Story::of("acme/shop")?.job(
        job("far", "/region=eu-centrall-1"),
        [passes(10)],
        JobExpectation::Passes,
    );
    stage.play(&story.ends(1, Conclusion::Success));
    let refused = controller.decides("launch-refused").await?;
    ensure!(refused["reason"] == "unknown-region", "{refused}");
    let detail = refused["detail"].as_str().context("no detail")?;
    ensure!(
        detail.contains("region=eu-centrall-1") && detail.contains(SECOND),
        "it does not name what was asked for and what there is: {detail}"
    );
    controller.counts("webhooks", "launch-refused", 1).await?;
    controller.is_healthy().await?;
    ensure!(stage.launches() == 0, "{} launches", stage.launches());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_serves_nothing_in_the_second_region_is_ended_by_the_sweep() -> Result<()> {
    let stage = stage().await?;
    let controller = stage.controller().await?;
    let story = Story::of("acme/shop")?.job(
        job("unwanted", "/region=eu-central-1"),
        [passes(10)],
        JobExpectation::Passes,
    );
    stage.play(&story.ends(1, Conclusion::Success));
    let host = stage.sees("a machine", |world, _| world.launches().first().cloned());
    let host = host.await?;
    stage.with(|world, now| {
        let run = world.nth_run(0).context("no run")?;
        ensure!(world.person_cancels(now, run, "alice"), "it went on");
        Ok(())
    })?;
    let age = "reprise_image_age_seconds{image=\"ami-0123456789abcdef0\",region=\"eu-central-1\"}";
    let shown = wait::until("the age of its image", SOON, async || {
        let age = controller.counter(age).await?;
        Ok((age > 0).then_some(age))
    });
    let shown = shown.await.with_context(|| stage.so_far())?;
    let days = shown / (24 * 3600);
    ensure!(days == 10, "{days} days");
    let runner = age.replace("reprise_image_age", "reprise_runner_age");
    let runner = controller.counter(&runner).await? / (24 * 3600);
    ensure!(runner == 10, "without a tag it is as old: {runner} days");
    let ended = stage.sees("its end", |world, _| world.terminations().first().cloned());
    let ended = ended.await?;
    ensure!(ended.instance == host && ended.ours, "{ended:?}");
    let lists = stage.with(|world, _| calls(world, Action::DescribeInstances));
    ensure!(lists.iter().all(|count| *count > 0), "{lists:?} looks");
    controller.terminate().await?;
    Ok(())
}
