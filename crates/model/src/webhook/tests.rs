use super::wire::{WireJob, WireRun};
use super::*;
use crate::ids::{JobId, RunAttempt, RunnerName};
use crate::job::{Conclusion, Job, JobStatus};
use crate::run::{Run, RunStatus};

fn job_event(body: &str) -> WorkflowJobEvent {
    let webhook = parse("workflow_job", body.as_bytes()).expect("readable");
    let Webhook::WorkflowJob(event) = webhook else {
        panic!("{webhook:?}");
    };
    event
}

fn run_event(body: &str) -> WorkflowRunEvent {
    let webhook = parse("workflow_run", body.as_bytes()).expect("readable");
    let Webhook::WorkflowRun(event) = webhook else {
        panic!("{webhook:?}");
    };
    event
}

#[test]
fn a_queued_job_is_read() {
    insta::assert_debug_snapshot!(job_event(include_str!("fixtures/workflow_job/queued.json")));
}

#[test]
fn a_completed_job_is_read() {
    insta::assert_debug_snapshot!(job_event(include_str!(
        "fixtures/workflow_job/completed.json"
    )));
}

#[test]
fn what_old_payloads_of_jobs_lack_is_filled() {
    let event = job_event(include_str!("fixtures/workflow_job/old.json"));
    assert_eq!(event.job.run_attempt, RunAttempt::FIRST);
    assert_eq!(event.job.runner_name, None, "an empty name is none");
    insta::assert_debug_snapshot!(event);
}

#[test]
fn words_that_github_adds_to_jobs_are_kept() {
    let event = job_event(include_str!("fixtures/workflow_job/words_added_since.json"));
    assert_eq!(event.action, JobAction::Unknown("rescheduled".to_owned()));
    assert_eq!(event.job.status, JobStatus::Unknown("preempted".to_owned()));
    assert_eq!(
        event.job.conclusion,
        Some(Conclusion::Unknown("host_lost".to_owned()))
    );
    assert_eq!(event.job.check_run, None, "its URL ends in no number");
}

#[test]
fn a_completed_run_is_read() {
    insta::assert_debug_snapshot!(run_event(include_str!(
        "fixtures/workflow_run/completed.json"
    )));
}

#[test]
fn what_old_payloads_of_runs_lack_is_taken_from_the_workflow() {
    let event = run_event(include_str!("fixtures/workflow_run/old.json"));
    assert_eq!(event.run.run_attempt, RunAttempt::FIRST);
    assert_eq!(event.run.workflow_name.as_deref(), Some("Nightly"));
    insta::assert_debug_snapshot!(event);
}

#[test]
fn words_that_github_adds_to_runs_are_kept() {
    let event = run_event(include_str!("fixtures/workflow_run/words_added_since.json"));
    assert_eq!(event.action, RunAction::Unknown("paused".to_owned()));
    assert_eq!(event.run.status, RunStatus::Unknown("paused".to_owned()));
    assert_eq!(event.run.path, None);
}

#[test]
fn rest_answers_are_read_as_webhooks_are() {
    #[derive(serde::Deserialize)]
    struct Page {
        jobs: Vec<WireJob>,
    }
    let page: Page =
        serde_json::from_str(include_str!("fixtures/rest/jobs.json")).expect("readable");
    let jobs: Vec<Job> = page.jobs.into_iter().map(WireJob::into_job).collect();
    assert_eq!(jobs[0].conclusion, Some(Conclusion::Cancelled));
    assert_eq!(jobs[1].runner_name, None);

    let run = rest_run();
    assert_eq!(run.path.as_deref(), Some(".github/workflows/ci.yml"));
    assert_eq!(run.run_attempt.get(), 2);
    assert_ne!(run.status, RunStatus::Completed, "null is not completed");
}

