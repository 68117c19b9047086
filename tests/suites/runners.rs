//! Just-in-time runners: the table's adapters against the simulated DynamoDB, and the real programs from
//! a queued job to its runner.

use anyhow::{Context, Result, ensure};
use reprise_agent::RunnerTable as _;
use reprise_agent::runner_row::RowFailure;
use reprise_model::ids::Repository;
use reprise_tests::harness::config::RUNNERS;
use reprise_tests::harness::operator::TOKEN;
use reprise_tests::harness::stage::{Setting, Stage};
use reprise_tests::harness::story::{Story, interrupted, on_spot, passes};
use reprise_tests::runner_suite::{self, RunnerPlace};
use reprise_tests::{isolated, world};
use reprise_world::github::{Faults, RunnerPlace as RegisteredAt};
use reprise_world::machine::RunnerStart;
use reprise_world::scenario::{JobExpectation, Scenario};
use reprise_world::world::WorldSettings;

#[tokio::test(flavor = "multi_thread")]
async fn the_runner_table_works_in_the_simulated_dynamodb() -> Result<()> {
    if let Some(place) = isolated::place::<RunnerPlace>()? {
        return runner_suite::run(&place).await;
    }
    let world = world::start().await?;
    let [place, _] = world::runner_places(&world)?;
    let test = "the_runner_table_works_in_the_simulated_dynamodb";
    isolated::run_again(test, world.aws_url(), &place).await
}

/// DynamoDB has no throughput for one row of a call, however often it is asked.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_the_table_never_takes_fails_alone() -> Result<()> {
    if let Some(place) = isolated::place::<RunnerPlace>()? {
        return runner_suite::one_row_fails(&place).await;
    }
    let world = world::start().await?;
    let [place, _] = world::runner_places(&world)?;
    world.with(|world, _| world.runner_table_mut().starve(runner_suite::STARVED));
    let test = "a_row_that_the_table_never_takes_fails_alone";
    isolated::run_again(test, world.aws_url(), &place).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_cannot_read_the_row_of_another() -> Result<()> {
    let world = world::start().await?;
    let [one, other] = world::runner_places(&world)?;
    let borrowed = RunnerPlace {
        instance: one.instance.clone(),
        ..other
    };
    let answer = one.reader(&one.table)?.read(&borrowed.request()).await;
    let denied = answer.err().context("it was answered")?;
    ensure!(matches!(denied, RowFailure::Denied { .. }), "{denied}");
    ensure!(
        one.reader(&one.table)?
            .read(&one.request())
            .await?
            .is_none()
    );
    Ok(())
}

fn just_in_time(world: &mut WorldSettings) {
    world.machines.runner = RunnerStart::JustInTime;
}

async fn stage(world: fn(&mut WorldSettings)) -> Result<Stage> {
    Stage::set(Setting {
        world,
        config: RUNNERS,
        ..Setting::default()
    })
    .await
}

/// Two jobs, of which one loses its instance and comes back.
fn story() -> Result<Scenario> {
    let story = Story::of("acme/shop")?
        .job(
            on_spot("e2e"),
            [interrupted(5), passes(10)],
            JobExpectation::Recovers,
        )
        .job(on_spot("docs"), [passes(10)], JobExpectation::Passes);
    Ok(story.ends(2, reprise_model::job::Conclusion::Success))
}

