//! What events did not say is found without them.

use std::slice;

use reprise_model::ids::JobId;
use reprise_model::instance::Capacity;
use reprise_model::job::{Conclusion, Job};
use reprise_model::ledger::{RerunTarget, TrackedState};
use reprise_model::webhook::JobAction;
use reprise_store::{HolderId, LeaseName, Store};

use crate::fakes::cloud::IMAGE;
use crate::fakes::github::Fault;
use crate::fakes::house::{House, Running};
use crate::fakes::samples::{HOST, REGION, RUN, queued, running, secs};

#[tokio::test(start_paused = true)]
async fn an_interrupted_job_whose_events_were_all_lost_comes_back() {
    let house = House::new();
    let controller = house.start();
    let (job, host) = launched(&house).await;
    house.cloud.tag_interrupted(&host);
    house.pass(30).await;
    house.cloud.take(&host);
    house.end_silently(job, Conclusion::Failure);
    house.github.complete(RUN);
    let before = house.now();
    house
        .until("asked", async || !house.github.accepted().is_empty())
        .await;
    assert_eq!(house.github.accepted(), [RerunTarget::Job(JobId(1))]);
    assert!(house.now().duration_since(before) < secs(240));
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_age_of_an_image_in_use_is_asked_for_once_and_shown_as_long_as_it_is_in_use() {
    let house = House::new();
    house.cloud.image_made_at(house.now() - secs(86_400));
    let controller = house.start();
    let (_, host) = launched(&house).await;
    house.pass(300).await;
    assert_eq!(house.cloud.image_date_reads(), 1);
    let shown = image_age(&controller.metrics()).expect("it is shown");
    assert!((86_400..87_000).contains(&shown), "{shown} s");
    house.cloud.take(&host);
    house.pass(120).await;
    assert_eq!(image_age(&controller.metrics()), None);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_runner_is_as_old_as_its_images_tag_says() {
    let house = House::new();
    house.cloud.image_made_at(house.now() - secs(86_400));
    house.cloud.runner_released_at("2027-02-01");
    let controller = house.start();
    launched(&house).await;
    house.pass(120).await;
    let image = image_age(&controller.metrics()).expect("it is shown");
    assert!((86_400..87_000).contains(&image), "{image} s");
    let series = format!("reprise_runner_age_seconds{{image=\"{IMAGE}\",region=\"{REGION}\"}}");
    let runner = controller.number(&series).await.expect("it is shown");
    // Since midnight, 28 days before ten o'clock of the first of March.
    let days = 28 * 86_400 + 10 * 3_600;
    assert!((days..days + 600).contains(&runner), "{runner} s");
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_loses_its_turn_shows_no_image_any_more() {
    let house = House::new();
    house.cloud.image_made_at(house.now() - secs(86_400));
    let controller = house.start();
    launched(&house).await;
    house.pass(120).await;
    assert!(image_age(&controller.metrics()).is_some());
    let (other, later) = (HolderId::new("another replica"), house.now() + secs(60));
    let taken = house
        .store
        .take_lease(LeaseName::Sweep, &other, later, later + secs(600))
        .await;
    assert!(taken.expect("it answers").is_some());
    house.pass(60).await;
    assert_eq!(image_age(&controller.metrics()), None);
    controller.stop().await;
}

fn image_age(metrics: &str) -> Option<i64> {
    let mut lines = metrics.lines();
    let line = lines.find(|line| line.starts_with("reprise_image_age_seconds{"))?;
    let (series, age) = line.rsplit_once(' ')?;
    assert!(series.contains(IMAGE), "{series}");
    age.parse().ok()
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_end_was_lost_after_a_warning_comes_back() {
    let house = House::new();
    let controller = house.start();
    let (job, host) = launched(&house).await;
    house.send_warning(&host);
    house.until_quiet().await;
    house.cloud.tag_interrupted(&host);
    house.end_silently(job, Conclusion::Failure);
    house.github.complete(RUN);
    house
        .until("asked", async || !house.github.accepted().is_empty())
        .await;
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_shows_after_the_verdict_reopens_the_job() {
    let house = House::new();
    let controller = house.start();
    let host = failed_by_itself(&house).await;
    assert_eq!(house.known(&host).await, None);
    house.cloud.tag_interrupted(&host);
    house.pass(240).await;
    assert_eq!(house.github.accepted(), [RerunTarget::Job(JobId(1))]);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_warning_that_is_delivered_after_the_verdict_reopens_the_job_at_once() {
    let house = House::new();
    let controller = house.start();
    let warned_at = house.now();
    let host = failed_by_itself(&house).await;
    let before = house.now();
    house.deliver_warning(&host, warned_at);
    house
        .until("asked", async || !house.github.accepted().is_empty())
        .await;
    assert!(house.now().duration_since(before) < secs(5));
    assert_eq!(house.github.accepted(), [RerunTarget::Job(JobId(1))]);
    let known = house.known(&host).await.expect("remembered");
    assert_eq!(known.judged, Some(JobId(1)));
    house.pass(600).await;
    assert_eq!(house.github.posts(), 1);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn evidence_that_comes_after_the_run_has_moved_on_is_too_late() {
    for by_event in [true, false] {
        let house = House::new();
        let controller = house.start();
        let warned_at = house.now();
        let host = failed_by_itself(&house).await;
        house.github.rerun_now(RUN, RerunTarget::FailedJobs);
        house.pass(60).await;
        if by_event {
            house.deliver_warning(&host, warned_at);
        } else {
            house.cloud.tag_interrupted(&host);
        }
        house
            .until("settled", async || house.reason(1).await.is_some())
            .await;
        // A warning bears its own time: EC2 gave it before anybody re-ran the run.
        let reason = if by_event {
            "already-rerun"
        } else {
            "evidence-too-late"
        };
        assert_eq!(house.reason(1).await, Some(reason));
        assert_eq!(house.github.posts(), 0);
        controller.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_warning_about_a_run_that_is_gone_is_a_final_outcome() {
    let house = House::new();
    let controller = house.start();
    let warned_at = house.now();
    let host = failed_by_itself(&house).await;
    house.github.fail_reads(Some(Fault::Gone));
    house.deliver_warning(&host, warned_at);
    house.pass(5).await;
    assert!(house.ec2_events.is_empty());
    assert!(!house.known(&host).await.expect("kept").evidence.is_empty());
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_warning_that_comes_in_time_costs_no_question() {
    let house = House::new();
    let controller = house.start();
    let (_, host) = launched(&house).await;
    let looks = house.cloud.looks();
    house.send_warning(&host);
    house.until_quiet().await;
    assert_eq!(house.cloud.looks(), looks);
    assert_eq!(house.github.jobs_reads(), 0);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_judged_is_not_judged_with_every_sweep() {
    let house = House::new();
    let controller = house.start();
    let (job, host) = launched(&house).await;
    house.cloud.tag_interrupted(&host);
    house.end(job, Conclusion::Failure);
    house.end_run(RUN);
    house.until("asked", async || house.is_asked().await).await;
    house.pass(60).await;
    let second = house.github.latest(RUN).remove(0);
    house.cloud.add(HOST, Capacity::OnDemand);
    house.end(running(second, HOST, house.now()), Conclusion::Success);
    house.end_run(RUN);
    house
        .until("settled", async || house.reason(1).await.is_some())
        .await;
    let reads = house.github.jobs_reads();
    house.pass(3_600).await;
    assert_eq!(house.github.jobs_reads(), reads);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn events_have_two_minutes_before_a_sweep_asks_github() {
    let house = House::new();
    let controller = house.start();
    let (_, host) = launched(&house).await;
    house.cloud.tag_interrupted(&host);
    house.pass(150).await;
    assert_eq!(house.github.jobs_reads(), 0);
    house.pass(60).await;
    assert!(house.github.jobs_reads() > 0);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_instance_without_a_job_is_asked_about_less_and_less() {
    let house = House::new();
    let controller = house.start();
    house.send_job(JobAction::Queued, &queued(1, "build"));
    house
        .until("launched", async || !house.cloud.launched().is_empty())
        .await;
    house.github.begin(&[queued(1, "build")]);
    house.cloud.tag_interrupted(&house.cloud.only_launched());
    house.pass(3_600).await;
    assert!(
        house.github.jobs_reads() <= 24,
        "{}",
        house.github.jobs_reads()
    );
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_github_never_ends_is_given_up_once() {
    let house = House::new();
    let controller = house.start();
    let (_, host) = launched(&house).await;
    house.cloud.tag_interrupted(&host);
    house.pass(120).await;
    house.cloud.take(&host);
    house.pass(600).await;
    assert!(!gave_up(&controller), "GitHub may end it yet");
    house.pass(3_600).await;
    assert!(gave_up(&controller));
    assert_eq!(house.github.posts(), 0, "nothing is cancelled by force");
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_sweep_that_fails_is_counted_and_the_next_one_finds_what_it_missed() {
    let house = House::new();
    let controller = house.start();
    let (job, host) = launched(&house).await;
    house.cloud.tag_interrupted(&host);
    house.end_silently(job, Conclusion::Failure);
    house.github.complete(RUN);
    house.github.fail_reads(Some(Fault::Down));
    house.pass(300).await;
    assert_eq!(house.record().await, None);
    assert!(
        controller
            .metrics()
            .contains(r#"reprise_sweeps_total{result="failed"}"#)
    );
    house.github.fail_reads(None);
    house.until("asked", async || house.is_asked().await).await;
    assert!(matches!(
        house.state(1).await,
        Some(TrackedState::Asked { .. })
    ));
    controller.stop().await;
}

/// A job of ours that runs on the spot instance that was launched for it.
async fn launched(house: &House) -> (Job, String) {
    house.send_job(JobAction::Queued, &queued(1, "build"));
    house
        .until("launched", async || !house.cloud.launched().is_empty())
        .await;
    let host = house.cloud.only_launched();
    let job = running(queued(1, "build"), &host, house.now());
    house.github.begin(slice::from_ref(&job));
    house.pass(10).await;
    (job, host)
}

/// The host of a job of ours that failed without any evidence, in a run that has completed.
async fn failed_by_itself(house: &House) -> String {
    let (job, host) = launched(house).await;
    house.end(job, Conclusion::Failure);
    house.end_run(RUN);
    house.until_quiet().await;
    assert_eq!(house.record().await, None);
    host
}

fn gave_up(controller: &Running) -> bool {
    controller.shows(r#"reprise_job_verdicts_total{reason="never-completed"} 1"#)
}