#[test]
fn a_path_is_the_same_with_any_ref_behind_it_and_wherever_it_stands() {
    let body = include_str!("fixtures/workflow_run/old.json");
    let path = ".github/workflows/nightly.yaml";
    let nightly = |written: &str| run_event(&body.replace(path, written)).run.path;
    for branch in ["main", "x.yml@2", "x.yaml@2", "@"] {
        let written = format!("{path}@{branch}");
        assert_eq!(nightly(&written).as_deref(), Some(path), "{written}");
        let of_the_run = body.replace("\"name\": \"\"", &format!("\"path\": \"{written}\""));
        assert_eq!(run_event(&of_the_run).run.path.as_deref(), Some(path));
    }
}

#[test]
fn an_immense_value_where_it_does_not_belong_is_told_in_few_words() {
    let name = "x".repeat(100_000);
    let body = format!("{{\"action\": \"queued\", \"repository\": {{\"full_name\": \"{name}\"}}}}");
    let error = parse("workflow_job", body.as_bytes()).expect_err("no repository");
    let told = error.source.to_string();
    assert!(told.chars().count() < 600, "{told}");
    assert!(told.contains("is not a repository, as acme/shop"), "{told}");
}

#[test]
fn an_event_of_no_use_is_not_looked_into() {
    let webhook = parse("ping", b"not json").expect("never read");
    let event = "ping".to_owned();
    assert_eq!(webhook, Webhook::Other { event });
}

#[test]
fn a_body_that_cannot_be_read_says_which_event_and_where() {
    for (body, cause) in [
        (&b"payload=%7B%7D"[..], "expected value at line 1 column 1"),
        (b"", "EOF while parsing"),
        (b"{}", "missing field `action`"),
        (b"\xff", "expected value"),
        (
            br#"{"action":"queued","repository":{"full_name":"../x"}}"#,
            "\"../x\" is not a repository",
        ),
    ] {
        let error = parse("workflow_job", body).expect_err("unreadable");
        assert_eq!(
            error.to_string(),
            "failed to read the body of a workflow_job webhook; \
             the webhook's content type must be application/json"
        );
        let found = error.source.to_string();
        assert!(found.contains(cause), "{found}");
    }
}

#[test]
fn a_written_job_webhook_is_read_back() {
    for body in [
        include_str!("fixtures/workflow_job/queued.json"),
        include_str!("fixtures/workflow_job/completed.json"),
        include_str!("fixtures/workflow_job/old.json"),
    ] {
        let event = job_event(body);
        let written = workflow_job_body(&event).to_string();
        assert_eq!(job_event(&written), event);
    }
}

#[test]
fn a_written_job_has_what_github_always_sends() {
    let mut event = job_event(include_str!("fixtures/workflow_job/queued.json"));
    event.job.started_at = None;
    event.job.check_run = None;
    event.installation = None;
    let body = workflow_job_body(&event);
    assert!(body.get("installation").is_none());
    let read = job_event(&body.to_string());
    assert_eq!(read.job.started_at, event.job.created_at);
    assert!(read.job.check_run.is_some());
    assert!(body["workflow_job"]["runner_id"].is_null());
}

#[test]
fn a_written_job_body_has_githubs_shape() {
    let mut event = job_event(include_str!("fixtures/workflow_job/completed.json"));
    event.job.id = JobId(7);
    event.job.runner_name = Some(RunnerName::new("i-0123abcd"));
    insta::assert_json_snapshot!(workflow_job_body(&event));
}

#[test]
fn a_written_run_webhook_is_read_back() {
    for body in [
        include_str!("fixtures/workflow_run/completed.json"),
        include_str!("fixtures/workflow_run/old.json"),
        include_str!("fixtures/workflow_run/words_added_since.json"),
    ] {
        let event = run_event(body);
        let written = workflow_run_body(&event).to_string();
        assert_eq!(run_event(&written), event);
    }
}

#[test]
fn a_written_run_body_has_githubs_shape() {
    let event = run_event(include_str!("fixtures/workflow_run/completed.json"));
    insta::assert_json_snapshot!(workflow_run_body(&event));
}

fn rest_run() -> Run {
    let run: WireRun =
        serde_json::from_str(include_str!("fixtures/rest/run.json")).expect("readable");
    run.into_run("acme/shop".parse().expect("valid"))
}
