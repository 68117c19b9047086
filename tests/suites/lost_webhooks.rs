//! Webhooks that do not arrive: delivered again, given up where all can see it, or done without.

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use reprise_model::delivery::HookEvent;
use reprise_model::job::Conclusion;
use reprise_tests::harness::stage::{Setting, Stage};
use reprise_tests::harness::story::{Story, interrupted, on_spot, passes};
use reprise_tests::wait;
use reprise_world::scenario::{JobExpectation, Scenario};

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(120);

/// The list is read every 20 s of the story, as sweeps go.
const REDELIVERS: [(&str, &str); 3] = [
    ("REPRISE__RETRY__SWEEP_EVERY", "10s"),
    ("REPRISE__GITHUB__REDELIVER_EVERY", "20s"),
    ("REPRISE__FLEET__FIND_QUEUED_EVERY", "0s"),
];

/// One job that loses its instance and comes back, beside one that passes.
fn story() -> Result<Scenario> {
    Ok(Story::of("acme/shop")?
        .job(
            on_spot("e2e"),
            [interrupted(5), passes(10)],
            JobExpectation::Recovers,
        )
        .job(on_spot("unit"), [passes(10)], JobExpectation::Passes)
        .ends(2, Conclusion::Success))
}

async fn stage(variables: &[(&'static str, &'static str)]) -> Result<Stage> {
    Stage::set(Setting {
        variables: variables.to_vec(),
        ..Setting::default()
    })
    .await
}

fn down_for(stage: &Stage, time: SignedDuration) {
    stage.with(|world, now: Timestamp| {
        let until = now.checked_add(time).unwrap_or(Timestamp::MAX);
        let faults = world.github_mut(now).faults_mut();
        faults.webhooks_down_until = Some(until);
    });
}

/// How often GitHub was asked by a route.
fn requests(stage: &Stage, route: &str) -> u64 {
    stage.with(|world, _| {
        let requests = world.github().requests();
        requests.get(route).copied().unwrap_or_default()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_lost_while_the_address_was_down_is_delivered_again_and_the_jobs_are_run()
-> Result<()> {
    let stage = stage(&REDELIVERS).await?;
    let mut controller = stage.controller().await?;
    down_for(&stage, SignedDuration::from_mins(2));
    stage.play(&story()?);
    let redelivery = controller
        .says("a redelivery", |line| line["decision"] == "redelivery")
        .await?;
    ensure!(redelivery["webhook.event"] == "job-queued", "{redelivery}");
    // Again, while the jobs run: their ends are lost, too.
    stage
        .sees("a running job", |world, _| {
            let mut jobs = world
                .github()
                .runs()
                .flat_map(|run| run.current().jobs.values());
            jobs.any(|job| job.runner.is_some()).then_some(())
        })
        .await?;
    down_for(&stage, SignedDuration::from_mins(5));
    stage.ends_well(&story()?).await?;
    let left = stage.with(|world, _| world.github().undelivered());
    let acted_on = |event| matches!(event, HookEvent::JobQueued | HookEvent::JobCompleted);
    ensure!(!left.iter().any(|one| acted_on(one.event)), "{left:?}");
    let given_up = controller.decisions("delivery-given-up")?;
    ensure!(given_up.is_empty(), "{given_up:?}");
    controller.is_healthy().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_never_arrives_is_given_up_where_log_and_metric_show_it() -> Result<()> {
    let variables = [
        ("REPRISE__RETRY__SWEEP_EVERY", "10s"),
        ("REPRISE__GITHUB__REDELIVER_EVERY", "20s"),
        ("REPRISE__GITHUB__REDELIVER_TRIES", "1"),
        ("REPRISE__FLEET__ENABLED", "false"),
    ];
    let stage = stage(&variables).await?;
    down_for(&stage, SignedDuration::from_hours(24));
    let scenario = story()?;
    stage.play(&scenario);
    stage.with(|world, now| {
        let run = world.github().runs().next().map(|run| run.id);
        let run = run.context("no run")?;
        world.github_mut(now).cancel_run(now, run, "mona");
        anyhow::Ok(())
    })?;
    let mut controller = stage.controller().await?;
    let given_up = controller.decides("delivery-given-up").await?;
    ensure!(given_up["reason"] == "tries-used-up", "{given_up}");
    ensure!(given_up["webhook.event"] != "job-queued", "{given_up}");
    let event = given_up["webhook.event"].as_str().context("no event")?;
    let series =
        format!("reprise_deliveries_given_up_total{{event=\"{event}\",reason=\"tries-used-up\"}}");
    let shown = wait::until("the metric", PATIENCE, async || {
        Ok((controller.counter(&series).await? > 0).then_some(()))
    });
    shown.await?;
    let asked = requests(&stage, "redeliver a webhook");
    ensure!(asked > 0, "it was given up without a try");
    controller.is_healthy().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queued_job_that_no_event_announced_is_found_and_gets_its_machine() -> Result<()> {
    let variables = [
        ("REPRISE__RETRY__SWEEP_EVERY", "20s"),
        ("REPRISE__GITHUB__REDELIVER_EVERY", "0s"),
        ("REPRISE__FLEET__FIND_QUEUED_EVERY", "1m"),
    ];
    let stage = stage(&variables).await?;
    let mut controller = stage.controller().await?;
    down_for(&stage, SignedDuration::from_secs(20));
    stage.play(&story()?);
    let found = controller.decides("unannounced").await?;
    ensure!(found["reason"] == "launch-due", "{found}");
    stage.ends_well(&story()?).await?;
    ensure!(requests(&stage, "webhook deliveries") == 0, "it is off");
    controller.is_healthy().await
}
