//! Beside somebody else's fleet: interrupted jobs are re-run, machines are left alone.
//!
//! The test is that fleet: it launches instances of its own kind, runs their runners, and names them
//! as it likes. Their agents are real, and so is the controller.

use anyhow::{Result, ensure};
use reprise_model::job::Conclusion;
use reprise_model::tags::TagKeys;
use reprise_tests::harness::foreign::{NAME_PATTERN, interrupt, loses, push, take};
use reprise_tests::harness::stage::{Setting, Stage};
use reprise_world::github::MutationKind;
use reprise_world::world::Queue;

async fn stage() -> Result<Stage> {
    let setting = Setting {
        variables: vec![
            ("REPRISE__FLEET__ENABLED", "false"),
            ("REPRISE__RUNNER__NAME_PATTERN", NAME_PATTERN),
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
