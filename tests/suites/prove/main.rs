//! `reprise doctor` and `reprise interrupt`, as somebody uses them who has just set everything up.

mod doctor;
mod drill;
mod regions;
mod secrets;

use std::process::Stdio;

use anyhow::Result;
use reprise_model::ids::{InstanceId, JobId, RunId};
use reprise_model::job::{Conclusion, JobStatus};
use reprise_tests::harness::controller::Controller;
use reprise_tests::harness::operator::{Said, operator, said};
use reprise_tests::harness::stage::Stage;
use reprise_tests::harness::story::{Story, on_spot, passes};
use reprise_world::drills::DRILL_TARGET;
use reprise_world::scenario::JobExpectation;
use tokio::process::Command;

/// Seconds of the story: longer than a notice, so that the drill comes before the job's own end.
const LONG: i64 = 900;

fn command(stage: &Stage, arguments: &[&str]) -> Result<Command> {
    let mut command = operator("http://127.0.0.1:9", arguments)?;
    command
        .env("REPRISE_CONFIG", stage.config())
        .env("AWS_ENDPOINT_URL", stage.world().aws_url())
        .env("AWS_REGION", stage.places().region.as_str())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ACCESS_KEY_ID", "AKIAFAKETESTFAKETEST")
        .env("AWS_SECRET_ACCESS_KEY", "fake-secret-key-of-the-tests")
        .stdin(Stdio::null());
    Ok(command)
}

async fn asked(stage: &Stage, arguments: &[&str]) -> Result<Said> {
    said(command(stage, arguments)?).await
}

/// A stage on which one job runs on spot, and where.
struct Running {
    stage: Stage,
    controller: Controller,
    run: RunId,
    job: JobId,
    host: InstanceId,
}

impl Running {
    async fn new() -> Result<Self> {
        let stage = Stage::usual().await?;
        let controller = stage.controller().await?;
        let story = Story::of("acme/shop")?.job(
            on_spot("e2e"),
            [passes(LONG), passes(10)],
            JobExpectation::Recovers,
        );
        stage.play(&story.ends(2, Conclusion::Success));
        let seen = stage.sees("a job that runs", |world, _| {
            let run = world.github().runs().next()?;
            let job = run.current().jobs.values().next()?;
            let runner = job.runner.as_ref()?;
            let host = world.machine_of_runner(&runner.name)?.id.clone();
            (job.status == JobStatus::InProgress).then_some((run.id, job.id, host))
        });
        let (run, job, host) = seen.await?;
        Ok(Self {
            stage,
            controller,
            run,
            job,
            host,
        })
    }

    fn address(&self) -> String {
        format!(
            "https://github.com/acme/shop/actions/runs/{}/job/{}",
            self.run, self.job
        )
    }

    /// What the mark of the machine says.
    fn mark(&self) -> Option<String> {
        let tags = self
            .stage
            .with(|world, _| Some(world.instance(&self.host)?.tags()));
        tags?.get(DRILL_TARGET.0).cloned()
    }
}
