//! Jobs whose policy asks an endpoint of the operator's.

use reprise_config::Settings;
use reprise_model::advice::{Answer, NoAnswer, Said};
use reprise_model::ids::JobId;
use reprise_model::instance::Capacity;
use reprise_model::job::{Conclusion, Job};
use reprise_model::ledger::{RerunTarget, TrackedJob, TrackedState, Why};
use reprise_model::webhook::JobAction;
use wildmatch::WildMatch;

use crate::fakes::house::House;
use crate::fakes::samples::{HOST, RUN, queued, running, settings};

const ASKS: &str = "runs-on=900/retry=ask:judge";

#[tokio::test(start_paused = true)]
async fn an_interrupted_job_comes_back_when_its_endpoint_says_so_and_is_asked_about_once() {
    let house = House::new();
    house.advisers.say(yes(None));
    let replicas = [
        house.start_with(asking("acme/*"), 10),
        house.start_with(asking("acme/*"), 10),
    ];
    interrupt(&house).await;
    house.end_run(RUN);
    house
        .until("asked", async || !house.github.accepted().is_empty())
        .await;
    house.pass(600).await;
    assert_eq!(house.github.accepted(), [RerunTarget::Job(JobId(1))]);
    let [question] = house.advisers.asked().try_into().expect("one question");
    assert!(question.interrupted);
    assert_eq!(question.capacity, Some(Capacity::Spot));
    let tracked = tracked(&house).await;
    assert_eq!(tracked.why, Why::Interrupted);
    assert_eq!(said(&tracked), "judge says to re-run it: \"so\"");
    for replica in replicas {
        replica.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_its_endpoint_said_no_to_does_not_come_back_whatever_is_told_again() {
    let house = House::new();
    house.advisers.say(no());
    house.advisers.say(yes(None));
    let controller = house.start_with(asking("acme/*"), 10);
    let job = interrupt(&house).await;
    house.end_run(RUN);
    house.pass(120).await;
    assert_eq!(house.reason(1).await, Some("endpoint-said-no"));
    controller.crash().await;
    let controller = house.start_with(asking("acme/*"), 10);
    house.send_job(JobAction::Completed, &job);
    house.end_run(RUN);
    house.pass(1_200).await;
    assert_eq!(house.github.posts(), 0);
    assert_eq!(house.advisers.asked().len(), 1, "the ledger knows");
    assert_eq!(
        said(&tracked(&house).await),
        "judge says not to re-run it: \"so\""
    );
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_job_whose_endpoint_hangs_comes_back_by_the_default_policy() {
    let house = House::new();
    house.advisers.say(Err(NoAnswer::TimedOut));
    let controller = house.start_with(asking("acme/*"), 10);
    interrupt(&house).await;
    house.end_run(RUN);
    house
        .until("asked", async || !house.github.accepted().is_empty())
        .await;
    house.pass(300).await;
    assert_eq!(house.github.posts(), 1);
    assert_eq!(house.advisers.asked().len(), 1);
    let tracked = tracked(&house).await;
    assert_eq!(
        tracked.policy.expect("kept").to_string(),
        "when-interrupted"
    );
    assert!(said(&tracked).starts_with("no answer of judge"));
    let line = r#"reprise_ask_answers_total{endpoint="judge",outcome="timed-out"} 1"#;
    assert!(controller.shows(line), "{}", controller.metrics());
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_job_comes_back_only_when_its_endpoint_says_so() {
    for (answer, reason) in [
        (yes(None), None),
        (no(), Some("endpoint-said-no")),
        (
            Err(NoAnswer::BadStatus { status: 500 }),
            Some("endpoint-unanswered"),
        ),
    ] {
        let house = House::new();
        house.advisers.say(answer);
        let controller = house.start_with(asking("acme/*"), 10);
        let job = hosted(&house);
        house
            .github
            .printed(job.id, "assertion `left == right` failed");
        house.end(job, Conclusion::Failure);
        house.end_run(RUN);
        house.pass(300).await;
        assert_eq!(house.github.posts(), u32::from(reason.is_none()));
        assert_eq!(house.advisers.asked().len(), 1, "{reason:?}");
        let question = house.advisers.asked().remove(0);
        assert!(!question.interrupted);
        let failure = question.failure.expect("it was judged");
        assert_eq!(failure.class.as_str(), "permanent");
        if reason.is_some() {
            assert_eq!(house.reason(1).await, reason);
        } else {
            assert_eq!(tracked(&house).await.why, Why::Advised);
        }
        controller.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_job_whose_event_was_lost_is_asked_about_when_its_run_ends() {
    let house = House::new();
    house.advisers.say(yes(None));
    let controller = house.start_with(asking("acme/*"), 10);
    let job = hosted(&house);
    house.end_silently(job, Conclusion::Failure);
    house.end_run(RUN);
    house
        .until("asked", async || !house.github.accepted().is_empty())
        .await;
    house.pass(300).await;
    assert_eq!(house.advisers.asked().len(), 1);
    assert_eq!(house.github.posts(), 1);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_next_attempt_runs_on_what_the_endpoint_named_and_else_on_demand() {
    for (named, capacity) in [
        (Some(Capacity::Spot), Capacity::Spot),
        (Some(Capacity::OnDemand), Capacity::OnDemand),
        (None, Capacity::OnDemand),
    ] {
        let house = House::new();
        house.advisers.say(yes(named));
        let controller = house.start_with(asking("acme/*"), 10);
        interrupt(&house).await;
        house.end_run(RUN);
        house
            .until("asked", async || !house.github.accepted().is_empty())
            .await;
        let again = house.github.latest(RUN).remove(0);
        house.send_job(JobAction::Queued, &again);
        house
            .until("launched", async || !house.cloud.launched().is_empty())
            .await;
        assert_eq!(house.cloud.launched(), [capacity]);
        controller.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_label_that_names_somebody_elses_endpoint_has_the_default_policy_and_says_so() {
    let house = House::new();
    house.advisers.say(no());
    let controller = house.start_with(asking("others/*"), 10);
    interrupt(&house).await;
    house.end_run(RUN);
    house
        .until("asked", async || !house.github.accepted().is_empty())
        .await;
    assert!(house.advisers.asked().is_empty());
    let tracked = tracked(&house).await;
    let why = NoAnswer::NotAllowed;
    assert_eq!(
        tracked.advice.expect("it is told").said,
        Said::Nothing { why }
    );
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_hangs_keeps_nobody_else_waiting() {
    let house = House::new();
    house.advisers.say(Err(NoAnswer::TimedOut));
    let controller = house.start_with(asking("acme/*"), 100);
    let jobs: Vec<Job> = (1..=40).map(|id| named(&house, id)).collect();
    house.github.begin(&jobs);
    for job in jobs {
        house.github.printed(job.id, "assertion failed");
        house.end_silently(job, Conclusion::Failure);
    }
    let before = house.now();
    house.end_run(RUN);
    house
        .until("asked about all", async || {
            let record = house.record().await;
            record.is_some_and(|record| record.jobs.len() == 40)
        })
        .await;
    let took = house.now().duration_since(before);
    assert!(took.as_secs() < 30, "16 at a time are asked about: {took}");
    controller.stop().await;
}

/// It ran on spot, and EC2 took it.
async fn interrupt(house: &House) -> Job {
    house.cloud.add(HOST, Capacity::Spot);
    let job = Job {
        labels: vec![ASKS.to_owned()],
        ..running(queued(1, "build"), HOST, house.now())
    };
    house.github.begin(std::slice::from_ref(&job));
    house.pass(30).await;
    house.cloud.tag_interrupted(HOST);
    let job = house.end_silently(job, Conclusion::Failure);
    house.send_job(JobAction::Completed, &job);
    house
        .until("judged", async || house.state(1).await.is_some())
        .await;
    job
}

fn hosted(house: &House) -> Job {
    let job = named(house, 1);
    house.github.begin(std::slice::from_ref(&job));
    job
}

fn named(house: &House, id: u64) -> Job {
    Job {
        labels: vec![ASKS.to_owned()],
        ..running(
            queued(id, &format!("e2e ({id})")),
            "GitHub Actions 7",
            house.now(),
        )
    }
}

fn asking(repositories: &str) -> Settings {
    let mut settings = settings(true);
    let endpoint = "judge".parse().expect("a name");
    let patterns = vec![WildMatch::new(repositories)];
    settings.policies.endpoints.insert(endpoint, patterns);
    settings
}

async fn tracked(house: &House) -> TrackedJob {
    let mut record = house.record().await.expect("kept");
    let tracked = record.jobs.remove(&JobId(1)).expect("kept");
    assert!(!matches!(tracked.state, TrackedState::Awaiting));
    tracked
}

fn said(job: &TrackedJob) -> String {
    job.advice.as_ref().expect("it was asked about").to_string()
}

fn yes(capacity: Option<Capacity>) -> Result<Answer, NoAnswer> {
    Ok(Answer {
        retry: true,
        capacity,
        reason: Some("so".to_owned()),
    })
}

fn no() -> Result<Answer, NoAnswer> {
    Ok(Answer {
        retry: false,
        capacity: None,
        reason: Some("so".to_owned()),
    })
}
