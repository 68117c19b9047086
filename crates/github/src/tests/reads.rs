//! Runs, jobs and annotations as GitHub answers them, and its errors.

use std::time::Duration;

use jiff::SignedDuration;
use reprise_model::ids::{CheckRunId, JobId, RunAttempt};
use reprise_model::job::{Conclusion, Job, JobStatus};
use reprise_model::run::{CancelCause, RunStatus};
use serde_json::{Value, json};
use wiremock::matchers::{method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::{GitHubError, GitHubErrorKind};

const RUN_PATH: &str = "/repos/acme/shop/actions/runs/5";
const JOBS_PATH: &str = "/repos/acme/shop/actions/runs/5/attempts/1/jobs";
const ANNOTATIONS_PATH: &str = "/repos/acme/shop/check-runs/9/annotations";

#[tokio::test]
async fn a_run_is_read_with_its_attempt() {
    let server = installed().await;
    serve_run(&server, run_json()).await;
    let run = github(&server).run(&repository(), RUN).await.unwrap();
    assert_eq!(run.repository, repository());
    assert_eq!(run.run_attempt, RunAttempt::FIRST.next());
    assert_eq!(run.status, RunStatus::Completed);
    assert_eq!(run.conclusion, Some(Conclusion::Failure));
    assert_eq!(run.head_branch.as_deref(), Some("main"));
}

#[tokio::test]
async fn a_run_without_a_branch_and_with_unknown_words_is_read() {
    let server = installed().await;
    let mut run = run_json();
    run["head_branch"] = Value::Null;
    run["status"] = json!("pondering");
    run["conclusion"] = json!("shrug");
    serve_run(&server, run).await;
    let run = github(&server).run(&repository(), RUN).await.unwrap();
    assert_eq!(run.head_branch, None);
    assert_eq!(run.status, RunStatus::Unknown("pondering".to_owned()));
    let shrug = Conclusion::Unknown("shrug".to_owned());
    assert_eq!(run.conclusion, Some(shrug));
}

#[tokio::test]
async fn all_pages_of_an_attempts_jobs_are_read_each_with_authorization() {
    let server = installed().await;
    for page in 1..=3 {
        let last = if page == 3 { 250 } else { page * 100 };
        serve_jobs(&server, page, 250, (page - 1) * 100 + 1..=last).await;
    }
    let jobs = jobs_on(&server);
    let ids: Vec<u64> = jobs.await.unwrap().iter().map(|job| job.id.0).collect();
    assert_eq!(ids, (1..=250).collect::<Vec<u64>>());
    let requests = received(&server, "GET", JOBS_PATH).await;
    assert_eq!(requests.len(), 3);
    for request in &requests {
        let token = format!("Bearer {FAKE_TOKEN}");
        assert_eq!(header(request, "authorization"), [token]);
    }
}

#[tokio::test]
async fn a_job_that_moved_to_the_next_page_meanwhile_counts_once() {
    let server = installed().await;
    serve_jobs(&server, 1, 120, 1..=100).await;
    serve_jobs(&server, 2, 120, 100..=119).await;
    serve_jobs(&server, 3, 119, []).await;
    let jobs = jobs_on(&server);
    assert_eq!(jobs.await.unwrap().len(), 119);
}

#[tokio::test]
async fn a_job_with_unknown_words_and_without_a_runner_is_read() {
    let server = installed().await;
    let mut job = job_json(1);
    job["status"] = json!("daydreaming");
    job["conclusion"] = json!("vanished");
    job["head_branch"] = Value::Null;
    job["runner_name"] = Value::Null;
    let body = json!({ "total_count": 1, "jobs": [job] });
    let answer = ResponseTemplate::new(200).set_body_json(body);
    serve(&server, "GET", JOBS_PATH, answer).await;
    let jobs = jobs_on(&server);
    let jobs = jobs.await.unwrap();
    assert_eq!(jobs[0].id, JobId(1));
    assert_eq!(jobs[0].status, JobStatus::Unknown("daydreaming".to_owned()));
    assert_eq!(jobs[0].runner_name, None);
    assert_eq!(jobs[0].check_run, Some(CheckRunId(1)));
}

#[tokio::test]
async fn each_failure_has_the_kind_that_tells_what_to_do() {
    let forbidden = "Resource not accessible by integration";
    for (answer, kind) in [
        (no(404, "Not Found"), GitHubErrorKind::NotFound),
        (no(410, "Gone"), GitHubErrorKind::NotFound),
        (
            no(403, forbidden),
            GitHubErrorKind::Forbidden(forbidden.to_owned()),
        ),
        (no(500, "Server Error"), GitHubErrorKind::Unavailable),
        (ResponseTemplate::new(502), GitHubErrorKind::Unavailable),
        (no(422, "Validation Failed"), GitHubErrorKind::Unexpected),
        (
            ResponseTemplate::new(200).set_body_string("<html>"),
            GitHubErrorKind::Unexpected,
        ),
        (no(429, "slow down"), limited(60)),
        (
            no(403, "You have exceeded a secondary rate limit"),
            limited(60),
        ),
        (
            no(403, "wait").insert_header("retry-after", "7"),
            limited(7),
        ),
    ] {
        let server = installed().await;
        serve(&server, "GET", RUN_PATH, answer).await;
        let error = github(&server).run(&repository(), RUN).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().starts_with("read run 5 of acme/shop: "));
        // Reads are repeated by whoever wants them, not here.
        assert_eq!(received(&server, "GET", RUN_PATH).await.len(), 1);
    }
}

