//! GitHub's JSON for runs, jobs, users and the App: the same shapes in REST and in webhooks.
//!
//! Every field that GitHub's OpenAPI description requires is there. Times have whole seconds, as
//! GitHub's have.

use jiff::Timestamp;
use reprise_model::ids::Repository;
use reprise_model::job::Conclusion;
use serde_json::{Value, json};

use super::checks::CheckRun;
use super::settings::Settings;
use super::state::{Annotation, Attempt, Job, Run, Step};

/// Writes GitHub's shapes with the addresses of its settings.
#[derive(Clone, Copy)]
pub(super) struct Wire<'a>(pub(super) &'a Settings);

impl Wire<'_> {
    /// A job of an attempt.
    pub(super) fn job(self, run: &Run, attempt: &Attempt, job: &Job) -> Value {
        let api = self.repository_api(&run.spec.repository);
        let runner = job.runner.as_ref();
        json!({
            "id": job.id,
            "node_id": self.node("CheckRun", job.id.0),
            "run_id": run.id,
            "run_url": format!("{api}/actions/runs/{}", run.id),
            "run_attempt": attempt.number,
            "head_sha": run.spec.head_sha,
            "head_branch": run.spec.head_branch,
            "workflow_name": run.spec.workflow_name,
            "name": job.name,
            "url": format!("{api}/actions/jobs/{}", job.id),
            "html_url": format!("{}/job/{}", self.run_page(run), job.id),
            "check_run_url": format!("{api}/check-runs/{}", job.check_run()),
            "status": job.status,
            "conclusion": job.conclusion.as_ref().map(Conclusion::as_str),
            "created_at": seconds(job.created_at),
            "started_at": seconds(job.started_at.unwrap_or(job.created_at)),
            "completed_at": job.completed_at.map(seconds),
            "labels": job.labels,
            "runner_id": runner.map(|runner| runner.id),
            "runner_name": runner.map(|runner| &runner.name),
            "runner_group_id": runner.map(|_| 1),
            "runner_group_name": runner.map(|_| "Default"),
            "steps": job.steps.iter().zip(1..).map(step).collect::<Vec<_>>(),
        })
    }

    /// A run as one of its attempts shows it.
    pub(super) fn run(self, run: &Run, attempt: &Attempt) -> Value {
        let api = self.repository_api(&run.spec.repository);
        let url = format!("{api}/actions/runs/{}", run.id);
        let suite = check_suite(run);
        let earlier = attempt.number.get() - 1;
        json!({
            "id": run.id,
            "name": run.spec.workflow_name,
            "node_id": self.node("WorkflowRun", run.id.0),
            "check_suite_id": suite,
            "check_suite_node_id": self.node("CheckSuite", suite),
            "head_branch": run.spec.head_branch,
            "head_sha": run.spec.head_sha,
            "path": run.spec.workflow_path,
            "display_title": run.spec.title,
            "run_number": run.number,
            "run_attempt": attempt.number,
            "referenced_workflows": [],
            "event": run.spec.event,
            "status": attempt.status,
            "conclusion": attempt.conclusion.as_ref().map(Conclusion::as_str),
            "workflow_id": run.workflow,
            "pull_requests": [],
            "created_at": seconds(run.created_at),
            "updated_at": seconds(attempt.updated_at),
            "run_started_at": seconds(attempt.started_at),
            "actor": self.user(&run.spec.actor),
            "triggering_actor": self.user(&attempt.triggering_actor),
            "url": url,
            "html_url": self.run_page(run),
            "jobs_url": format!("{url}/jobs"),
            "logs_url": format!("{url}/logs"),
            "check_suite_url": format!("{api}/check-suites/{suite}"),
            "artifacts_url": format!("{url}/artifacts"),
            "cancel_url": format!("{url}/cancel"),
            "rerun_url": format!("{url}/rerun"),
            "previous_attempt_url": (earlier > 0).then(|| format!("{url}/attempts/{earlier}")),
            "workflow_url": format!("{api}/actions/workflows/{}", run.workflow),
            "head_commit": head_commit(run),
            "repository": self.repository_of(run),
            "head_repository": self.repository_of(run),
        })
    }

    /// The workflow of a run.
    pub(super) fn workflow(self, run: &Run) -> Value {
        let api = self.repository_api(&run.spec.repository);
        let (page, path) = (
            self.repository_page(&run.spec.repository),
            &run.spec.workflow_path,
        );
        let made = seconds(run.created_at);
        json!({
            "id": run.workflow,
            "node_id": self.node("Workflow", run.workflow.0),
            "name": run.spec.workflow_name,
            "path": path,
            "state": "active",
            "created_at": made,
            "updated_at": made,
            "url": format!("{api}/actions/workflows/{}", run.workflow),
            "html_url": format!("{page}/blob/main/{path}"),
            "badge_url": format!("{page}/workflows/{}/badge.svg", run.spec.workflow_name),
        })
    }

    /// An annotation of a job's check run.
    pub(super) fn annotation(self, run: &Run, annotation: &Annotation) -> Value {
        let page = self.repository_page(&run.spec.repository);
        json!({
            "path": ".github",
            "blob_href": format!("{page}/blob/{}/.github", run.spec.head_sha),
            "start_line": 1,
            "end_line": 1,
            "start_column": null,
            "end_column": null,
            "annotation_level": annotation.level,
            "title": "",
            "message": annotation.message,
            "raw_details": "",
        })
    }

    /// A check run that the App made.
    pub(super) fn check(self, check: &CheckRun) -> Value {
        let api = self.repository_api(&check.repository);
        let url = format!("{api}/check-runs/{}", check.id);
        let state = check.text.state;
        let page = self.repository_page(&check.repository);
        json!({
            "id": check.id,
            "node_id": self.node("CheckRun", check.id.0),
            "head_sha": check.head,
            "external_id": check.external_id,
            "url": url,
            "html_url": format!("{page}/runs/{}", check.id),
            "details_url": format!("{}/apps/{}", self.0.html_url, self.0.app_slug),
            "name": check.name,
            "status": state.status(),
            "conclusion": state.conclusion(),
            "started_at": seconds(check.made_at),
            "completed_at": state.is_concluded().then(|| seconds(check.written_at)),
            "output": {
                "title": check.text.title,
                "summary": check.text.summary,
                "text": null,
                "annotations_count": 0,
                "annotations_url": format!("{url}/annotations"),
            },
            "check_suite": { "id": 1 },
            "app": self.app(check.repository.owner()),
            "pull_requests": [],
        })
    }

    /// The App's installation in an account.
    pub(super) fn installation(self, owner: &str) -> Value {
        let id = self.0.installation;
        let account = self.owner(owner);
        json!({
            "id": id,
            "target_id": account["id"],
            "target_type": account["type"],
            "account": account,
            "app_id": self.0.app_id,
            "app_slug": self.0.app_slug,
            "repository_selection": "all",
            "permissions": self.permissions(),
            "events": ["workflow_job", "workflow_run"],
            "access_tokens_url": format!("{}/app/installations/{id}/access_tokens", self.0.api_url),
            "repositories_url": format!("{}/installation/repositories", self.0.api_url),
            "html_url": format!("{}/organizations/{owner}/settings/installations/{id}", self.0.html_url),
            "single_file_name": null,
            "has_multiple_single_files": false,
            "single_file_paths": [],
            "created_at": REGISTERED,
            "updated_at": REGISTERED,
            "suspended_by": null,
            "suspended_at": null,
        })
    }

    /// The App itself.
    pub(super) fn app(self, owner: &str) -> Value {
        json!({
            "id": self.0.app_id,
            "slug": self.0.app_slug,
            "node_id": self.node("App", self.0.app_id),
            "owner": self.owner(owner),
            "name": self.0.app_slug,
            "description": "Brings interrupted jobs back",
            "external_url": format!("{}/{}", self.0.html_url, owner),
            "html_url": format!("{}/apps/{}", self.0.html_url, self.0.app_slug),
            "created_at": REGISTERED,
            "updated_at": REGISTERED,
            "permissions": self.permissions(),
            "events": ["workflow_job", "workflow_run"],
            "installations_count": 1,
        })
    }

    /// The App's webhook.
    pub(super) fn hook_config(self) -> Value {
        json!({
            "content_type": "json",
            "insecure_ssl": "0",
            "secret": "********",
            "url": self.0.webhook_url,
        })
    }

    /// What the App may do.
    pub(super) fn permissions(self) -> Value {
        let granted = self.0.permissions.iter();
        let granted = granted.map(|(name, level)| (name.clone(), json!(level)));
        Value::Object(granted.collect())
    }

    /// A person or a bot.
    pub(super) fn user(self, login: &str) -> Value {
        self.account(
            login,
            if login.ends_with("[bot]") {
                "Bot"
            } else {
                "User"
            },
        )
    }

    /// The owner of repositories.
    pub(super) fn owner(self, login: &str) -> Value {
        let person = self.0.is_person(login);
        self.account(login, if person { "User" } else { "Organization" })
    }

    fn account(self, login: &str, kind: &str) -> Value {
        let id = number_of(login);
        // Square brackets are not allowed in an address.
        let name = login.replace('[', "%5B").replace(']', "%5D");
        let (api, html) = (&self.0.api_url, &self.0.html_url);
        let url = format!("{api}/users/{name}");
        json!({
            "login": login,
            "id": id,
            "node_id": self.node(kind, id),
            "avatar_url": format!("{html}/u/{id}?v=4"),
            "gravatar_id": "",
            "url": url,
            "html_url": format!("{html}/{name}"),
            "followers_url": format!("{url}/followers"),
            "following_url": format!("{url}/following{{/other_user}}"),
            "gists_url": format!("{url}/gists{{/gist_id}}"),
            "starred_url": format!("{url}/starred{{/owner}}{{/repo}}"),
            "subscriptions_url": format!("{url}/subscriptions"),
            "organizations_url": format!("{url}/orgs"),
            "repos_url": format!("{url}/repos"),
            "events_url": format!("{url}/events{{/privacy}}"),
            "received_events_url": format!("{url}/received_events"),
            "type": kind,
            "site_admin": false,
        })
    }

    /// A global id; opaque to clients.
    pub(super) fn node(self, kind: &str, id: u64) -> String {
        let initials = kind.chars().filter(char::is_ascii_uppercase);
        format!("{}_{id:012x}", initials.collect::<String>())
    }

    /// The address of a repository in the API.
    pub(super) fn repository_api(self, repository: &Repository) -> String {
        format!("{}/repos/{repository}", self.0.api_url)
    }

    /// The address of a repository for people.
    pub(super) fn repository_page(self, repository: &Repository) -> String {
        format!("{}/{repository}", self.0.html_url)
    }

    fn run_page(self, run: &Run) -> String {
        format!(
            "{}/actions/runs/{}",
            self.repository_page(&run.spec.repository),
            run.id
        )
    }
}

/// When the App and the repositories were registered; nothing depends on it.
pub(super) const REGISTERED: &str = "2024-01-08T09:00:00Z";

/// A time as GitHub writes it.
pub(super) fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn step((step, number): (&Step, u32)) -> Value {
    json!({
        "name": step.name,
        "status": "completed",
        "conclusion": step.conclusion.as_str(),
        "number": number,
        "started_at": seconds(step.started_at),
        "completed_at": seconds(step.completed_at),
    })
}

fn head_commit(run: &Run) -> Value {
    let name = &run.spec.actor;
    let person = json!({ "name": name, "email": format!("{name}@users.noreply.example") });
    json!({
        "id": run.spec.head_sha,
        "tree_id": run.spec.head_sha,
        "message": run.spec.title,
        "timestamp": seconds(run.created_at),
        "author": person,
        "committer": person,
    })
}

/// A run has one check suite; any number of its own will do.
fn check_suite(run: &Run) -> u64 {
    run.id.0 + 1_000_000_000
}

/// The same account has the same number in every answer.
fn number_of(login: &str) -> u64 {
    login.bytes().fold(7, |number, byte| {
        (number * 131 + u64::from(byte)) % 100_000_007
    })
}
