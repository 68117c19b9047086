//! Steps that an agent has left frozen that was killed in the middle of ending them, under virtual time.

use jiff::SignedDuration;

use super::cloud::{Cloud, Imds, logged};
use crate::clock::Clock;
use crate::settings::{EndJob, LogLevel, Settings};

/// Seen at second 10, it leaves two minutes; the job's end is due at second 85.
const NOTICE: &str = r#"{"action":"terminate","time":"2026-01-01T00:02:10Z"}"#;

/// When the first agent is killed: it has written down that it ends the step.
const KILLED: i64 = 86;

/// An instance with a job whose step an agent has left frozen, and whose notice is gone from that second on.
async fn left_frozen(gone_from: i64, written: bool) -> Cloud {
    let cloud = Cloud::new(&[
        (0, Imds::Clear),
        (10, Imds::Body(NOTICE)),
        (gone_from, Imds::Clear),
    ]);
    cloud.machine().runs_until(100_000);
    cloud.run_for(KILLED).await;
    assert_eq!(cloud.events(), ["85 step ended"]);
    if !written {
        let mut machine = cloud.machine();
        let record = machine.record.take().expect("a record");
        let mut record: serde_json::Value = serde_json::from_str(&record).expect("JSON");
        record
            .as_object_mut()
            .expect("an object")
            .remove("job_ended");
        machine.record = Some(record.to_string());
    }
    let mut machine = cloud.machine();
    machine.frozen = true;
    machine.events.clear();
    drop(machine);
    cloud
}

#[tokio::test(start_paused = true)]
async fn a_step_that_a_killed_agent_left_frozen_is_ended_by_the_next_one() {
    for written in [true, false] {
        let cloud = left_frozen(10_000, written).await;
        cloud.run_for(10).await;
        assert_eq!(
            cloud.events(),
            ["85 step ended"],
            "not at 110, with its runner"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_to_which_nothing_was_done_goes_on_where_the_notice_is_gone() {
    let cloud = left_frozen(KILLED, false).await;
    cloud.clock().sleep(SignedDuration::from_secs(3)).await;
    let (_, log) = logged(LogLevel::Info, cloud.run_for(300)).await;
    assert_eq!(cloud.events(), ["88 step goes on"]);
    assert!(log.contains("had left a step frozen; it goes on"), "{log}");
}

#[tokio::test(start_paused = true)]
async fn a_step_whose_children_may_have_ended_ends_though_the_notice_is_gone() {
    let cloud = left_frozen(KILLED, true).await;
    cloud.clock().sleep(SignedDuration::from_secs(3)).await;
    let (_, log) = logged(LogLevel::Info, cloud.run_for(300)).await;
    assert_eq!(cloud.events(), ["88 step ended"]);
    assert!(log.contains("an earlier agent was ending a step"), "{log}");
}

#[tokio::test(start_paused = true)]
async fn a_step_is_freed_as_well_by_an_agent_that_comes_when_the_record_is_outlived() {
    for (written, expected) in [(false, "step goes on"), (true, "step ended")] {
        let cloud = left_frozen(KILLED, written).await;
        cloud.clock().sleep(SignedDuration::from_mins(30)).await;
        cloud.run_for(300).await;
        let events = cloud.events();
        assert_eq!(events.len(), 1, "{events:?}");
        assert!(events[0].ends_with(expected), "{events:?}");
        assert_eq!(cloud.machine().record, None, "it is void");
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_is_freed_as_well_where_jobs_are_left_to_their_fate_meanwhile() {
    let cloud = left_frozen(10_000, false).await;
    let mut settings = Settings::default();
    settings.interruption.end_job = EndJob::None;
    cloud.run_with(&settings, 30).await;
    assert_eq!(cloud.events(), ["85 step goes on"]);
}

#[tokio::test(start_paused = true)]
async fn without_a_frozen_step_a_notice_that_is_gone_leads_to_nothing() {
    let cloud = left_frozen(KILLED, true).await;
    cloud.machine().frozen = false;
    cloud.clock().sleep(SignedDuration::from_secs(3)).await;
    cloud.run_for(300).await;
    assert_eq!(cloud.events(), [] as [&str; 0]);
}
