//! The whole loop with EC2 by moto and SQS by ministack: servers that nobody here wrote.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reprise_model::instance::Capacity;
use reprise_model::job::Conclusion;
use reprise_model::tags::{TRUE, TagKeys};
use reprise_tests::harness::elsewhere::{Bridge, Described};
use reprise_tests::harness::stage::{Setting, Stage};
use reprise_tests::harness::story::{Story, interrupted, on_spot, passes};
use reprise_tests::microburst::{Faults, Microburst};
use reprise_tests::wait;
use reprise_world::invariants::{self, Broken};
use reprise_world::scenario::{JobExpectation, Scenario};
use reprise_world::world::{DeliveryMode, Queue};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_job_comes_back_on_demand_on_motos_ec2_and_ministacks_sqs() -> Result<()> {
    let (mut bridge, places) = Bridge::start().await?;
    let stage = Stage::set(Setting {
        world: |settings| settings.delivery = DeliveryMode::Elsewhere,
        places: Box::new(places),
        ..Setting::default()
    });
    let stage = stage.await?;
    let scenario = Story::of("acme/shop")?
        .job(
            on_spot("e2e"),
            [interrupted(15), passes(20)],
            JobExpectation::Recovers,
        )
        .ends(2, Conclusion::Success);
    let mut controller = stage.controller().await?;
    stage.play(&scenario);
    comes_to_rest(&stage, &mut bridge, &scenario).await?;
    let rows = [
        "acme/shop e2e 1 spot failure",
        "acme/shop e2e 2 on-demand success",
    ];
    ensure!(stage.rows() == rows, "{:#?}", stage.rows());
    moto_shows_the_tag_and_the_second_machine(&bridge.instances().await?)?;
    the_queues_run_empty(&bridge).await?;
    controller.is_healthy().await?;
    let status = controller.terminate().await?;
    ensure!(status.success(), "the controller ended with {status}");
    Ok(())
}

/// What EC2 refuses or loses before it acts, on every call that a job's life takes. moto knows no client
/// token, so nothing is lost that was done.
#[tokio::test(flavor = "multi_thread")]
async fn jobs_get_one_machine_each_through_throttles_errors_and_lost_connections() -> Result<()> {
    let (mut bridge, places) = Bridge::start().await?;
    let microburst = Microburst::start(&bridge.ec2_url()).await?;
    let before_moto = microburst.url();
    let stage = Stage::set(Setting {
        world: |settings| settings.delivery = DeliveryMode::Elsewhere,
        places: Box::new(move |there| {
            places(there);
            there.ec2_url = before_moto;
        }),
        ..Setting::default()
    });
    let stage = stage.await?;
    let scenario = Story::of("acme/shop")?
        .job(on_spot("unit"), [passes(20)], JobExpectation::Passes)
        .job(
            on_spot("e2e"),
            [interrupted(15), passes(20)],
            JobExpectation::Recovers,
        )
        .ends(2, Conclusion::Success);
    let controller = stage.controller().await?;
    let faults = Faults::of(&microburst.url());
    faults.set(a_bad_minute()).await?;
    stage.play(&scenario);
    comes_to_rest(&stage, &mut bridge, &scenario).await?;

    let rows = [
        "acme/shop unit 1 spot success",
        "acme/shop e2e 1 spot failure",
        "acme/shop e2e 2 on-demand success",
    ];
    ensure!(stage.rows() == rows, "{:#?}", stage.rows());
    let instances = bridge.instances().await?;
    ensure!(instances.len() == 3, "{instances:#?}");
    let mut fired = faults.fired().await?;
    fired.sort();
    ensure!(fired == all_of_it(&a_bad_minute()), "{fired:#?}");
    the_queues_run_empty(&bridge).await?;
    let status = controller.terminate().await?;
    ensure!(status.success(), "the controller ended with {status}");
    Ok(())
}

fn a_bad_minute() -> Value {
    let error = |what: &str, times: u32, code: &str, status: u16| {
        let error = json!({ "code": code, "status": status });
        json!({ "service": "ec2", "operation": what, "times": times, "error": error })
    };
    let reset =
        |what: &str| json!({ "service": "ec2", "operation": what, "times": 1, "reset": true });
    let throttled = "RequestLimitExceeded";
    json!([
        error("CreateFleet", 6, throttled, 503),
        error("CreateFleet", 1, "InternalError", 500),
        reset("CreateFleet"),
        error("DescribeInstances", 3, throttled, 503),
        reset("DescribeInstances"),
        error("CreateTags", 3, throttled, 503),
        error("TerminateInstances", 4, throttled, 503),
        error("TerminateInstances", 1, "Unavailable", 503),
    ])
}

/// How microburst tells these faults, when each has happened as often as it may.
fn all_of_it(rules: &Value) -> Vec<String> {
    let mut all = Vec::new();
    for rule in rules.as_array().into_iter().flatten() {
        let what = rule["operation"].as_str().unwrap_or_default();
        let code = rule["error"]["code"].as_str();
        let word = code.map_or("reset".to_owned(), |code| format!("error:{code}"));
        let times = rule["times"].as_u64().unwrap_or_default();
        all.extend((0..times).map(|_| format!("{what} {word}")));
    }
    all.sort();
    all
}

async fn comes_to_rest(stage: &Stage, bridge: &mut Bridge, scenario: &Scenario) -> Result<()> {
    let rest = wait::until("rest", PATIENCE, async || {
        bridge.step(stage).await?;
        let quiet = stage.with(|world, now| invariants::is_quiet(world, now));
        Ok(quiet.then_some(()))
    });
    rest.await.with_context(|| stage.so_far())?;
    let broken = stage.with(|world, _| invariants::check(world, scenario));
    let broken: Vec<String> = broken.iter().map(Broken::to_string).collect();
    ensure!(broken.is_empty(), "{broken:#?}");
    Ok(())
}

/// Deletions wait for company, and so do the last calls for their turn.
async fn the_queues_run_empty(bridge: &Bridge) -> Result<()> {
    let empty = wait::until("the queues to run empty", PATIENCE, async || {
        let webhooks = bridge.messages(Queue::Webhooks).await?;
        let ec2_events = bridge.messages(Queue::Ec2Events).await?;
        Ok((webhooks + ec2_events == 0).then_some(()))
    });
    empty.await
}

fn moto_shows_the_tag_and_the_second_machine(instances: &[Described]) -> Result<()> {
    let of = |capacity| instances.iter().find(move |one| one.capacity == capacity);
    let spot = of(Capacity::Spot).context("moto never launched spot")?;
    let steady = of(Capacity::OnDemand).context("moto never launched on-demand")?;
    ensure!(instances.len() == 2, "{instances:#?}");
    let tag = TagKeys::default().interrupted();
    let tagged = |one: &Described| one.tags.get(&tag).map(String::as_str) == Some(TRUE);
    ensure!(tagged(spot), "the agent's tag is missing: {spot:#?}");
    // The market that took it is the world's; moto leaves it to whoever ends it, and nobody may.
    ensure!(spot.state == "running", "{spot:#?}");
    ensure!(!tagged(steady), "{steady:#?}");
    ensure!(steady.state == "terminated", "{steady:#?}");
    Ok(())
}
