//! The whole loop with EC2 by moto and SQS by ministack: servers that nobody here wrote.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reprise_model::instance::Capacity;
use reprise_model::job::Conclusion;
use reprise_model::tags::{TRUE, TagKeys};
use reprise_tests::harness::elsewhere::{Bridge, Described};
use reprise_tests::harness::stage::{Setting, Stage};
use reprise_tests::harness::story::{Story, interrupted, on_spot, passes};
use reprise_tests::wait;
use reprise_world::invariants::{self, Broken};
use reprise_world::scenario::JobExpectation;
use reprise_world::world::{DeliveryMode, Queue};

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
    let rest = wait::until("rest", PATIENCE, async || {
        bridge.step(&stage).await?;
        let quiet = stage.with(|world, now| invariants::is_quiet(world, now));
        Ok(quiet.then_some(()))
    });
    rest.await.with_context(|| stage.so_far())?;

    let broken = stage.with(|world, _| invariants::check(world, &scenario));
    let broken: Vec<String> = broken.iter().map(Broken::to_string).collect();
    ensure!(broken.is_empty(), "{broken:#?}");
    let rows = [
        "acme/shop e2e 1 spot failure",
        "acme/shop e2e 2 on-demand success",
    ];
    ensure!(stage.rows() == rows, "{:#?}", stage.rows());
    moto_shows_the_tag_and_the_second_machine(&bridge.instances().await?)?;
    for queue in [Queue::Webhooks, Queue::Ec2Events] {
        let left = bridge.messages(queue).await?;
        ensure!(left == 0, "{left} messages are left of {queue:?}");
    }
    controller.is_healthy().await?;
    let status = controller.terminate().await?;
    ensure!(status.success(), "the controller ended with {status}");
    Ok(())
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
