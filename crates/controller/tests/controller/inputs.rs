//! Bad input: each a counted, final outcome.

use std::collections::BTreeMap;

use reprise_model::ids::RunnerName;
use reprise_model::instance::Capacity;
use reprise_model::job::{Conclusion, Job};
use reprise_model::tags::TagKeys;
use reprise_model::webhook::{JobAction, WorkflowJobEvent, workflow_job_body};

use crate::fakes::house::{
    House, OLD_SECRET, Running, SECRET, signature, warning, webhook_attributes,
};
use crate::fakes::samples::{HOST, RUN, ended, queued, repository, running};

#[tokio::test(start_paused = true)]
async fn what_is_not_signed_with_our_secret_is_not_believed() {
    let house = House::new();
    let controller = house.start();
    let body = queued_body();
    for signature in [None, Some(signature("another secret", &body))] {
        let attributes = webhook_attributes("workflow_job", signature.as_deref());
        house.webhooks.put(&body, attributes);
    }
    house.until_quiet().await;
    house.pass(60).await;
    assert!(house.cloud.launched().is_empty());
    assert!(house.dead_letters.is_empty(), "a forger does not fill it");
    assert!(ended_as(&controller, "webhooks", "unsigned"));
    assert!(ended_as(&controller, "webhooks", "wrong-signature"));
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn while_secrets_are_changed_both_count_and_metrics_tell_which_is_used() {
    let house = House::new();
    let controller = house.start();
    let shown = |secret, count| {
        let series = format!("reprise_webhooks_signed_total{{secret=\"{secret}\"}}");
        controller.shows(&format!("{series} {count}"))
    };
    let body = r#"{"zen": "Design for failure."}"#;
    let put = |secret| {
        let attributes = webhook_attributes("ping", Some(&signature(secret, body)));
        house.webhooks.put(body, attributes);
    };
    put(OLD_SECRET);
    house.until_quiet().await;
    assert!(shown("previous", 1) && !shown("current", 1));
    put(SECRET);
    put("a third secret");
    house.until_quiet().await;
    assert!(shown("previous", 1) && shown("current", 1));
    assert!(ended_as(&controller, "webhooks", "wrong-signature"));
    assert!(!controller.metrics().contains(SECRET));
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_signed_body_that_cannot_be_read_goes_to_the_dead_letters() {
    let house = House::new();
    let controller = house.start();
    let body = r#"{"action": "completed""#;
    let attributes = webhook_attributes("workflow_job", Some(&signature(SECRET, body)));
    house.webhooks.put(body, attributes);
    house.until_quiet().await;
    assert_eq!(house.dead_letters.bodies(), [body]);
    assert!(ended_as(&controller, "webhooks", "unparsable"));
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_message_stays_while_the_dead_letter_queue_does_not_take_it() {
    let house = House::new();
    house.dead_letters.break_down(true);
    let controller = house.start();
    house.ec2_events.put("not JSON", BTreeMap::new());
    house.pass(60).await;
    assert_eq!(house.ec2_events.bodies(), ["not JSON"]);
    house.dead_letters.break_down(false);
    house.until_quiet().await;
    assert_eq!(house.dead_letters.bodies(), ["not JSON"]);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_ec2_event_among_the_webhooks_is_not_believed() {
    let house = House::new();
    let controller = house.start();
    let body = warning(HOST, house.now());
    house.webhooks.put(&body, BTreeMap::new());
    let signed = webhook_attributes("workflow_job", Some(&signature(SECRET, &body)));
    house.webhooks.put(&body, signed);
    house.until_quiet().await;
    assert_eq!(house.known(HOST).await, None);
    assert!(ended_as(&controller, "webhooks", "unsigned"));
    assert!(ended_as(&controller, "webhooks", "unparsable"));
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_webhook_among_the_ec2_events_is_not_believed() {
    let house = House::new();
    let controller = house.start();
    let body = queued_body();
    let attributes = webhook_attributes("workflow_job", Some(&signature(SECRET, &body)));
    house.ec2_events.put(&body, attributes);
    house.until_quiet().await;
    house.pass(60).await;
    assert!(house.cloud.launched().is_empty());
    assert_eq!(house.dead_letters.bodies(), [body]);
    assert!(ended_as(&controller, "ec2-events", "unparsable"));
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_on_a_runner_that_names_no_instance_of_ours_is_ignored_at_once() {
    let house = House::new();
    let controller = house.start();
    let named = |name: &str| Job {
        runner_name: Some(RunnerName::new(name)),
        ..ended(queued(1, "build"), Conclusion::Failure, house.now())
    };
    house.send_job(JobAction::Completed, &named("GitHub Actions 12"));
    house.send_job(
        JobAction::Completed,
        &Job {
            runner_name: None,
            ..named("")
        },
    );
    house.cloud.add(HOST, Capacity::Spot);
    house.cloud.remove_tag(HOST, &TagKeys::default().stack());
    house.cloud.tag_interrupted(HOST);
    house.send_job(JobAction::Completed, &named(HOST));
    house.pass(1).await;
    assert!(house.webhooks.is_empty());
    assert!(ended_as(
        &controller,
        "webhooks",
        "ignored-runner-name-without-instance"
    ));
    assert!(ended_as(&controller, "webhooks", "ignored-no-runner"));
    assert!(ended_as(&controller, "webhooks", "ignored-not-our-stack"));
    assert_eq!(house.record().await, None);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_ec2_does_not_know_settles_its_job_after_the_window() {
    let house = House::new();
    let controller = house.start();
    let job = running(queued(1, "build"), HOST, house.now());
    house.github.begin(std::slice::from_ref(&job));
    house.end(job, Conclusion::Failure);
    house.end_run(RUN);
    house.until_quiet().await;
    assert!(controller.shows(r#"reprise_job_verdicts_total{reason="evidence-expired"} 1"#));
    assert_eq!(house.record().await, None);
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_repository_that_is_not_configured_is_not_served() {
    let house = House::new();
    let controller = house.start();
    let foreign = "mallory/shop".parse().expect("valid");
    house.send_job_of(&foreign, JobAction::Queued, &queued(1, "build"));
    let job = running(queued(2, "build"), HOST, house.now());
    let job = ended(job, Conclusion::Failure, house.now());
    house.cloud.add(HOST, Capacity::Spot);
    house.cloud.tag_interrupted(HOST);
    house.send_job_of(&foreign, JobAction::Completed, &job);
    house.until_quiet().await;
    house.pass(600).await;
    assert!(house.cloud.launched().is_empty());
    assert_eq!(house.github.posts(), 0);
    let line = r#"outcome="ignored-repository-not-allowed",queue="webhooks"} 2"#;
    assert!(
        controller.metrics().contains(line),
        "{}",
        controller.metrics()
    );
    controller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_event_of_another_account_is_ignored() {
    let house = House::new();
    let controller = house.start();
    let body = warning(HOST, house.now()).replace("123456789012", "999999999999");
    house.ec2_events.put(&body, BTreeMap::new());
    house.until_quiet().await;
    assert_eq!(house.known(HOST).await, None);
    assert!(ended_as(
        &controller,
        "ec2-events",
        "ignored-foreign-instance"
    ));
    controller.stop().await;
}

fn queued_body() -> String {
    let event = WorkflowJobEvent {
        action: JobAction::Queued,
        repository: repository(),
        installation: None,
        job: queued(1, "build"),
    };
    workflow_job_body(&event).to_string()
}

fn ended_as(controller: &Running, queue: &str, outcome: &str) -> bool {
    let line = format!(r#"reprise_messages_total{{outcome="{outcome}",queue="{queue}"}} 1"#);
    controller.shows(&line)
}
