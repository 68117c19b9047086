//! What a job costs in DynamoDB, counted in front of ministack's.

use anyhow::{Result, ensure};
use jiff::SignedDuration;
use reprise_tests::cost::{IDLE, USUAL, are_as_written, is_done_as_often};
use reprise_tests::harness::afar::Afar;
use reprise_tests::harness::config::RUNNERS;
use reprise_tests::harness::stage::{Setting, Stage};
use reprise_tests::harness::units::{Units, runner_units, units};
use reprise_tests::harness::{counting, workload};
use reprise_world::machine::RunnerStart;
use reprise_world::world::DeliveryMode;

const SPEED: f64 = 10.0;

async fn set(afar: &Afar, speed: f64) -> Result<Stage> {
    Stage::set(Setting {
        speed,
        world: |settings| {
            settings.delivery = DeliveryMode::Elsewhere;
            settings.machines.runner = RunnerStart::JustInTime;
        },
        config: RUNNERS,
        places: afar.places(),
        ..Setting::default()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_usual_mix_takes_the_units_of_the_cost_sheet() -> Result<()> {
    let afar = Afar::start(SPEED, 5).await?;
    let stage = set(&afar, SPEED).await?;
    let controller = stage.controller().await?;
    counting::play(&stage, &workload::usual()?).await?;
    controller.terminate().await?;
    let passed = afar.gate().passed();
    let (units, runners) = (units(&passed), runner_units(&passed));
    let (claims, rest) = bytes(&units);
    are_as_written(&[
        (
            "units of records",
            units.write_units as f64,
            USUAL.write_units,
        ),
        (
            "units of the index",
            units.index_units as f64,
            USUAL.index_units,
        ),
        ("units of reads", units.read_units, USUAL.read_units),
        ("units of looks", units.query_units, USUAL.query_units),
        ("bytes of claims", claims, USUAL.claim_bytes),
        ("bytes of evidence", rest, USUAL.evidence_bytes),
        (
            "units of runners' rows written",
            runners.write_units as f64,
            USUAL.row_write_units,
        ),
        (
            "units of runners' rows read",
            runners.read_units,
            USUAL.row_read_units,
        ),
        (
            "bytes of runners' rows",
            runners.bytes as f64,
            USUAL.row_bytes,
        ),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_not_interrupted_takes_two_writes_and_one_unit_each() -> Result<()> {
    let afar = Afar::start(SPEED, 5).await?;
    let stage = set(&afar, SPEED).await?;
    let controller = stage.controller().await?;
    let scenario = workload::every_kind()?;
    let jobs = scenario
        .runs
        .iter()
        .map(|run| run.spec.jobs.len())
        .sum::<usize>() as u64;
    counting::play(&stage, &scenario).await?;
    controller.terminate().await?;
    let units = units(&afar.gate().passed());
    ensure!(units.writes == 2 * jobs && units.refused == 0, "{units:#?}");
    ensure!(units.write_units == units.writes, "{units:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_replica_asks_no_more_than_the_cost_sheet_says() -> Result<()> {
    let afar = Afar::start(SPEED, 5).await?;
    let stage = set(&afar, SPEED).await?;
    let controller = stage.controller().await?;
    let some_minutes = SignedDuration::from_mins(6);
    let (passed, hours) = counting::idle(&stage, afar.gate(), some_minutes).await?;
    controller.terminate().await?;
    let units = units(&passed);
    ensure!(units.writes == 0 && units.reads == 0, "{units:#?}");
    is_done_as_often("looks", (units.queries, hours), 1.0, IDLE.queries)?;
    let leases = (units.lease_writes, hours);
    is_done_as_often("leases", leases, 1.0, IDLE.lease_writes)
}

/// Of claims, and of all that is kept for evidence.
fn bytes(units: &Units) -> (f64, f64) {
    let (claims, rest): (Vec<_>, Vec<_>) = units
        .sizes
        .iter()
        .partition(|(key, _)| key.starts_with("claim/"));
    let sum = |sizes: Vec<(&String, &usize)>| sizes.iter().map(|(_, size)| **size).sum::<usize>();
    (sum(claims) as f64, sum(rest) as f64)
}