fn limited(seconds: i64) -> GitHubErrorKind {
    GitHubErrorKind::RateLimited {
        retry_after: Some(SignedDuration::from_secs(seconds)),
    }
}

#[tokio::test]
async fn a_spent_budget_is_a_rate_limit_whatever_the_words_are() {
    let server = installed().await;
    let spent = no(403, "no")
        .insert_header("x-ratelimit-remaining", "0")
        .insert_header("x-ratelimit-reset", "784111877")
        .insert_header("date", "Sun, 06 Nov 1994 08:49:37 GMT");
    serve(&server, "GET", RUN_PATH, spent).await;
    let error = github(&server).run(&repository(), RUN).await.unwrap_err();
    assert_eq!(error.kind(), limited(101));
}

#[tokio::test]
async fn the_budget_is_known_from_the_last_answer() {
    let server = installed().await;
    let answer = ResponseTemplate::new(200)
        .set_body_json(run_json())
        .insert_header("x-ratelimit-limit", "5000")
        .insert_header("x-ratelimit-remaining", "4987")
        .insert_header("x-ratelimit-reset", "784111877");
    serve(&server, "GET", RUN_PATH, answer).await;
    let github = github(&server);
    assert_eq!(github.rate(), crate::RateBudget::default());
    github.run(&repository(), RUN).await.unwrap();
    let rate = github.rate();
    assert_eq!(github.rate_of("ACME"), Some(rate));
    assert_eq!(github.rate_of("stranger"), None);
    assert_eq!((rate.limit, rate.remaining), (Some(5000), Some(4987)));
    assert_eq!(rate.resets_at.map(|at| at.as_second()), Some(784_111_877));
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_given_up() {
    let server = installed().await;
    let slow = ResponseTemplate::new(200).set_delay(Duration::from_secs(600));
    serve(&server, "GET", RUN_PATH, slow).await;
    let impatient = Settings {
        request_timeout: Duration::from_secs(1),
        ..settings(&server.uri())
    };
    let github = GitHub::connect(impatient).unwrap();
    let error = github.run(&repository(), RUN).await.unwrap_err();
    assert!(matches!(error, GitHubError::TimedOut { .. }));
    assert_eq!(error.kind(), GitHubErrorKind::Unavailable);
    assert_eq!(
        error.to_string(),
        "read run 5 of acme/shop: no answer came from GitHub within 1s"
    );
}

#[tokio::test]
async fn a_github_that_cannot_be_reached_is_unavailable() {
    // Bound and closed again, so that nobody listens there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let github = GitHub::connect(settings(&uri)).unwrap();
    let error = github.run(&repository(), RUN).await.unwrap_err();
    assert!(matches!(error, GitHubError::Broken { .. }));
    assert_eq!(error.kind(), GitHubErrorKind::Unavailable);
}

#[tokio::test]
async fn a_renamed_repositorys_redirect_is_followed_for_reads() {
    let server = installed().await;
    let moved = "/repositories/1/actions/runs/5";
    let target = format!("{}{moved}", server.uri());
    let redirect = no(301, "Moved Permanently").insert_header("location", target);
    serve(&server, "GET", RUN_PATH, redirect).await;
    let run = ResponseTemplate::new(200).set_body_json(run_json());
    serve(&server, "GET", moved, run).await;
    let run = github(&server).run(&repository(), RUN).await.unwrap();
    assert_eq!(run.repository, repository());
}

#[tokio::test]
async fn a_redirect_to_elsewhere_gets_no_token() {
    let (server, elsewhere) = (installed().await, MockServer::start().await);
    let target = format!("{}/anything", elsewhere.uri());
    let redirect = no(302, "Found").insert_header("location", target);
    serve(&server, "GET", RUN_PATH, redirect).await;
    let error = github(&server).run(&repository(), RUN).await.unwrap_err();
    assert_eq!(error.kind(), GitHubErrorKind::Unexpected);
    assert!(elsewhere.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn the_cause_of_a_cancel_is_read_from_the_annotations() {
    let newer = "Canceling since a higher priority waiting request for 'ci-main' exists";
    for (message, cause) in [
        ("The run was canceled by @octocat.", CancelCause::Person),
        (newer, CancelCause::Superseded),
        (
            "The job was canceled because \"build\" failed.",
            CancelCause::FailFast,
        ),
        ("Node.js 16 is deprecated.", CancelCause::Unreadable),
    ] {
        let server = installed().await;
        let noise = json!({ "message": null, "annotation_level": "warning" });
        let answer = json!([noise, { "message": message, "annotation_level": "failure" }]);
        serve_annotations(&server, 1, answer).await;
        let found = cause_on(&server);
        assert_eq!(found.await.unwrap(), cause, "{message}");
    }
}

#[tokio::test]
async fn a_cause_on_the_second_page_of_annotations_is_found() {
    let server = installed().await;
    let warnings = vec![json!({ "message": "a lint warning" }); 100];
    serve_annotations(&server, 1, json!(warnings)).await;
    let cause = json!([{ "message": "The run was canceled by @octocat." }]);
    serve_annotations(&server, 2, cause).await;
    let found = cause_on(&server);
    assert_eq!(found.await.unwrap(), CancelCause::Person);
}

#[tokio::test]
async fn annotations_that_may_not_be_read_are_no_error() {
    for status in [403, 404] {
        let server = installed().await;
        let closed = no(status, "Resource not accessible by integration");
        serve(&server, "GET", ANNOTATIONS_PATH, closed).await;
        let found = cause_on(&server);
        assert_eq!(found.await.unwrap(), CancelCause::Unreadable);
    }
}

#[tokio::test]
async fn annotations_behind_a_rate_limit_or_an_outage_are_an_error() {
    for (answer, kind) in [
        (no(403, "API rate limit exceeded"), limited(60)),
        (no(503, "Unavailable"), GitHubErrorKind::Unavailable),
    ] {
        let server = installed().await;
        serve(&server, "GET", ANNOTATIONS_PATH, answer).await;
        let found = cause_on(&server);
        assert_eq!(found.await.unwrap_err().kind(), kind);
    }
}

async fn cause_on(server: &MockServer) -> Result<CancelCause, GitHubError> {
    let github = github(server);
    github.cancel_cause(&repository(), CheckRunId(9)).await
}

async fn jobs_on(server: &MockServer) -> Result<Vec<Job>, GitHubError> {
    let github = github(server);
    github.jobs(&repository(), RUN, RunAttempt::FIRST).await
}

async fn serve_jobs(
    server: &MockServer,
    page: u64,
    total: u64,
    ids: impl IntoIterator<Item = u64>,
) {
    let jobs: Vec<Value> = ids.into_iter().map(job_json).collect();
    let body = json!({ "total_count": total, "jobs": jobs });
    serve_page(server, JOBS_PATH, page, body).await;
}

async fn serve_annotations(server: &MockServer, page: u64, annotations: Value) {
    serve_page(server, ANNOTATIONS_PATH, page, annotations).await;
}

async fn serve_page(server: &MockServer, at: &str, page: u64, body: Value) {
    Mock::given(method("GET"))
        .and(path(at.to_owned()))
        .and(query_param("per_page", "100"))
        .and(query_param("page", page.to_string()))
        .respond_with(ResponseTemplate::new(200).set_body_json(body))
        .mount(server)
        .await;
}

fn job_json(id: u64) -> Value {
    json!({
        "id": id,
        "run_id": 5,
        "run_attempt": 1,
        "name": format!("test ({id})"),
        "workflow_name": "ci",
        "status": "completed",
        "conclusion": "failure",
        "labels": ["self-hosted"],
        "runner_name": "runner-i-0123456789abcdef0",
        "created_at": "2026-01-01T10:00:00Z",
        "started_at": "2026-01-01T10:00:05Z",
        "completed_at": "2026-01-01T10:04:00Z",
        "head_sha": "c0ffee",
        "head_branch": "main",
        "check_run_url": format!("https://api.github.com/repos/acme/shop/check-runs/{id}"),
        "steps": [],
    })
}