fn asked(stage: &Stage, route: &str) -> u64 {
    stage.with(|world, _| {
        let requests = world.github().requests();
        requests.get(route).copied().unwrap_or_default()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn each_instance_starts_the_runner_that_was_handed_over_to_it() -> Result<()> {
    let stage = stage(just_in_time).await?;
    let controller = stage.controller().await?;
    let scenario = story()?;
    stage.play(&scenario);
    stage.ends_well(&scenario).await?;
    controller.terminate().await?;
    let launches = u64::try_from(stage.launches())?;
    ensure!(launches == 3, "{launches} launches");
    ensure!(
        asked(&stage, "new runner") == launches,
        "one call a launched job"
    );
    ensure!(
        asked(&stage, "runner groups") == 1,
        "the group is looked up once"
    );
    stage.with(|world, _| {
        let requests = world.runner_table().requests();
        let calls = |action: &str| requests.get(action).copied().unwrap_or_default();
        // The two jobs of the push share a call; the one that comes back has its own.
        ensure!(calls("BatchWriteItem") == 2, "{requests:?}");
        ensure!(calls("GetItem") >= launches, "{requests:?}");
        ensure!(
            world.runner_table().keys().count() == 3,
            "a row an instance"
        );
        let labels = world.settings().tags.labels();
        let tagged = |id| {
            world
                .ec2()
                .instance(id)
                .is_some_and(|one| one.tags().contains_key(&labels))
        };
        ensure!(
            !world.launches().iter().any(tagged),
            "labels stand in a tag"
        );
        Ok(())
    })
}

/// The App's key and token, the role's credentials and the runner's configuration are all used here, each program says
/// all that it can, and one call of each kind fails.
#[tokio::test(flavor = "multi_thread")]
async fn no_log_tells_a_secret_at_its_loudest_either() -> Result<()> {
    let stage = Stage::set(Setting {
        world: just_in_time,
        config: RUNNERS,
        variables: vec![
            ("RUST_LOG", "trace"),
            ("REPRISE__API__TOKEN", TOKEN),
            ("REPRISE__API__LISTEN", "127.0.0.1:0"),
        ],
        ..Setting::default()
    })
    .await?;
    let controller = stage.controller().await?;
    stage.with(|world, now| {
        world.github_mut(now).faults_mut().fail_after_acting = 1;
        world.runner_table_mut().throttle(3);
    });
    let scenario = story()?;
    stage.play(&scenario);
    stage.ends_well(&scenario).await?;
    controller.terminate().await?;
    ensure!(asked(&stage, "new runner") >= 3, "no runner was made");
    let logs = stage.keeps_its_secrets()?;
    let launches = stage.launches();
    ensure!(logs == launches + 1, "{logs} logs, {launches} agents");
    Ok(())
}

/// Rows that the table's throughput is too small for are written a moment later.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_the_table_leaves_for_later_come_all_the_same() -> Result<()> {
    let stage = stage(just_in_time).await?;
    let controller = stage.controller().await?;
    stage.with(|world, _| world.runner_table_mut().throttle(3));
    let scenario = story()?;
    stage.play(&scenario);
    stage.ends_well(&scenario).await?;
    let launched = controller.decisions("launched")?;
    controller.terminate().await?;
    ensure!(stage.launches() == 3, "{} launches", stage.launches());
    ensure!(
        asked(&stage, "new runner") == 3,
        "{}: no runner is made twice",
        asked(&stage, "new runner")
    );
    // Who looks for the runner of a job finds it.
    let named = launched.iter().filter_map(|line| {
        let (runner, instance) = (line["runner.name"].as_str()?, line["instance.id"].as_str()?);
        runner.contains(instance).then_some(())
    });
    ensure!(named.count() == 3, "{launched:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_of_github_costs_a_name_and_nothing_else() -> Result<()> {
    let stage = stage(just_in_time).await?;
    let controller = stage.controller().await?;
    stage.with(|world, now| {
        *world.github_mut(now).faults_mut() = Faults {
            fail_after_acting: 1,
            ..Faults::default()
        };
    });
    let scenario = story()?;
    stage.play(&scenario);
    stage.ends_well(&scenario).await?;
    controller.terminate().await?;
    ensure!(
        asked(&stage, "new runner") == 4,
        "{}",
        asked(&stage, "new runner")
    );
    ensure!(stage.launches() == 3, "{} launches", stage.launches());
    let unused = stage.with(|world, _| world.github().registrations().count());
    ensure!(unused == 1, "{unused} runners are left");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_persons_account_gets_runners_at_its_repository() -> Result<()> {
    let stage = stage(|world| {
        just_in_time(world);
        world.github.people = vec!["acme".to_owned()];
        // Without a repository, nobody could say whose the installation is.
        let shop = "acme/shop".parse::<Repository>();
        world.github.repositories.extend(shop);
    })
    .await?;
    let controller = stage.controller().await?;
    stage.with(|world, now| world.github_mut(now).faults_mut().fail_after_acting = 1);
    let scenario = story()?;
    stage.play(&scenario);
    stage.ends_well(&scenario).await?;
    controller.terminate().await?;
    ensure!(
        asked(&stage, "runner groups") == 0,
        "a person has no groups"
    );
    // The one whose answer was lost is left, and shows where they were.
    let places: Vec<RegisteredAt> = stage.with(|world, _| {
        let runners = world.github().registrations();
        runners.map(|one| one.place.clone()).collect()
    });
    let expected = RegisteredAt::Repository("acme/shop".parse()?);
    ensure!(places == [expected], "{places:?}");
    Ok(())
}
