//! `evidence = "proof"`: what a tag claims is believed when EC2 says it, too.

use reprise_model::evidence::EvidenceSource;
use reprise_model::ids::JobId;
use reprise_model::instance::{Capacity, InstanceState};
use reprise_model::job::{Conclusion, Job};
use reprise_model::ledger::{RerunTarget, TrackedState};
use reprise_model::policy::EvidenceRule;
use reprise_model::webhook::JobAction;

use crate::fakes::house::{House, Running};
use crate::fakes::samples::{HOST, RUN, running, settings};

#[tokio::test(start_paused = true)]
async fn under_proof_a_tag_alone_brings_nothing_back_and_is_counted() {
    let house = House::new();
    let controller = demanding_proof(&house, true);
    let job = claimed(&house).await;
    house.cloud.spot_request_is(HOST, "fulfilled");
    house.end(job, Conclusion::Failure);
    house.end_run(RUN);
    house.pass(170).await;
    assert_eq!(
        house.cloud.state_of(HOST),
        InstanceState::Running,
        "to end it would destroy the proof"
    );
    house.pass(3_600).await;
    assert_eq!(house.github.posts(), 0);
    assert_eq!(house.record().await, None);
    assert_eq!(house.cloud.state_of(HOST), InstanceState::Terminated);
    assert!(shows_verdict(&controller, "uncorroborated"));
    let counted =
        "reprise_unverified_interruptions_total{family=\"c7a\",repository=\"acme/shop\"} 1";
    assert!(controller.shows(counted), "{}", controller.metrics());
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn under_proof_eventbridges_warning_corroborates_the_tag_at_once() {
    let house = House::new();
    let controller = demanding_proof(&house, true);
    let job = claimed(&house).await;
    house.end(job, Conclusion::Failure);
    house.pass(7).await;
    assert_eq!(house.state(1).await, None, "only its tag speaks for it");
    house.send_warning(HOST);
    house.pass(1).await;
    comes_back(&house, EvidenceSource::InterruptionWarning).await;
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn under_proof_the_spot_requests_status_corroborates_the_tag() {
    for code in [
        "marked-for-termination",
        "instance-terminated-no-capacity",
        "marked-for-stop",
        "instance-stopped-no-capacity",
    ] {
        let house = House::new();
        let controller = demanding_proof(&house, true);
        let job = claimed(&house).await;
        house.cloud.spot_request_is(HOST, code);
        house.end(job, Conclusion::Failure);
        house.pass(2).await;
        comes_back(&house, EvidenceSource::SpotRequest).await;
        controller.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn under_proof_the_state_reason_corroborates_the_tag_minutes_after_the_end() {
    let house = House::new();
    let controller = demanding_proof(&house, true);
    let job = claimed(&house).await;
    house.end(job, Conclusion::Failure);
    house.pass(118).await;
    house.cloud.take_by_interruption(HOST);
    house.pass(50).await;
    comes_back(&house, EvidenceSource::StateReason).await;
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn proof_that_comes_after_the_verdict_reopens_the_job() {
    for with_fleet in [true, false] {
        let house = House::new();
        let controller = demanding_proof(&house, with_fleet);
        let (job, host) = launched(&house, with_fleet).await;
        house.pass(30).await;
        house.cloud.tag_interrupted(&host);
        let warned_at = house.now();
        house.end(job, Conclusion::Failure);
        house.end_run(RUN);
        house.pass(240).await;
        assert!(shows_verdict(&controller, "uncorroborated"), "{with_fleet}");
        assert_eq!(house.github.posts(), 0);
        house.deliver_warning(&host, warned_at);
        house
            .until("asked", async || !house.github.accepted().is_empty())
            .await;
        assert_eq!(house.github.accepted(), [RerunTarget::Job(JobId(1))]);
        controller.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_spot_request_that_cannot_be_read_leaves_the_other_witnesses() {
    let house = House::new();
    let controller = demanding_proof(&house, true);
    let job = claimed(&house).await;
    house.cloud.no_spot_reads();
    house.end(job, Conclusion::Failure);
    house.pass(20).await;
    assert!(house.cloud.spot_reads() > 0);
    house.send_warning(HOST);
    house.pass(1).await;
    comes_back(&house, EvidenceSource::InterruptionWarning).await;
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_spot_request_of_a_job_for_which_no_tag_speaks_is_never_read() {
    let house = House::new();
    let controller = demanding_proof(&house, true);
    let job = house.job_on_spot(1, "build");
    house.end(job, Conclusion::Failure);
    house.end_run(RUN);
    house.pass(600).await;
    assert!(shows_verdict(&controller, "not-interrupted"));
    assert_eq!(house.cloud.spot_reads(), 0);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn where_a_tag_is_enough_the_spot_request_is_never_read() {
    let house = House::new();
    let controller = house.start();
    let job = claimed(&house).await;
    house.end(job, Conclusion::Failure);
    house.pass(2).await;
    comes_back(&house, EvidenceSource::Tag).await;
    assert_eq!(house.cloud.spot_reads(), 0);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_ec2_stops_counts_as_one_that_it_terminates() {
    for rule in [EvidenceRule::Claim, EvidenceRule::Proof] {
        let house = House::new();
        let controller = house.start_with(by(rule, false), 10);
        let job = house.job_on_spot(1, "build");
        house.pass(30).await;
        house.cloud.stop_by_interruption(HOST);
        house.end(job, Conclusion::Failure);
        house.pass(2).await;
        comes_back(&house, EvidenceSource::StateReason).await;
        controller.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_a_sweep_saw_before_the_job_began_is_void() {
    let house = House::new();
    let controller = house.start();
    house.cloud.add(HOST, Capacity::Spot);
    house.cloud.tag_interrupted(HOST);
    house.pass(70).await;
    let known = house.known(HOST).await.expect("a sweep keeps it");
    assert_eq!(known.evidence.len(), 1);
    let job = house.job_on_host(1, "build");
    house.pass(30).await;
    house.end(job, Conclusion::Failure);
    house.end_run(RUN);
    house.pass(600).await;
    assert_eq!(house.github.posts(), 0);
    assert!(shows_verdict(&controller, "not-interrupted"));
    controller.stop().await;
}

/// A job on spot whose instance bears the tag.
async fn claimed(house: &House) -> Job {
    let job = house.job_on_spot(1, "build");
    house.pass(30).await;
    house.cloud.tag_interrupted(HOST);
    job
}

/// A job on the instance that was launched for it, or on somebody else's.
async fn launched(house: &House, with_fleet: bool) -> (Job, String) {
    if !with_fleet {
        return (house.job_on_spot(1, "build"), HOST.to_owned());
    }
    let job = crate::fakes::samples::queued(1, "build");
    house.github.begin(std::slice::from_ref(&job));
    house.send_job(JobAction::Queued, &job);
    house
        .until("launched", async || !house.cloud.launched().is_empty())
        .await;
    let host = house.cloud.only_launched();
    let job = running(job, &host, house.now());
    house.github.put(&job);
    (job, host)
}

async fn comes_back(house: &House, by: EvidenceSource) {
    assert_eq!(house.state(1).await, Some(TrackedState::Awaiting));
    let record = house.record().await.expect("a record");
    let sources = record.jobs[&JobId(1)].evidence.iter().map(|one| one.source);
    assert!(sources.into_iter().any(|source| source == by), "{record:?}");
}

fn demanding_proof(house: &House, with_fleet: bool) -> Running {
    house.start_with(by(EvidenceRule::Proof, with_fleet), 10)
}

fn by(rule: EvidenceRule, with_fleet: bool) -> reprise_config::Settings {
    let mut settings = settings(with_fleet);
    settings.rules.evidence = rule;
    settings
}

fn shows_verdict(controller: &Running, reason: &str) -> bool {
    controller.shows(&format!(
        r#"reprise_job_verdicts_total{{reason="{reason}"}} 1"#
    ))
}
