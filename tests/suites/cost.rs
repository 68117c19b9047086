//! What a job costs, counted through the real programs, and the sheet that is made of it.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use jiff::SignedDuration;
use reprise_tests::cost::{self, IDLE, USUAL, are_as_written, is_done_as_often};
use reprise_tests::harness::config::RUNNERS;
use reprise_tests::harness::gate::Gate;
use reprise_tests::harness::stage::{Setting, Stage};
use reprise_tests::harness::{counting, ledger, workload};
use reprise_world::machine::RunnerStart;
use reprise_world::world::DeliveryMode;
use serde_json::Value;

/// Calls are shared in the story's time, at whose pace a million jobs take 39 days. Round trips and
/// the postman's look every 25 ms are the wall's, and must stay short in the story.
const SPEED: f64 = 5.0;

/// For times in which nothing happens: what a busy machine is late by, is short against a poll.
const IDLE_SPEED: f64 = 20.0;

const SHEET: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/cost.md");

async fn counted(speed: f64) -> Result<(Stage, Arc<Gate>)> {
    let sqs = Gate::build().await?;
    let stage = Stage::set(Setting {
        speed,
        world: |settings| {
            settings.delivery = DeliveryMode::Elsewhere;
            settings.machines.runner = RunnerStart::JustInTime;
        },
        config: RUNNERS,
        places: {
            let sqs = Arc::clone(&sqs);
            Box::new(move |places| sqs.stand_before(&mut places.sqs_url))
        },
        ..Setting::default()
    });
    Ok((stage.await?, sqs))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_not_interrupted_costs_two_writes() -> Result<()> {
    let stage = Stage::usual().await?;
    let controller = stage.controller().await?;
    let scenario = workload::every_kind()?;
    stage.play(&scenario);
    stage.ends_well(&scenario).await?;
    controller.terminate().await?;
    let records = ledger::written(&stage.ledger_file())?;
    let writes = stage.with(|world, _| ledger::writes_a_job(&records, world));
    ensure!(
        writes.len() == scenario.runs[0].spec.jobs.len(),
        "{writes:#?}"
    );
    for (job, count) in &writes {
        ensure!(*count <= 2, "{job} took {count} writes: {writes:#?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_usual_mix_takes_the_requests_and_log_lines_of_the_cost_sheet() -> Result<()> {
    let (stage, sqs) = counted(SPEED).await?;
    let replicas = [stage.controller().await?, stage.controller().await?];
    let said = || {
        let lines = replicas.iter().map(|replica| {
            let lines = replica.lines()?;
            Ok(lines.iter().filter(|line| is_of_a_job(line)).count())
        });
        lines.sum::<Result<usize>>()
    };
    let before = (stage.logged_bytes()?, said()?);
    let usual = workload::usual()?;
    let jobs: usize = usual.runs.iter().map(|run| run.spec.jobs.len()).sum();
    ensure!(jobs as f64 == USUAL.jobs, "{jobs} jobs");
    counting::play(&stage, &usual).await?;
    let bytes = stage.logged_bytes()? - before.0;
    let lines = said()? - before.1;
    let mail = counting::mail(&sqs.passed());
    are_as_written(&[
        (
            "messages sent",
            mail.sent as f64,
            USUAL.webhooks + USUAL.ec2_events,
        ),
        ("calls to receive", mail.receives as f64, USUAL.receives),
        ("calls to delete", mail.deletes as f64, USUAL.deletes),
        ("lines", lines as f64, USUAL.log_lines),
        ("bytes", bytes as f64, USUAL.log_bytes),
    ])?;
    // How often a look is long depends on the moment of the tag.
    ensure!(mail.hidden as f64 <= USUAL.hidden, "{mail:#?}");
    ensure!(mail.deleted == mail.sent, "{mail:#?}");
    for replica in replicas {
        replica.terminate().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_replica_polls_no_more_than_the_cost_sheet_says() -> Result<()> {
    let (stage, sqs) = counted(IDLE_SPEED).await?;
    let controller = stage.controller().await?;
    let (passed, hours) = counting::idle(&stage, &sqs, SignedDuration::from_mins(10)).await?;
    controller.terminate().await?;
    let mail = counting::mail(&passed);
    // Those of two queues, and of these with their dead letters.
    is_done_as_often("polls", (mail.empty, hours), 2.0, IDLE.polls)?;
    is_done_as_often("counts", (mail.counts, hours), 4.0, IDLE.counts)
}

#[test]
fn the_sheet_says_what_the_counts_and_the_prices_come_to() -> Result<()> {
    let sheet =
        std::fs::read_to_string(SHEET).with_context(|| format!("failed to read {SHEET}"))?;
    let tables = [
        cost::table("a million jobs", &cost::a_million_jobs(&USUAL)),
        cost::table("a month", &cost::a_month(&IDLE)),
        cost::row(&cost::with_standard_logs(&USUAL)),
    ];
    let missing: Vec<&str> = tables
        .iter()
        .map(String::as_str)
        .filter(|table| !sheet.contains(table))
        .collect();
    ensure!(
        missing.is_empty(),
        "docs/cost.md should say:\n{}",
        missing.join("\n")
    );
    Ok(())
}

/// A sweep says one line a minute, whether jobs run or not.
fn is_of_a_job(line: &Value) -> bool {
    line["message"] != "swept"
}
