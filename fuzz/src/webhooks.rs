//! Bodies of webhooks, and of the REST answers that hold the same jobs and runs.

use reprise_model::ids::Repository;
use reprise_model::job::Job;
use reprise_model::run::Run;
use reprise_model::webhook::wire::{WireJob, WireRun};
use reprise_model::webhook::{
    Webhook, WorkflowJobEvent, WorkflowRunEvent, parse, workflow_job_body, workflow_run_body,
};

use crate::told;

/// Checks one input, as the body of each kind.
pub fn check(input: &[u8]) {
    match parse("workflow_job", input) {
        Ok(Webhook::WorkflowJob(event)) => job_event(&event),
        Ok(other) => panic!("read as {other:?}"),
        Err(error) => assert!(told(&error).contains("workflow_job"), "the kind is named"),
    }
    match parse("workflow_run", input) {
        Ok(Webhook::WorkflowRun(event)) => run_event(&event),
        Ok(other) => panic!("read as {other:?}"),
        Err(error) => assert!(told(&error).contains("workflow_run"), "the kind is named"),
    }
    let other = parse("check_run", input).expect("the body of another kind is not looked at");
    assert!(matches!(other, Webhook::Other { event } if event == "check_run"));
    if let Ok(read) = serde_json::from_slice::<WireJob>(input) {
        job(&read.into_job());
    }
    if let Ok(read) = serde_json::from_slice::<WireRun>(input) {
        run(&read.into_run(repository()));
    }
}

/// What is written of an event is read as the same event. A job's start and check run are filled where
/// they were absent, and stay as they are from then on.
fn job_event(event: &WorkflowJobEvent) {
    job(&event.job);
    let again = read_job(event);
    let filled = WorkflowJobEvent {
        job: Job {
            started_at: again.job.started_at,
            check_run: again.job.check_run,
            ..event.job.clone()
        },
        ..event.clone()
    };
    assert_eq!(again, filled);
    assert!(event.job.started_at.is_none() || again.job.started_at == event.job.started_at);
    assert!(event.job.check_run.is_none() || again.job.check_run == event.job.check_run);
    assert_eq!(read_job(&again), again);
}

fn read_job(event: &WorkflowJobEvent) -> WorkflowJobEvent {
    let body = workflow_job_body(event).to_string();
    match parse("workflow_job", body.as_bytes()) {
        Ok(Webhook::WorkflowJob(event)) => event,
        other => panic!("a written job is read as {other:?}"),
    }
}

fn run_event(event: &WorkflowRunEvent) {
    run(&event.run);
    assert_eq!(event.run.repository, event.repository);
    let body = workflow_run_body(event).to_string();
    match parse("workflow_run", body.as_bytes()) {
        Ok(Webhook::WorkflowRun(again)) => {
            let mut event = event.clone();
            // GitHub always says when a run changed last, and so does what is written.
            event.run.updated_at = event.run.updated_at.or(again.run.updated_at);
            assert_eq!(again, event);
        }
        other => panic!("a written run is read as {other:?}"),
    }
}

fn job(job: &Job) {
    assert!(job.run_attempt.get() >= 1);
    assert!(
        job.runner_name
            .as_ref()
            .is_none_or(|name| !name.as_str().is_empty()),
        "a runner without a name is none"
    );
    assert!(!job.is_unsuccessful() || job.conclusion.is_some());
    let stored = serde_json::to_string(job).expect("it can be stored");
    assert_eq!(
        serde_json::from_str::<Job>(&stored).ok().as_ref(),
        Some(job)
    );
}

/// A path with a ref behind it would make another job key of the same workflow.
fn run(run: &Run) {
    assert!(run.run_attempt.get() >= 1);
    let path = run.path.as_deref().unwrap_or_default();
    assert!(
        !path.contains(".yml@") && !path.contains(".yaml@"),
        "{path}"
    );
}

fn repository() -> Repository {
    "acme/shop".parse().expect("a repository")
}
