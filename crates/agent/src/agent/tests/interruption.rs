//! What a notice leads to beside its tag, under virtual time.

use jiff::SignedDuration;

use super::cloud::{Cloud, Imds, Tagging as Script, logged, throttled};
use super::machine::{Disk, ended};
use super::tagged_after;
use crate::clock::Clock;
use crate::host::StepEnd;
use crate::processes::worker_log::Unclear;
use crate::record::Record;
use crate::settings::{EndJob, InterruptionSettings, LogLevel, OnRebalance, Settings};

/// Seen at second 10, it leaves two minutes.
const NOTICE: &str = r#"{"action":"terminate","time":"2026-01-01T00:02:10Z"}"#;
const HIBERNATE: &str = r#"{"action":"hibernate","time":"2026-01-01T00:02:10Z"}"#;
const STALE: &str = r#"{"action":"terminate","time":"2025-12-31T23:50:00Z"}"#;

fn noticed(body: &'static str) -> Cloud {
    Cloud::new(&[(0, Imds::Clear), (10, Imds::Body(body))])
}

fn settings(change: impl FnOnce(&mut InterruptionSettings)) -> Settings {
    let mut settings = Settings::default();
    change(&mut settings.interruption);
    settings
}

fn record(cloud: &Cloud) -> serde_json::Value {
    let text = cloud.machine().record.clone().expect("a record");
    serde_json::from_str(&text).expect("JSON")
}

