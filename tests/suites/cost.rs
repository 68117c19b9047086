//! What a job costs, counted through the real programs, and the sheet that is made of it.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use jiff::SignedDuration;
use reprise_tests::cost::{self, IDLE, USUAL, is_as_written};
use reprise_tests::harness::gate::Gate;
use reprise_tests::harness::stage::{Setting, Stage};
use reprise_tests::harness::{counting, ledger, workload};
use reprise_world::world::DeliveryMode;

/// In real time, in which calls are shared, at this pace a million jobs come in 160 hours: those of a month in which people work.
const SPEED: f64 = 10.0;

const SHEET: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/cost.md");

async fn counted(speed: f64) -> Result<(Stage, Arc<Gate>)> {
    let sqs = Gate::build().await?;
    let stage = Stage::set(Setting {
        speed,
        world: |settings| settings.delivery = DeliveryMode::Elsewhere,
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
    let controller = stage.controller().await?;
    let before = (stage.logged_bytes()?, controller.lines()?.len());
    let usual = workload::usual()?;
    let jobs: usize = usual.runs.iter().map(|run| run.spec.jobs.len()).sum();
    ensure!(jobs as f64 == USUAL.jobs, "{jobs} jobs");
    counting::play(&stage, &usual).await?;
    let bytes = stage.logged_bytes()? - before.0;
    let lines = controller.lines()?.len() - before.1;
    let mail = counting::mail(&sqs);
    for (what, measured, written) in [
        (
            "messages sent",
            mail.sent as f64,
            USUAL.webhooks + USUAL.ec2_events,
        ),
        ("messages received", mail.received as f64, USUAL.received),
        ("messages deleted", mail.deleted as f64, USUAL.deleted),
        ("lines", lines as f64, USUAL.log_lines),
        ("bytes", bytes as f64, USUAL.log_bytes),
    ] {
        is_as_written(what, measured, written)?;
    }
    // How often a look is long depends on the moment of the tag.
    ensure!(mail.hidden as f64 <= USUAL.hidden, "{mail:#?}");
    // The sheet reckons with a call for each: at most that many there were.
    ensure!(
        mail.receives <= mail.received && mail.deletes <= mail.deleted,
        "{mail:#?}"
    );
    controller.terminate().await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_replica_polls_no_more_than_the_cost_sheet_says() -> Result<()> {
    let (stage, sqs) = counted(SPEED * 10.0).await?;
    let controller = stage.controller().await?;
    sqs.forget();
    let half_an_hour = SignedDuration::from_mins(30);
    let (mail, hours) = counting::idle(&stage, half_an_hour, || counting::mail(&sqs)).await?;
    controller.terminate().await?;
    is_as_written("polls", mail.empty as f64 / hours, IDLE.polls)
}

#[test]
fn the_sheet_says_what_the_counts_and_the_prices_come_to() -> Result<()> {
    let sheet =
        std::fs::read_to_string(SHEET).with_context(|| format!("failed to read {SHEET}"))?;
    let tables = [
        cost::table("a million jobs", &cost::a_million_jobs(&USUAL)),
        cost::table("a month", &cost::a_month(&IDLE)),
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
