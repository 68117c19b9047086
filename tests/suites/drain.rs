//! The controller ends, or is killed, in the middle of its work; another one takes over its ledger.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use reprise_model::job::Conclusion;
use reprise_tests::harness::gate::Gate;
use reprise_tests::harness::replicas::Replicas;
use reprise_tests::harness::stage::{Setting, Stage};
use reprise_tests::harness::story::{Story, fails, interrupted, on_spot, passes};
use reprise_world::github::MutationKind;
use reprise_world::scenario::{JobExpectation, Scenario};
use reprise_world::world::{Queue, World};

/// One job loses its instance, and another still runs long after; so the run is awaited.
fn interrupted_beside_a_long_job() -> Result<Story> {
    Ok(Story::of("acme/shop")?
        .job(
            on_spot("e2e"),
            [interrupted(5), passes(10)],
            JobExpectation::Recovers,
        )
        .job(on_spot("docs"), [passes(240)], JobExpectation::Passes))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_is_asked_to_end_hands_its_work_back_and_the_next_one_finishes_it_once()
-> Result<()> {
    let stage = Stage::set(Setting {
        // Longer than the story needs to come to the moment of the end.
        variables: vec![("REPRISE__RETRY__LOOK_WINDOW", "90s")],
        ..Setting::default()
    });
    let stage = stage.await?;
    // It fails by itself shortly before the notice's end: looked at while the other is awaited.
    let scenario = interrupted_beside_a_long_job()?
        .job(
            on_spot("contract"),
            [fails(125)],
            JobExpectation::StaysFailed,
        )
        .ends(2, Conclusion::Failure);
    let mut first = stage.controller().await?;
    stage.play(&scenario);
    first.decides("awaiting").await?;
    stage
        .sees("a job that is looked at", |world, now| {
            (has_failed(world, "contract") && held(world, now)).then_some(())
        })
        .await?;

    let status = first.terminate().await?;
    ensure!(status.success(), "it ended with {status}");
    let counts = stage.messages(Queue::Webhooks)?;
    ensure!(counts.in_flight == 0, "somebody still holds {counts:?}");
    ensure!(
        counts.visible >= 1,
        "the message of the job was not handed back: {counts:?}"
    );
    ensure!(stage.mutations().is_empty(), "{:?}", stage.mutations());

    let second = stage.controller().await?;
    stage.ends_well(&scenario).await?;
    asked_once(&stage)?;
    let settled = second.decisions("settled")?;
    let contract = settled.iter().find(|line| line["job.name"] == "contract");
    let contract = contract.context("nobody settled the job that was looked at")?;
    ensure!(contract["reason"] == "not-interrupted", "{contract}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_is_killed_between_evidence_and_re_run_is_followed_by_one_that_asks_once()
-> Result<()> {
    let stage = Stage::usual().await?;
    let scenario = interrupted_beside_a_long_job()?.ends(2, Conclusion::Success);
    let mut first = stage.controller().await?;
    stage.play(&scenario);
    first.decides("awaiting").await?;
    first.kill().await?;
    // It is down when the run completes: the event waits in the queue.
    stage
        .sees("the run's end", |world, _| run_has_ended(world))
        .await?;
    ensure!(stage.mutations().is_empty(), "{:?}", stage.mutations());

    let mut second = stage.controller().await?;
    stage.ends_well(&scenario).await?;
    asked_once(&stage)?;
    second.is_healthy().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_is_killed_right_after_it_asked_reads_before_the_next_one_asks()
-> Result<()> {
    let stage = Stage::usual().await?;
    let scenario = short_loop()?;
    let first = stage.controller().await?;
    stage.play(&scenario);
    stage
        .sees("the re-run", |world, _| {
            (!world.github().mutations().is_empty()).then_some(())
        })
        .await?;
    first.kill().await?;
    let _second = stage.controller().await?;
    stage.ends_well(&scenario).await?;
    asked_once(&stage)
}

/// ECS kills after 30 s.
const DRAINS_WITHIN: SignedDuration = SignedDuration::from_secs(25);

/// Slow enough that a busy machine's hiccups are short against those seconds.
const SLOW: f64 = 12.0;

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_are_asked_to_end_while_github_hangs_do_so_in_time_and_the_last_one_finishes_once()
-> Result<()> {
    let github = Gate::build().await?;
    let stage = Stage::set(Setting {
        speed: SLOW,
        // Longer than the story needs to come to the moment of the end.
        variables: vec![("REPRISE__RETRY__LOOK_WINDOW", "90s")],
        places: {
            let github = Arc::clone(&github);
            Box::new(move |places| github.stand_before(&mut places.github_url))
        },
        ..Setting::default()
    });
    let stage = stage.await?;
    // It is looked at when the run of the other one is read.
    let contract = Story::of("acme/api")?
        .job(
            on_spot("contract"),
            [fails(125)],
            JobExpectation::StaysFailed,
        )
        .ends(1, Conclusion::Failure);
    let mut scenario = short_loop()?;
    scenario.runs.extend(contract.runs);
    let mut replicas = Replicas::start(&stage, 3).await?;
    stage.play(&scenario);
    stage
        .sees("a job that is looked at", |world, _| {
            has_failed(world, "contract").then_some(())
        })
        .await?;
    github.shut();
    stage
        .sees("a request that GitHub leaves without an answer", |_, _| {
            (github.knocks() > 0).then_some(())
        })
        .await?;
    for place in [0, 1] {
        let took = replicas.terminate_one(place).await?;
        ensure!(took < DRAINS_WITHIN, "replica {place} took {took:#}");
    }
    ensure!(stage.mutations().is_empty(), "{:?}", stage.mutations());

    github.open();
    stage.ends_well(&scenario).await?;
    asked_once(&stage)?;
    replicas.terminate().await
}

fn short_loop() -> Result<Scenario> {
    Ok(Story::of("acme/shop")?
        .job(
            on_spot("e2e"),
            [interrupted(5), passes(10)],
            JobExpectation::Recovers,
        )
        .ends(2, Conclusion::Success))
}

fn asked_once(stage: &Stage) -> Result<()> {
    let mutations = stage.mutations();
    let asked: Vec<_> = mutations.iter().map(|one| (one.what, one.answer)).collect();
    ensure!(
        asked == [(MutationKind::RerunJob, 201)],
        "GitHub was asked: {mutations:?}"
    );
    Ok(())
}

fn has_failed(world: &World, name: &str) -> bool {
    let jobs = world
        .github()
        .runs()
        .flat_map(|run| run.current().jobs.values());
    jobs.filter(|job| job.name == name)
        .any(|job| job.conclusion == Some(Conclusion::Failure))
}

/// Whether a message was received and all others were dealt with.
fn held(world: &mut World, now: Timestamp) -> bool {
    let name = world.settings().queues.of(Queue::Webhooks).to_owned();
    let counts = world.sqs_mut(now).counts(now, &name);
    counts.is_ok_and(|counts| counts.visible == 0 && counts.in_flight == 1)
}

fn run_has_ended(world: &World) -> Option<()> {
    let run = world.github().runs().next()?;
    (!run.is_active()).then_some(())
}