#[tokio::test(start_paused = true)]
async fn a_job_is_ended_by_its_step_and_what_still_runs_by_its_runner() {
    let cloud = noticed(NOTICE);
    cloud.machine().runs_until(500);
    let end = cloud.run_for(130).await;
    assert_eq!(cloud.events(), ["85 step ended", "110 runner stopped"]);
    assert_eq!(tagged_after(&end), Some(1));
    let record = record(&cloud);
    assert_eq!(record["job_ended"], "stop-runner");
    assert_eq!(record["tagged"], true);
    assert_eq!(record["instance_id"], "i-0123456789abcdef0");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_finishes_in_time_is_not_touched_and_its_runner_takes_no_other() {
    let cloud = noticed(NOTICE);
    cloud.machine().runs_until(60);
    cloud.run_for(130).await;
    assert_eq!(cloud.events(), ["60 runner stopped"]);
    assert_eq!(record(&cloud).get("job_ended"), None);
}

#[tokio::test(start_paused = true)]
async fn an_idle_runner_is_stopped_soon_and_without_one_nothing_happens() {
    let cloud = noticed(NOTICE);
    cloud.machine().listener = true;
    cloud.run_for(130).await;
    assert_eq!(cloud.events(), ["12 runner stopped"]);
    let cloud = noticed(NOTICE);
    let end = cloud.run_for(130).await;
    assert_eq!(cloud.events(), [] as [&str; 0]);
    assert_eq!(tagged_after(&end), Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_step_that_may_not_fail_its_job_is_left_to_the_runner_at_the_same_deadline() {
    for why in [
        Unclear::Container,
        Unclear::ContinueOnError,
        Unclear::NoMessage,
    ] {
        let cloud = noticed(NOTICE);
        cloud.machine().runs_until(500);
        cloud.machine().step = StepEnd::Unclear(why);
        let (_, log) = logged(LogLevel::Info, cloud.run_for(130)).await;
        assert_eq!(cloud.events(), ["85 runner stopped"], "{why}");
        assert!(log.contains(&why.to_string()), "{log}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_between_two_steps_is_looked_at_for_a_moment_and_then_left_to_the_runner() {
    let cloud = noticed(NOTICE);
    cloud.machine().runs_until(500);
    cloud.machine().step = StepEnd::NoStep;
    cloud.run_for(130).await;
    assert_eq!(cloud.events(), ["88 runner stopped"]);
}

#[tokio::test(start_paused = true)]
async fn the_other_ways_to_end_a_job_are_kept_to() {
    let way = |end_job| settings(|s| s.end_job = end_job);
    let cloud = noticed(NOTICE);
    cloud.machine().runs_until(500);
    cloud.run_with(&way(EndJob::StopRunner), 130).await;
    assert_eq!(cloud.events(), ["85 runner stopped"]);
    let cloud = noticed(NOTICE);
    cloud.machine().runs_until(500);
    cloud.run_with(&way(EndJob::None), 130).await;
    assert_eq!(cloud.events(), [] as [&str; 0]);
    assert_eq!(cloud.machine().looks, 0);
}

#[tokio::test(start_paused = true)]
async fn a_hibernation_and_a_stale_notice_are_tagged_and_touch_nothing() {
    for body in [HIBERNATE, STALE] {
        let cloud = noticed(body);
        cloud.machine().runs_until(500);
        cloud.machine().hooks.insert("10-save", Some(1));
        let end = cloud.run_for(400).await;
        assert_eq!(cloud.events(), [] as [&str; 0], "{body}");
        assert_eq!(tagged_after(&end), Some(1), "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_notice_that_goes_again_ends_no_job() {
    let cloud = Cloud::new(&[(0, Imds::Body(NOTICE)), (30, Imds::Clear)]);
    cloud.machine().runs_until(500);
    cloud.run_for(200).await;
    assert_eq!(cloud.events(), [] as [&str; 0]);
    assert_eq!(record(&cloud)["gone"], true);
}

#[tokio::test(start_paused = true)]
async fn a_notice_that_had_gone_ends_no_job_after_a_restart_either() {
    let cloud = Cloud::new(&[(0, Imds::Body(NOTICE)), (30, Imds::Clear), (40, Imds::Hang)]);
    cloud.machine().runs_until(5000);
    cloud.run_for(40).await;
    cloud.run_for(300).await;
    assert_eq!(cloud.events(), [] as [&str; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_notice_that_went_while_no_agent_ran_ends_no_job() {
    let cloud = Cloud::new(&[(0, Imds::Body(NOTICE)), (30, Imds::Clear)]);
    cloud.machine().runs_until(5000);
    cloud.run_for(20).await;
    cloud.clock().sleep(SignedDuration::from_secs(80)).await;
    cloud.run_for(300).await;
    assert_eq!(cloud.events(), [] as [&str; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_notice_that_comes_back_in_other_words_runs_no_hook_and_ends_no_step_twice() {
    const LATER: &str = r#"{"action":"terminate","time":"2026-01-01T00:02:40Z"}"#;
    let cloud = Cloud::new(&[
        (0, Imds::Clear),
        (10, Imds::Body(NOTICE)),
        (90, Imds::Clear),
        (92, Imds::Body(LATER)),
    ]);
    cloud.machine().runs_until(500);
    cloud.machine().hooks.insert("10-save", Some(1));
    cloud.run_for(130).await;
    let expected = [
        "10 hook 10-save",
        "11 hook 10-save ended",
        "85 step ended",
        "110 runner stopped",
    ];
    assert_eq!(cloud.events(), expected);
}

#[tokio::test(start_paused = true)]
async fn the_steps_of_several_runners_end_together() {
    let cloud = noticed(NOTICE);
    cloud.machine().runs_until(500);
    cloud.machine().runners = 3;
    cloud.machine().step_takes = 5;
    cloud.run_for(100).await;
    assert_eq!(cloud.events(), ["90 step ended"; 3]);
}

#[tokio::test(start_paused = true)]
async fn hooks_wait_a_moment_for_a_job_that_is_being_set_up() {
    for (known_from, second, job) in [(11, 11, Some("build")), (500, 12, None)] {
        let cloud = noticed(NOTICE);
        cloud.machine().runs_until(500);
        cloud.machine().job_known_from = known_from;
        cloud.machine().hooks.insert("10-save", Some(1));
        cloud.run_for(40).await;
        assert_eq!(cloud.events()[0], format!("{second} hook 10-save"));
        assert_eq!(cloud.machine().words[0].job.job.as_deref(), job);
    }
}

#[tokio::test(start_paused = true)]
async fn a_metadata_service_that_falls_silent_moves_no_deadline() {
    let cloud = Cloud::new(&[(0, Imds::Clear), (10, Imds::Body(NOTICE)), (20, Imds::Hang)]);
    cloud.machine().runs_until(500);
    cloud.run_for(130).await;
    assert_eq!(cloud.events(), ["85 step ended", "110 runner stopped"]);
}

#[tokio::test(start_paused = true)]
async fn hooks_run_in_order_while_the_tag_is_tried() {
    let cloud = noticed(NOTICE);
    cloud.machine().runs_until(500);
    cloud
        .machine()
        .hooks
        .extend([("10-save", Some(5)), ("20-say", Some(1))]);
    let throttles = vec![Script::Fails(throttled()), Script::Fails(throttled())];
    cloud.tagging(throttles, Script::Works);
    let end = cloud.run_for(60).await;
    let expected = [
        "10 hook 10-save",
        "15 hook 10-save ended",
        "15 hook 20-say",
        "16 hook 20-say ended",
    ];
    assert_eq!(cloud.events(), expected);
    let second = cloud.attempts()[2].0.as_secs();
    assert!(second < 15, "tagged while hooks ran: {second}");
    assert_eq!(tagged_after(&end), Some(3));
    let words = cloud.machine().words[0].clone();
    assert_eq!(words.job.job.as_deref(), Some("build"));
    assert_eq!(words.action, "terminate");
    assert_eq!(words.instance_id.as_deref(), Some("i-0123456789abcdef0"));
    assert_eq!((words.seconds_left, words.hook_seconds), (120, 30));
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_hangs_is_given_up_and_changes_nothing_else() {
    let cloud = noticed(NOTICE);
    cloud.machine().runs_until(500);
    cloud
        .machine()
        .hooks
        .extend([("10-hangs", None), ("20-save", Some(1)), ("30-hangs", None)]);
    let hour = |s: &mut InterruptionSettings| s.step_grace = s.hook_timeout;
    cloud.run_with(&settings(hour), 130).await;
    let expected = [
        "10 hook 10-hangs",
        "40 hook 20-save",
        "41 hook 20-save ended",
        "41 hook 30-hangs",
        "85 step ended",
        "110 runner stopped",
    ];
    assert_eq!(cloud.events(), expected);
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_dies_in_mid_notice_is_followed_by_one_that_goes_on() {
    let cloud = noticed(NOTICE);
    cloud.machine().runs_until(500);
    cloud
        .machine()
        .hooks
        .extend([("10-hangs", None), ("20-save", Some(1))]);
    cloud.run_for(30).await;
    let (end, log) = logged(LogLevel::Info, cloud.run_for(100)).await;
    let expected = [
        "10 hook 10-hangs",
        "29 hook 20-save",
        "30 hook 20-save ended",
        "85 step ended",
        "110 runner stopped",
    ];
    assert_eq!(cloud.events(), expected, "hooks run once, deadlines stay");
    assert_eq!(cloud.attempts().len(), 1, "it was tagged already");
    assert_eq!(tagged_after(&end), Some(0));
    assert!(
        log.contains("an earlier agent of this boot saw a notice"),
        "{log}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_cannot_be_told_to_stop_is_told_again_and_that_is_said_once() {
    let cloud = noticed(NOTICE);
    cloud.machine().runs_until(500);
    cloud.machine().deaf_until = 95;
    let way = settings(|s| s.end_job = EndJob::StopRunner);
    let (_, log) = logged(LogLevel::Info, cloud.run_with(&way, 130)).await;
    assert_eq!(cloud.events(), ["95 runner stopped"]);
    assert_eq!(log.matches("cannot be told to stop").count(), 1, "{log}");
    assert_eq!(record(&cloud)["job_ended"], "stop-runner");
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_dies_before_its_signal_is_followed_by_one_that_sends_it() {
    for (ending, expected) in [
        ("stop-runner", "90 runner stopped"),
        ("fail-step", "110 runner stopped"),
    ] {
        let cloud = noticed(NOTICE);
        cloud.machine().runs_until(500);
        cloud.run_for(80).await;
        assert_eq!(cloud.events(), [] as [&str; 0]);
        let mut written = record(&cloud);
        written["job_ended"] = ending.into();
        cloud.machine().record = Some(written.to_string());
        cloud.machine().deaf_until = 90;
        cloud.run_for(50).await;
        assert_eq!(cloud.events(), [expected], "{ending}");
    }
}

#[tokio::test(start_paused = true)]
async fn after_another_boot_the_record_is_void_and_the_notice_a_new_one() {
    let cloud = Cloud::new(&[(0, Imds::Body(NOTICE)), (30, Imds::Clear)]);
    cloud.machine().runs_until(500);
    cloud.run_for(20).await;
    assert!(cloud.machine().record.is_some());
    cloud.machine().boot = "boot-2".to_owned();
    let (_, log) = logged(LogLevel::Info, cloud.run_for(200)).await;
    assert!(log.contains("another boot"), "{log}");
    // The same notice was still there until second 30: it is this boot's now.
    assert_eq!(record(&cloud)["boot_id"], "boot-2");
    assert_eq!(cloud.events(), [] as [&str; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_is_full_or_hangs_stops_neither_tag_nor_hooks_and_is_said_once() {
    for disk in [Disk::Full, Disk::Hangs] {
        let cloud = noticed(NOTICE);
        cloud.machine().runs_until(500);
        cloud.machine().disk = disk;
        cloud
            .machine()
            .hooks
            .extend([("10-save", Some(1)), ("20-save", Some(1))]);
        let (end, log) = logged(LogLevel::Info, cloud.run_for(130)).await;
        assert_eq!(tagged_after(&end), Some(1));
        assert!(cloud.attempts()[0].0.as_millis() <= 10_600);
        let events = cloud.events().join(", ");
        assert!(events.contains("hook 20-save ended"), "{events}");
        assert!(events.ends_with("110 runner stopped"), "{events}");
        assert_eq!(log.matches("cannot be kept").count(), 1, "{log}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_record_is_there_before_the_tag_is() {
    let cloud = noticed(NOTICE);
    cloud.tagging(Vec::new(), Script::Hangs);
    cloud.run_for(12).await;
    let record = record(&cloud);
    assert_eq!(record["action"], "terminate");
    assert_eq!(record["tagged"], false);
    let boot = crate::record::Records::boot(&cloud).expect("a boot");
    let text = cloud.machine().record.clone().expect("a record");
    assert!(Record::read(&text, &boot).is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_rebalance_recommendation_ends_no_job_and_lets_no_new_one_in() {
    let cloud = Cloud::new(&[(0, Imds::Clear)]);
    cloud.machine().runs_until(300);
    cloud.rebalance_from(20);
    let (_, log) = logged(LogLevel::Info, cloud.run_for(400)).await;
    assert_eq!(cloud.events(), ["308 runner stopped"]);
    assert_eq!(log.matches("EC2 recommends").count(), 1, "{log}");
    let looks = cloud.machine().looks;
    assert!(
        looks < 20,
        "a look at all processes is not for each second: {looks}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_recommendation_may_be_ignored() {
    let cloud = Cloud::new(&[(0, Imds::Clear)]);
    cloud.machine().listener = true;
    cloud.rebalance_from(20);
    let settings = settings(|s| s.on_rebalance = OnRebalance::Ignore);
    cloud.run_with(&settings, 100).await;
    assert_eq!(cloud.events(), [] as [&str; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_notice_after_a_recommendation_counts_as_ever() {
    let cloud = noticed(NOTICE);
    cloud.machine().runs_until(500);
    cloud.machine().step = ended();
    cloud.rebalance_from(0);
    cloud.run_for(130).await;
    assert_eq!(cloud.events(), ["85 step ended", "110 runner stopped"]);
}
