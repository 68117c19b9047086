//! People read on a run's commit what becomes of its interrupted jobs, and a merge queue waits for it.

use reprise_config::Settings;
use reprise_model::check::{CheckRunOrder, CheckState};
use reprise_model::ids::JobId;
use reprise_model::job::{Conclusion, Job};
use reprise_model::webhook::JobAction;
use wildmatch::WildMatch;

use crate::fakes::github::ChangeFault;
use crate::fakes::house::{House, Running};
use crate::fakes::samples::{HOST, RUN, running, settings};

#[tokio::test(start_paused = true)]
async fn an_interruption_is_told_from_its_beginning_to_its_good_end_in_one_check_run() {
    let house = House::new();
    let controller = house.start();
    let job = house.job_on_spot(1, "build");
    house.cloud.tag_interrupted(HOST);
    house.end(job, Conclusion::Failure);
    told(&house, "re-run once the run has ended").await;
    assert_eq!(house.check_state(), Some(CheckState::InProgress));
    house.end_run(RUN);
    told(&house, "being re-run").await;
    recover(&house).await;
    told(&house, "re-run and passed").await;
    assert_eq!(house.check_state(), Some(CheckState::Success));
    house.pass(3_600).await;
    let entry = house.check().await.expect("kept");
    assert_eq!((entry.due, entry.held_until), (None, None));
    assert_eq!(house.github.check_posts(), 3);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_in_which_nothing_was_interrupted_has_no_check_run_and_no_record() {
    let house = House::new();
    let controller = house.start();
    let job = house.job_on_spot(1, "build");
    house.end(job, Conclusion::Failure);
    house.end_run(RUN);
    house.pass(900).await;
    assert_eq!(house.github.check_posts(), 0);
    assert_eq!(house.check().await, None);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn why_an_interrupted_job_is_not_brought_back_is_told() {
    let house = House::new();
    let controller = house.start();
    let job = house.job_on_spot(1, "build");
    house.cloud.tag_interrupted(HOST);
    house.end(job, Conclusion::Failure);
    told(&house, "re-run once the run has ended").await;
    house.github.complete(RUN);
    house
        .github
        .rerun_now(RUN, reprise_model::ledger::RerunTarget::FailedJobs);
    house.send_run(RUN);
    told(&house, "not brought back").await;
    assert_eq!(house.check_state(), Some(CheckState::Neutral));
    let summary = only(&house).text.summary;
    assert!(summary.contains("re-run by somebody else"), "{summary}");
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn that_a_job_wants_no_retry_is_told_although_nothing_is_to_be_done() {
    let house = House::new();
    let controller = house.start();
    let mut job = house.job_on_spot(1, "build");
    job.labels = vec!["runs-on=900/family=c7a/retry=false".to_owned()];
    house.cloud.tag_interrupted(HOST);
    house.end(job, Conclusion::Failure);
    told(&house, "not brought back").await;
    let summary = only(&house).text.summary;
    assert!(summary.contains("its policy is retry=false"), "{summary}");
    assert_eq!(house.record().await, None, "there is nothing to be re-run");
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn without_the_permission_the_job_comes_back_all_the_same() {
    let house = House::new();
    house.github.may_not_check();
    let controller = house.start();
    interrupt(&house);
    house
        .until("asked", async || !house.github.accepted().is_empty())
        .await;
    recover(&house).await;
    house
        .until("recovered", async || {
            house.reason(1).await == Some("recovered")
        })
        .await;
    house.pass(1_200).await;
    assert_eq!(house.github.check_posts(), 0);
    assert_eq!(house.check().await.expect("kept").due, None);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn who_wants_no_reports_has_none() {
    let house = House::new();
    let mut quiet = settings(true);
    quiet.checks.reports = false;
    let controller = house.start_with(quiet, 100);
    interrupt(&house);
    house
        .until("asked", async || !house.github.accepted().is_empty())
        .await;
    house.pass(600).await;
    assert_eq!(house.check().await, None);
    assert_eq!(house.github.check_posts(), 0);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_makes_no_second_check_run() {
    for fault in [ChangeFault::Done, ChangeFault::Lost] {
        let house = House::new();
        house.github.fail_next_changes(&[fault]);
        let controller = house.start();
        interrupt(&house);
        told(&house, "being re-run").await;
        recover(&house).await;
        told(&house, "re-run and passed").await;
        assert_eq!(house.github.checks().len(), 1, "{fault:?}");
        controller.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_crash_left_untold_another_replica_tells() {
    let house = House::new();
    let controller = house.start();
    interrupt(&house);
    told(&house, "being re-run").await;
    controller.crash().await;
    let other = house.start();
    recover(&house).await;
    told(&house, "re-run and passed").await;
    other.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_merge_queue_waits_until_the_interrupted_job_has_come_back() {
    let house = House::new();
    let controller = gated(&house);
    let job = house.merge_job_on_spot(1, "build");
    told(&house, "The run is waited for").await;
    assert_eq!(only(&house).name, "Reprise merge queue (ci.yml)");
    house.cloud.tag_interrupted(HOST);
    house.end(job, Conclusion::Failure);
    house.end_run(RUN);
    told(&house, "being re-run").await;
    house.pass(300).await;
    assert_eq!(house.check_state(), Some(CheckState::InProgress));
    recover(&house).await;
    told(&house, "The run has passed").await;
    assert_eq!(house.check_state(), Some(CheckState::Success));
    assert!(controller.shows("reprise_merge_gates_total{end=\"passed\"} 1"));
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_merge_queue_holds_when_the_host_died_before_any_hook_and_no_event_came() {
    let house = House::new();
    let controller = gated(&house);
    let job = house.merge_job_on_spot(1, "build");
    told(&house, "The run is waited for").await;
    house.cloud.take_by_interruption(HOST);
    house.end_silently(job, Conclusion::Failure);
    house.github.complete(RUN);
    house
        .until("asked", async || !house.github.accepted().is_empty())
        .await;
    assert_eq!(house.check_state(), Some(CheckState::InProgress));
    recover(&house).await;
    told(&house, "The run has passed").await;
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_merge_queue_is_told_of_a_real_failure_once_nothing_may_come_of_it() {
    let house = House::new();
    let controller = gated(&house);
    let job = house.merge_job_on_spot(1, "build");
    told(&house, "The run is waited for").await;
    house.end(job, Conclusion::Failure);
    house.end_run(RUN);
    house.pass(30).await;
    assert_eq!(
        house.check_state(),
        Some(CheckState::InProgress),
        "it is looked at"
    );
    told(&house, "no retry is due").await;
    assert_eq!(house.check_state(), Some(CheckState::Failure));
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_merge_queue_does_not_wait_for_ever_also_after_a_restart() {
    let house = House::new();
    let controller = gated(&house);
    house.merge_job_on_spot(1, "build");
    told(&house, "The run is waited for").await;
    controller.crash().await;
    house.pass(3_500).await;
    let other = gated(&house);
    house.pass(30).await;
    assert_eq!(house.check_state(), Some(CheckState::InProgress));
    told(&house, "not known in time").await;
    assert_eq!(house.check_state(), Some(CheckState::Failure));
    house.pass(3_600).await;
    assert_eq!(house.check().await.expect("kept").due, None);
    other.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_gate_is_opened_by_the_first_event_of_its_run_and_once() {
    let house = House::new();
    let controller = gated(&house);
    let job = house.merge_job_on_spot(1, "build");
    for _ in 0..3 {
        house.send_job(JobAction::Queued, &job);
    }
    told(&house, "The run is waited for").await;
    house.pass(60).await;
    assert!(controller.shows("reprise_merge_gates_total{end=\"opened\"} 1"));
    assert_eq!(house.github.check_posts(), 1);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_push_to_a_repository_with_a_merge_queue_has_a_report_and_no_gate() {
    let house = House::new();
    let controller = gated(&house);
    interrupt(&house);
    recover(&house).await;
    told(&house, "re-run and passed").await;
    assert_eq!(only(&house).name, "Reprise");
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_merge_queue_that_nobody_configured_has_no_gate() {
    let house = House::new();
    let controller = house.start();
    let job = house.merge_job_on_spot(1, "build");
    house.end(job, Conclusion::Success);
    house.end_run(RUN);
    house.pass(600).await;
    assert_eq!(house.check().await, None);
    assert_eq!(house.github.check_posts(), 0);
    controller.stop().await;
}

fn gated(house: &House) -> Running {
    let usual = settings(true);
    let mut checks = usual.checks.clone();
    checks.merge_queues = vec![WildMatch::new("acme/*")];
    house.start_with(Settings { checks, ..usual }, 100)
}

/// The only job of a run loses its instance, and the run ends with it.
fn interrupt(house: &House) {
    let job = house.job_on_spot(1, "build");
    house.cloud.tag_interrupted(HOST);
    house.end(job, Conclusion::Failure);
    house.end_run(RUN);
}

/// The re-run of the only job passes.
async fn recover(house: &House) {
    house
        .until("asked", async || !house.github.accepted().is_empty())
        .await;
    let again: Job = house.github.latest(RUN).remove(0);
    assert_ne!(again.id, JobId(1));
    house.end(
        running(again, "i-0fedcba9876543210", house.now()),
        Conclusion::Success,
    );
    house.end_run(RUN);
}

fn only(house: &House) -> CheckRunOrder {
    let mut checks = house.github.checks();
    assert_eq!(checks.len(), 1, "{checks:?}");
    checks.remove(0)
}

/// Waits until the only check run says so.
async fn told(house: &House, words: &str) {
    house
        .until(words, async || {
            let checks = house.github.checks();
            checks.iter().any(|check| check.text.title.contains(words))
        })
        .await;
}
