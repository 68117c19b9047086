//! Writes webhooks, jobs and runs as GitHub does: for the simulated GitHub, and for tests.
//!
//! Only what GitHub's description calls required and what Reprise reads is written. What our words
//! do not hold (node ids, the runner's number, the sender) is made up from what they do hold, so
//! that the same event always gives the same body.

use serde_json::{Value, json};

use super::{WorkflowJobEvent, WorkflowRunEvent};
use crate::ids::{InstallationId, Repository};
use crate::job::Job;
use crate::run::Run;

const API: &str = "https://api.github.com/repos";
const WEB: &str = "https://github.com";

/// The body of a `workflow_job` webhook. [`super::parse`] reads the same event from it, but that
/// `started_at` and the check run are filled where they were absent: GitHub always sends them, also
/// for queued jobs.
pub fn workflow_job_body(event: &WorkflowJobEvent) -> Value {
    let body = json!({
        "action": event.action,
        "workflow_job": job_object(&event.repository, &event.job),
        "repository": repository_object(&event.repository),
        "sender": sender(&event.repository),
    });
    for_installation(body, event.installation)
}

/// The body of a `workflow_run` webhook, from which [`super::parse`] reads the same event.
pub fn workflow_run_body(event: &WorkflowRunEvent) -> Value {
    let body = json!({
        "action": event.action,
        "workflow_run": run_object(&event.run),
        "workflow": {
            "id": event.run.workflow_id,
            "name": event.run.workflow_name,
            "path": event.run.path,
            "state": "active",
        },
        "repository": repository_object(&event.repository),
        "sender": sender(&event.repository),
    });
    for_installation(body, event.installation)
}

/// A job as webhooks and REST answers hold it.
pub fn job_object(repository: &Repository, job: &Job) -> Value {
    let api = format!("{API}/{repository}");
    let check_run = job.check_run.map_or(job.id.0, |id| id.0);
    let runner = job.runner_name.as_ref();
    json!({
        "id": job.id,
        "node_id": format!("CR_{}", job.id),
        "run_id": job.run_id,
        "run_attempt": job.run_attempt,
        "run_url": format!("{api}/actions/runs/{}", job.run_id),
        "url": format!("{api}/actions/jobs/{}", job.id),
        "html_url": format!("{WEB}/{repository}/actions/runs/{}/job/{}", job.run_id, job.id),
        "check_run_url": format!("{api}/check-runs/{check_run}"),
        "name": job.name,
        "workflow_name": job.workflow_name,
        "head_sha": job.head_sha,
        "head_branch": job.head_branch,
        "status": job.status,
        "conclusion": job.conclusion,
        "created_at": job.created_at,
        "started_at": job.started_at.or(job.created_at),
        "completed_at": job.completed_at,
        "steps": [],
        "labels": job.labels,
        "runner_id": job.runner_id,
        "runner_name": runner,
        "runner_group_id": runner.map(|_| 1),
        "runner_group_name": runner.map(|_| "Default"),
    })
}

/// A run as webhooks and REST answers hold it.
pub fn run_object(run: &Run) -> Value {
    let api = format!("{API}/{}", run.repository);
    let url = format!("{api}/actions/runs/{}", run.id);
    json!({
        "id": run.id,
        "node_id": format!("WFR_{}", run.id),
        "name": run.workflow_name,
        "display_title": run.workflow_name.as_deref().unwrap_or_default(),
        "path": run.path,
        "run_number": 1,
        "run_attempt": run.run_attempt,
        "event": run.event,
        "status": run.status,
        "conclusion": run.conclusion,
        "workflow_id": run.workflow_id,
        "workflow_url": format!("{api}/actions/workflows/{}", run.workflow_id),
        "head_sha": run.head_sha,
        "head_branch": run.head_branch,
        "created_at": run.created_at,
        "updated_at": run.updated_at.or(run.run_started_at).unwrap_or(run.created_at),
        "run_started_at": run.run_started_at,
        "pull_requests": [],
        "jobs_url": format!("{url}/jobs"),
        "logs_url": format!("{url}/logs"),
        "artifacts_url": format!("{url}/artifacts"),
        "cancel_url": format!("{url}/cancel"),
        "rerun_url": format!("{url}/rerun"),
        "html_url": format!("{WEB}/{}/actions/runs/{}", run.repository, run.id),
        "url": url,
        "repository": repository_object(&run.repository),
    })
}

/// A repository as webhooks and REST answers hold it.
pub fn repository_object(repository: &Repository) -> Value {
    json!({
        "name": repository.name(),
        "full_name": repository,
        "private": false,
        "owner": sender(repository),
        "html_url": format!("{WEB}/{repository}"),
        "url": format!("{API}/{repository}"),
    })
}

fn sender(repository: &Repository) -> Value {
    json!({ "login": repository.owner(), "type": "User" })
}

/// GitHub leaves the object out where there is no installation.
fn for_installation(mut body: Value, installation: Option<InstallationId>) -> Value {
    if let Some(id) = installation {
        body["installation"] = json!({ "id": id });
    }
    body
}
