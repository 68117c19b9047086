//! The whole loop while GitHub, EC2 and the delivery of webhooks misbehave.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::SignedDuration;
use reprise_model::job::Conclusion;
use reprise_tests::harness::messages::Letter;
use reprise_tests::harness::stage::{Setting, Stage};
use reprise_tests::harness::story::{Story, interrupted, on_spot, passes};
use reprise_tests::wait;
use reprise_world::github::{JobSpec, Mutation, MutationKind};
use reprise_world::invariants;
use reprise_world::scenario::{JobExpectation, Scenario};
use reprise_world::world::{DeliveryMode, Outgoing, Queue};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(120);

/// One job that loses its instance and comes back.
fn short() -> Result<Scenario> {
    Ok(Story::of("acme/shop")?
        .job(
            on_spot("e2e"),
            [interrupted(5), passes(10)],
            JobExpectation::Recovers,
        )
        .ends(2, Conclusion::Success))
}

/// What was asked, how it was answered, and whether it was done.
fn asked(mutations: &[Mutation]) -> Vec<(MutationKind, u16, bool)> {
    let asked = mutations.iter();
    asked.map(|one| (one.what, one.answer, one.acted)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_re_run_whose_answer_was_lost_is_found_out_and_not_asked_for_again() -> Result<()> {
    let stage = Stage::usual().await?;
    let _controller = stage.controller().await?;
    stage.with(|world, now| world.github_mut(now).faults_mut().fail_after_acting = 1);
    stage.play(&short()?);
    stage.ends_well(&short()?).await?;
    let asked = asked(&stage.mutations());
    ensure!(asked == [(MutationKind::RerunJob, 500, true)], "{asked:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_re_run_that_github_failed_to_start_is_asked_for_again_after_reading() -> Result<()> {
    let stage = Stage::usual().await?;
    let _controller = stage.controller().await?;
    stage.with(|world, now| world.github_mut(now).faults_mut().fail_before_acting = 1);
    stage.play(&short()?);
    stage.ends_well(&short()?).await?;
    let asked = asked(&stage.mutations());
    let wanted = [
        (MutationKind::RerunJob, 500, false),
        (MutationKind::RerunJob, 201, true),
    ];
    ensure!(asked == wanted, "{asked:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn githubs_secondary_limit_delays_the_re_run_and_nothing_else() -> Result<()> {
    let stage = Stage::usual().await?;
    let mut controller = stage.controller().await?;
    stage.play(&short()?);
    stage
        .sees("a notice", |world, _| {
            world
                .machines()
                .any(|one| one.notice_at.is_some())
                .then_some(())
        })
        .await?;
    // Past the end of the notice and of the run.
    let until = stage.with(|world, now| {
        let until = now + SignedDuration::from_secs(240);
        world.github_mut(now).faults_mut().secondary_limit_until = Some(until);
        until
    });
    // Nothing happens in the world while the limit lasts, which is no rest.
    stage
        .sees("the re-run", |world, _| {
            world
                .github()
                .mutations()
                .iter()
                .any(|one| one.acted)
                .then_some(())
        })
        .await?;
    stage.ends_well(&short()?).await?;
    let mutations = stage.mutations();
    let acted: Vec<_> = mutations.iter().filter(|one| one.acted).collect();
    ensure!(
        acted.len() == 1 && acted[0].at >= until,
        "until {until}: {mutations:?}"
    );
    controller.is_healthy().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ec2_whose_descriptions_lag_twenty_seconds_behind_changes_no_outcome() -> Result<()> {
    let stage = Stage::usual().await?;
    let _controller = stage.controller().await?;
    stage.with(|world, now| {
        world
            .ec2_mut(now)
            .set_list_delay(SignedDuration::from_secs(20))
    });
    stage.play(&short()?);
    stage.ends_well(&short()?).await?;
    ensure!(stage.launches() == 2, "{} launches", stage.launches());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_said_to_have_completed_too_early_is_read_and_left_alone() -> Result<()> {
    let stage = Stage::usual().await?;
    let mut controller = stage.controller().await?;
    let scenario = Story::of("acme/shop")?
        .job(
            on_spot("e2e"),
            [interrupted(5), passes(10)],
            JobExpectation::Recovers,
        )
        .job(on_spot("docs"), [passes(200)], JobExpectation::Passes)
        .ends(2, Conclusion::Success);
    stage.play(&scenario);
    controller.decides("awaiting").await?;
    stage.with(|world, now| {
        let github = world.github_mut(now);
        let run = github.runs().next().map(|run| run.id).context("no run")?;
        ensure!(
            github.run(run).is_some_and(|run| run.is_active()),
            "it is not early any more"
        );
        github.send_early_completed(now, run);
        Ok(())
    })?;
    stage.ends_well(&scenario).await?;
    // A re-run while the run is active would have been answered by 403.
    let asked = asked(&stage.mutations());
    ensure!(asked == [(MutationKind::RerunJob, 201, true)], "{asked:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_that_rerun_failed_jobs_left_behind_is_asked_for_by_itself() -> Result<()> {
    let stage = Stage::set(Setting {
        world: |settings| settings.github.rerun_failed_takes_cancelled = false,
        ..Setting::default()
    });
    let stage = stage.await?;
    let _controller = stage.controller().await?;
    // Both lose their instances; fail-fast cancels the second before its own is gone.
    let scenario = Story::of("acme/shop")?
        .job(
            on_spot_of_matrix("1"),
            [interrupted(5), passes(10)],
            JobExpectation::Recovers,
        )
        .job(
            on_spot_of_matrix("2"),
            [interrupted(45), passes(10)],
            JobExpectation::Recovers,
        )
        .ends(3, Conclusion::Success);
    stage.play(&scenario);
    stage.ends_well(&scenario).await?;
    let rows = [
        "acme/shop test (1) 1 spot failure",
        "acme/shop test (2) 1 spot cancelled",
        "acme/shop test (1) 2 on-demand success",
        "acme/shop test (2) 3 on-demand success",
    ];
    ensure!(stage.rows() == rows, "{}", stage.so_far());
    let asked = asked(&stage.mutations());
    let wanted = [
        (MutationKind::RerunFailedJobs, 201, true),
        (MutationKind::RerunJob, 201, true),
    ];
    ensure!(asked == wanted, "{asked:?}");
    Ok(())
}

/// `test (SHARD)` of a matrix with fail-fast.
fn on_spot_of_matrix(shard: &str) -> JobSpec {
    let mut job = on_spot(&format!("test-{shard}")).matrix("test", true);
    job.name = format!("test ({shard})");
    job
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_job_whose_webhooks_were_lost_is_found_by_a_sweep() -> Result<()> {
    let stage = Stage::set(Setting {
        world: |settings| settings.delivery = DeliveryMode::Elsewhere,
        variables: vec![("REPRISE__RETRY__SWEEP_EVERY", "20s")],
        ..Setting::default()
    });
    let stage = stage.await?;
    let mut controller = stage.controller().await?;
    let scenario = short()?;
    stage.play(&scenario);
    let mut lost = 0;
    let rest = wait::until("rest", PATIENCE, async || {
        for outgoing in stage.with(|world, _| world.take_outgoing()) {
            if tells_of_the_first_attempts_end(&outgoing)? {
                lost += 1;
            } else {
                let queue = outgoing.queue;
                stage.send(queue, &Letter::from(outgoing)).await?;
            }
        }
        // The sweep is to find it, so rest means more than that nothing happens.
        let recovered = stage.with(|world, _| {
            world
                .github()
                .runs()
                .all(|run| run.current().number.get() == 2)
        });
        let quiet = stage.with(|world, now| invariants::is_quiet(world, now));
        Ok((recovered && quiet).then_some(()))
    });
    rest.await.with_context(|| stage.so_far())?;
    ensure!(lost == 3, "{lost} messages were lost");
    stage.ends_well(&scenario).await?;
    let found = "the job of an interrupted instance is judged without its own event";
    controller
        .says(found, |line| line["message"] == found)
        .await?;
    let asked = asked(&stage.mutations());
    ensure!(asked == [(MutationKind::RerunJob, 201, true)], "{asked:?}");
    Ok(())
}

/// The end of the job, the end of its run, and EC2's warning.
fn tells_of_the_first_attempts_end(outgoing: &Outgoing) -> Result<bool> {
    let body: Value = serde_json::from_str(&outgoing.body)?;
    Ok(match outgoing.queue {
        Queue::Ec2Events => body["detail-type"] == "EC2 Spot Instance Interruption Warning",
        Queue::Webhooks => {
            let first = |object: &str| body[object]["run_attempt"] == 1;
            body["action"] == "completed" && (first("workflow_job") || first("workflow_run"))
        }
    })
}
