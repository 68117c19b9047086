//! Interrupted jobs come back, once, and others do not.

use reprise_engine::job::with_evidence;
use reprise_model::evidence::{Evidence, EvidenceSource};
use reprise_model::ids::JobId;
use reprise_model::instance::{Capacity, InstanceState};
use reprise_model::job::{Conclusion, Job};
use reprise_model::ledger::{RerunTarget, TrackedState};
use reprise_model::webhook::JobAction;
use reprise_store::{Change, Expect};

use crate::fakes::house::House;
use crate::fakes::samples::{HOST, RUN, ended, instance, queued, running, secs, settings};

const SECOND_HOST: &str = "i-0123456789abcdef1";

#[tokio::test(start_paused = true)]
async fn an_interrupted_job_waits_for_its_run_and_comes_back_on_demand_once() {
    let house = House::new();
    let controller = house.start();
    let job = house.job_on_spot(1, "build");
    house.pass(30).await;
    house.cloud.tag_interrupted(HOST);
    house.end(job, Conclusion::Failure);
    house.until_quiet().await;
    house.pass(120).await;
    assert_eq!(house.state(1).await, Some(TrackedState::Awaiting));
    assert_eq!(
        house.github.posts(),
        0,
        "GitHub would only say that the run is active"
    );

    house.end_run(RUN);
    house
        .until("asked", async || !house.github.accepted().is_empty())
        .await;
    assert_eq!(house.github.accepted(), [RerunTarget::Job(JobId(1))]);

    let again = house.github.latest(RUN).remove(0);
    house.send_job(JobAction::Queued, &again);
    house
        .until("launched", async || !house.cloud.launched().is_empty())
        .await;
    assert_eq!(house.cloud.launched(), [Capacity::OnDemand]);
    let host = house.cloud.only_launched();
    house.end(running(again, &host, house.now()), Conclusion::Success);
    house.end_run(RUN);
    house
        .until("recovered", async || {
            house.reason(1).await == Some("recovered")
        })
        .await;
    house.until_quiet().await;
    assert_eq!(house.github.posts(), 1);
    assert_eq!(house.cloud.state_of(&host), InstanceState::Terminated);
    assert_eq!(house.record().await.expect("kept").due, None);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_event_that_comes_before_its_jobs_changes_nothing() {
    let house = House::new();
    let controller = house.start();
    let job = house.job_on_spot(1, "build");
    house.cloud.tag_interrupted(HOST);
    let job = house.end_silently(job, Conclusion::Cancelled);
    house.end_run(RUN);
    house.until_quiet().await;
    assert_eq!(house.github.posts(), 0, "nothing is known of the job yet");
    house.send_job(JobAction::Completed, &job);
    house
        .until("asked", async || !house.github.accepted().is_empty())
        .await;
    house.pass(600).await;
    assert_eq!(house.github.posts(), 1);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn two_interrupted_jobs_of_a_run_come_back_in_one_attempt() {
    let house = House::new();
    let controller = house.start();
    house.cloud.add(HOST, Capacity::Spot);
    house.cloud.add(SECOND_HOST, Capacity::Spot);
    let jobs = [
        running(queued(1, "build"), HOST, house.now()),
        running(queued(2, "test"), SECOND_HOST, house.now()),
    ];
    house.github.begin(&jobs);
    for (job, host) in jobs.into_iter().zip([HOST, SECOND_HOST]) {
        house.cloud.tag_interrupted(host);
        house.end(job, Conclusion::Failure);
    }
    house.end_run(RUN);
    house
        .until("asked", async || !house.github.accepted().is_empty())
        .await;
    assert_eq!(house.github.accepted(), [RerunTarget::FailedJobs]);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn evidence_that_arrives_while_a_job_is_looked_at_ends_the_look_at_once() {
    let house = House::new();
    let controller = house.start();
    let job = house.job_on_spot(1, "build");
    house.end(job, Conclusion::Failure);
    house.pass(7).await;
    assert_eq!(house.record().await, None, "it is being looked at");
    let before = house.now();
    house.send_warning(HOST);
    house
        .until("awaiting", async || house.state(1).await.is_some())
        .await;
    assert!(house.now().duration_since(before) < secs(1));
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn evidence_of_another_instance_makes_nobody_look_again() {
    let house = House::new();
    let controller = house.start();
    let job = house.job_on_spot(1, "build");
    house.cloud.add(SECOND_HOST, Capacity::Spot);
    house.end(job, Conclusion::Failure);
    house.pass(1).await;
    let looks = house.cloud.looks();
    house.send_warning(SECOND_HOST);
    house.pass(1).await;
    assert_eq!(house.cloud.looks(), looks);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_shows_late_is_found_by_a_later_look() {
    let house = House::new();
    let controller = house.start();
    let job = house.job_on_spot(1, "build");
    house.end(job, Conclusion::Failure);
    house.pass(20).await;
    house.cloud.tag_interrupted(HOST);
    house.pass(6).await;
    assert_eq!(house.state(1).await, Some(TrackedState::Awaiting));
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_warning_that_is_delivered_after_the_verdict_reopens_the_job() {
    let house = House::new();
    // On somebody else's fleet, where only the record tells of the job.
    let controller = house.start_with(settings(false), 10);
    let job = house.job_on_spot(1, "build");
    house.pass(60).await;
    let warned_at = house.now();
    house.end(job, Conclusion::Failure);
    house.end_run(RUN);
    house.until_quiet().await;
    assert!(shows_verdict(&controller, "not-interrupted"));
    let known = house.known(HOST).await.expect("remembered");
    assert!(known.unexplained.is_some());
    house.pass(120).await;
    house.deliver_warning(HOST, warned_at);
    house
        .until("asked", async || !house.github.accepted().is_empty())
        .await;
    assert_eq!(house.github.accepted(), [RerunTarget::Job(JobId(1))]);
    let known = house.known(HOST).await.expect("remembered");
    assert_eq!((known.unexplained, known.judged), (None, Some(JobId(1))));
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_only_its_own_tag_says_ec2_takes_is_ended_when_ec2_did_not() {
    let house = House::new();
    let controller = house.start();
    let job = house.job_on_spot(1, "build");
    house.cloud.tag_interrupted(HOST);
    house.end(job, Conclusion::Failure);
    house.end_run(RUN);
    house.pass(600).await;
    assert_eq!(
        house.cloud.state_of(HOST),
        InstanceState::Running,
        "EC2 may take it yet"
    );
    house.pass(600).await;
    assert_eq!(house.cloud.state_of(HOST), InstanceState::Terminated);
    assert_eq!(house.known(HOST).await.expect("remembered").due, None);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn evidence_that_another_replica_stores_at_the_very_end_of_the_look_is_not_missed() {
    let house = House::new();
    let controller = house.start_with(settings(false), 10);
    let job = house.job_on_spot(1, "build");
    house.pass(10).await;
    let warned = Evidence {
        source: EvidenceSource::InterruptionWarning,
        first_seen_at: house.now(),
    };
    house.end(job, Conclusion::Failure);
    house.end_run(RUN);
    let entry = with_evidence(None, &instance(HOST), &[warned]).expect("a record");
    house.store.write_before_next_commit(Change::PutInstance {
        entry,
        expect: Expect::Absent,
        expires_at: house.now() + secs(86_400),
    });
    house.pass(70).await;
    assert_eq!(house.github.accepted(), [RerunTarget::Job(JobId(1))]);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_shows_after_the_verdict_is_found_by_the_last_look() {
    let house = House::new();
    // No sweep finds it, as the fleet is somebody else's.
    let controller = house.start_with(settings(false), 10);
    let job = house.job_on_spot(1, "build");
    house.end(job, Conclusion::Failure);
    house.end_run(RUN);
    house.until_quiet().await;
    house.cloud.tag_interrupted(HOST);
    house
        .until("asked", async || !house.github.accepted().is_empty())
        .await;
    assert_eq!(house.known(HOST).await.expect("remembered").due, None);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_real_failure_on_spot_is_settled_once_and_its_instance_ended() {
    let house = House::new();
    let controller = house.start();
    let job = house.job_on_spot(1, "build");
    house.end(job, Conclusion::Failure);
    house.end_run(RUN);
    house.until_quiet().await;
    house.pass(3_600).await;
    assert_eq!(house.github.posts(), 0);
    assert_eq!(house.record().await, None);
    assert_eq!(house.cloud.state_of(HOST), InstanceState::Terminated);
    assert_eq!(house.known(HOST).await, None, "nothing is to be remembered");
    assert!(
        shows_verdict(&controller, "not-interrupted"),
        "and it is counted once"
    );
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_opted_out_stays_failed_with_its_evidence_kept() {
    let house = House::new();
    let controller = house.start();
    house.cloud.add(HOST, Capacity::Spot);
    let job = Job {
        labels: vec!["runs-on=900/family=c7a/retry=false".to_owned()],
        ..running(queued(1, "build"), HOST, house.now())
    };
    house.github.begin(std::slice::from_ref(&job));
    house.cloud.tag_interrupted(HOST);
    house.end(job, Conclusion::Failure);
    house.end_run(RUN);
    house.until_quiet().await;
    house.pass(3_600).await;
    assert_eq!(house.github.posts(), 0);
    assert_eq!(house.record().await, None);
    let known = house.known(HOST).await.expect("remembered");
    assert_eq!(known.judged, Some(JobId(1)));
    assert!(!known.evidence.is_empty());
    assert!(
        shows_verdict(&controller, "opted-out"),
        "and no sweep counts it again"
    );
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_verdict_by_evidence_is_counted_once_however_often_the_end_is_told() {
    let house = House::new();
    let controller = house.start();
    house.cloud.add(HOST, Capacity::Spot);
    let job = Job {
        labels: vec!["runs-on=900/retry=false".to_owned()],
        ..running(queued(1, "build"), HOST, house.now())
    };
    house.github.begin(std::slice::from_ref(&job));
    house.cloud.tag_interrupted(HOST);
    let job = house.end(job, Conclusion::Failure);
    house.send_job(JobAction::Completed, &job);
    house.until_quiet().await;
    house.send_job(JobAction::Completed, &job);
    house.until_quiet().await;
    assert!(shows_verdict(&controller, "opted-out"));
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_verdict_on_the_last_job_of_a_run_lets_it_go_on_at_once() {
    let house = House::new();
    let controller = house.start();
    house.cloud.add(HOST, Capacity::Spot);
    house.cloud.add(SECOND_HOST, Capacity::Spot);
    let jobs = [
        running(queued(1, "build"), HOST, house.now()),
        Job {
            labels: vec!["runs-on=900/retry=false".to_owned()],
            ..running(queued(2, "test"), SECOND_HOST, house.now())
        },
    ];
    house.github.begin(&jobs);
    let [interrupted, looked_at] = jobs;
    house.cloud.tag_interrupted(HOST);
    house.end(interrupted, Conclusion::Failure);
    house.end(looked_at, Conclusion::Failure);
    house.end_run(RUN);
    house.pass(7).await;
    assert_eq!(house.github.posts(), 0, "a job of it is still looked at");
    let before = house.now();
    house.send_warning(SECOND_HOST);
    house
        .until("asked", async || !house.github.accepted().is_empty())
        .await;
    assert!(house.now().duration_since(before) < secs(1));
    assert_eq!(house.github.accepted(), [RerunTarget::Job(JobId(1))]);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_on_demand_is_not_looked_at_for_long_and_not_re_run() {
    let house = House::new();
    let controller = house.start();
    house.cloud.add(HOST, Capacity::OnDemand);
    let job = running(queued(1, "build"), HOST, house.now());
    house.github.begin(std::slice::from_ref(&job));
    house.end(job, Conclusion::Failure);
    house.end_run(RUN);
    house.pass(2).await;
    assert!(house.webhooks.is_empty());
    assert!(shows_verdict(&controller, "not-spot"));
    assert_eq!(house.cloud.state_of(HOST), InstanceState::Terminated);
    assert_eq!(house.github.posts(), 0);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_interrupted_again_is_not_re_run_again() {
    let house = House::new();
    let controller = house.start();
    let second = interrupted_again(&house).await;
    house.end(second, Conclusion::Failure);
    house.end_run(RUN);
    house.until_quiet().await;
    house.pass(600).await;
    assert_eq!(house.github.posts(), 1);
    assert!(shows_verdict(&controller, "attempt-limit"));
    assert_eq!(house.reason(1).await, Some("failed-again"));
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_list_of_jobs_that_github_still_fills_is_not_taken_for_a_first_execution() {
    let house = House::new();
    let controller = house.start();
    house.cloud.add(HOST, Capacity::Spot);
    house.cloud.add(SECOND_HOST, Capacity::Spot);
    // Two jobs of one name: only their places in the list tell them apart.
    let jobs = [
        running(queued(1, "test"), SECOND_HOST, house.now()),
        running(queued(2, "test"), HOST, house.now()),
    ];
    house.github.begin(&jobs);
    let [passed, interrupted] = jobs;
    house.end(passed, Conclusion::Success);
    house.cloud.tag_interrupted(HOST);
    house.end(interrupted, Conclusion::Failure);
    house.end_run(RUN);
    house
        .until("asked", async || !house.github.accepted().is_empty())
        .await;

    let third_host = "i-0123456789abcdef2";
    house.cloud.add(third_host, Capacity::Spot);
    house.github.list_only(RUN, 1);
    house.pass(5).await;
    let again = running(house.github.latest(RUN).remove(1), third_host, house.now());
    house.pass(5).await;
    house.cloud.tag_interrupted(third_host);
    house.end(again, Conclusion::Failure);
    house.pass(20).await;
    assert!(!house.webhooks.is_empty(), "its place is not known yet");
    house.github.list_only(RUN, 2);
    house.end_run(RUN);
    house.until_quiet().await;
    house.pass(600).await;
    assert_eq!(house.github.posts(), 1);
    assert!(shows_verdict(&controller, "attempt-limit"));
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_carried_over_record_is_ignored() {
    let house = House::new();
    let controller = house.start();
    let job = house.job_on_spot(1, "build");
    house.cloud.add(SECOND_HOST, Capacity::Spot);
    house.pass(10).await;
    house.cloud.tag_interrupted(HOST);
    house.end(job, Conclusion::Failure);
    house.end_run(RUN);
    house
        .until("asked", async || !house.github.accepted().is_empty())
        .await;
    // The old execution, told again under a new id.
    let old = ended(
        running(queued(1_001, "build"), HOST, house.now() - secs(10)),
        Conclusion::Failure,
        house.now(),
    );
    let first = house.record().await.expect("a record").jobs[&JobId(1)]
        .execution
        .clone();
    let carried_over = Job {
        run_attempt: reprise_model::ids::RunAttempt::FIRST.next(),
        runner_name: first.runner_name,
        started_at: first.started_at,
        completed_at: first.completed_at,
        ..old
    };
    house.send_job(JobAction::Completed, &carried_over);
    house.until_quiet().await;
    let ignored = r#"reprise_messages_total{outcome="ignored-carried-over",queue="webhooks"} 1"#;
    assert!(controller.shows(ignored), "{}", controller.metrics());
    controller.stop().await;
}

/// A job that was interrupted, re-run, and is about to be interrupted in its second attempt.
async fn interrupted_again(house: &House) -> Job {
    let job = house.job_on_spot(1, "build");
    house.cloud.add(SECOND_HOST, Capacity::Spot);
    house.pass(10).await;
    house.cloud.tag_interrupted(HOST);
    house.end(job, Conclusion::Failure);
    house.end_run(RUN);
    house
        .until("asked", async || !house.github.accepted().is_empty())
        .await;
    house.pass(5).await;
    let second = running(house.github.latest(RUN).remove(0), SECOND_HOST, house.now());
    house.pass(5).await;
    house.cloud.tag_interrupted(SECOND_HOST);
    second
}

fn shows_verdict(controller: &crate::fakes::house::Running, reason: &str) -> bool {
    controller.shows(&format!(
        r#"reprise_job_verdicts_total{{reason="{reason}"}} 1"#
    ))
}
