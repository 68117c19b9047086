//! Webhooks out.

use super::*;
use hmac::{Hmac, KeyInit, Mac};
use reprise_model::webhook::{JobAction, RunAction, Webhook, parse};
use sha2::Sha256;

#[test]
fn a_run_tells_of_itself_and_its_jobs_in_order() {
    let mut github = github();
    push(
        &mut github,
        vec![job("build"), job("deploy").needs(["build"])],
    );
    work_off(&mut github, at(1), &[("build", Conclusion::Failure)]);
    assert_eq!(
        told(&github.take_deliveries()),
        [
            "requested run: -",
            "queued build: -",
            "in_progress build: -",
            "in_progress run: -",
            "completed build: failure",
            "completed deploy: skipped",
            "completed run: failure",
        ]
    );
    assert!(github.take_deliveries().is_empty());
}

#[test]
fn the_signature_is_made_over_the_raw_body() {
    let mut github = github();
    push(&mut github, vec![job("build")]);
    for delivery in github.take_deliveries() {
        let mut mac: Hmac<Sha256> = Hmac::new_from_slice(SECRET.as_bytes()).expect("any length");
        mac.update(delivery.body.as_bytes());
        let sent = delivery.signature.strip_prefix("sha256=").expect("prefix");
        mac.verify_slice(&hex::decode(sent).expect("hex"))
            .expect("verifies");
        assert_eq!(delivery.id.as_str().len(), 36);
    }
}

#[test]
fn our_own_payload_types_read_every_delivery() {
    let mut github = github();
    let run = push(&mut github, vec![job("build")]);
    work_off(&mut github, at(1), &[("build", Conclusion::Failure)]);
    let mut actions = Vec::new();
    for delivery in github.take_deliveries() {
        match parse(delivery.event, delivery.body.as_bytes()).expect("readable") {
            Webhook::WorkflowJob(event) => {
                assert_eq!(event.job.run_id, run);
                assert_eq!(event.repository, shop());
                actions.push(match event.action {
                    JobAction::Queued => "job queued",
                    JobAction::InProgress => "job in progress",
                    JobAction::Completed => "job completed",
                    JobAction::Waiting | JobAction::Unknown(_) => "else",
                });
            }
            Webhook::WorkflowRun(event) => actions.push(match event.action {
                RunAction::Requested => "run requested",
                RunAction::InProgress => "run in progress",
                RunAction::Completed => "run completed",
                RunAction::Unknown(_) => "else",
            }),
            Webhook::Other { event } => panic!("{event} is not one of ours"),
        }
    }
    assert_eq!(
        actions,
        [
            "run requested",
            "job queued",
            "job in progress",
            "run in progress",
            "job completed",
            "run completed"
        ]
    );
}

#[test]
fn runner_fields_are_null_while_a_job_is_queued() {
    let mut github = github();
    push(&mut github, vec![job("build")]);
    let queued = github.take_deliveries().pop().expect("a delivery");
    let body: Value = serde_json::from_str(&queued.body).expect("JSON");
    for field in [
        "runner_id",
        "runner_name",
        "runner_group_id",
        "runner_group_name",
    ] {
        assert_eq!(body["workflow_job"][field], Value::Null, "{field}");
    }
}

#[test]
fn one_seed_makes_the_same_deliveries() {
    let sent = || {
        let mut github = github();
        push(&mut github, vec![job("build")]);
        github.take_deliveries()
    };
    assert_eq!(sent(), sent());
}

#[test]
fn an_early_completed_can_be_sent_while_the_run_goes_on() {
    let mut github = github();
    let run = push(&mut github, vec![job("build")]);
    github.take_deliveries();
    github.send_early_completed(at(1), run);
    assert_eq!(told(&github.take_deliveries()), ["completed run: failure"]);
    assert!(github.run(run).expect("known").is_active());
}

#[test]
fn anybody_can_imagine_a_body_and_nothing_is_sent_or_changed_by_it() {
    let mut github = github();
    let run = push(&mut github, vec![job("build")]);
    github.take_deliveries();
    let id = named(&github, run, "build").id;
    let completed = github.imagined_completed(at(5), id, Conclusion::Success);
    let Ok(Webhook::WorkflowJob(event)) =
        parse("workflow_job", completed.expect("a body").as_bytes())
    else {
        panic!("it looks like GitHub's");
    };
    assert_eq!(event.action, JobAction::Completed);
    assert_eq!(event.job.conclusion, Some(Conclusion::Success));
    assert_eq!(event.job.completed_at, Some(at(5)));
    let queued = github.imagined_queued(id, JobId(1));
    let Ok(Webhook::WorkflowJob(event)) = parse("workflow_job", queued.expect("a body").as_bytes())
    else {
        panic!("it looks like GitHub's");
    };
    assert_eq!((event.action, event.job.id), (JobAction::Queued, JobId(1)));
    assert!(github.take_deliveries().is_empty());
    assert!(!named(&github, run, "build").is_completed());
}
