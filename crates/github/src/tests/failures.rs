//! What is read of a failed job, and that the App's token stays with GitHub.

use reprise_model::failure::{AnnotationLevel, FailureFacts, JobLog, LOG_END};
use reprise_model::ids::{CheckRunId, JobId};
use reprise_model::job::{Conclusion, Job};
use reprise_model::webhook::wire::WireJob;
use serde_json::json;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use super::*;
use crate::{GitHubError, GitHubErrorKind};

const LOGS_PATH: &str = "/repos/acme/shop/actions/jobs/9/logs";
const BLOB: &str = "/blob/9.txt";

/// A blob store that knows ranges with a beginning and an end.
struct Blob(Vec<u8>);

impl Respond for Blob {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let range = header(request, "range")[0].trim_start_matches("bytes=");
        let (start, end) = range.split_once('-').expect("a beginning and an end");
        let start: usize = start.parse().expect("a number");
        let end: usize = end
            .parse::<usize>()
            .expect("a number")
            .min(self.0.len() - 1);
        if start >= self.0.len() {
            return ResponseTemplate::new(416);
        }
        let told = format!("bytes {start}-{end}/{}", self.0.len());
        ResponseTemplate::new(206)
            .insert_header("content-range", told)
            .set_body_bytes(&self.0[start..=end])
    }
}

#[tokio::test]
async fn a_short_log_is_read_in_one_piece_without_the_token() {
    let (server, blobs) = linked().await;
    serve_blob(&blobs, Blob(b"all of it".to_vec())).await;
    assert_eq!(log_on(&server).await.unwrap(), end(b"all of it"));
    let asked = received(&blobs, "GET", BLOB).await;
    assert_eq!(asked.len(), 1);
    for request in &asked {
        assert!(header(request, "authorization").is_empty());
        assert_eq!(header(request, "user-agent").len(), 1);
    }
    let asked = received(&server, "GET", LOGS_PATH).await;
    assert_eq!(header(&asked[0], "authorization").len(), 1);
}

#[tokio::test]
async fn of_a_long_log_only_the_end_is_read() {
    let (server, blobs) = linked().await;
    let long = long_log();
    serve_blob(&blobs, Blob(long.clone())).await;
    let log = log_on(&server).await.unwrap();
    assert_eq!(log, end(&long[long.len() - LOG_END..]));
    let asked = received(&blobs, "GET", BLOB).await;
    let ranges: Vec<&str> = asked.iter().map(|one| header(one, "range")[0]).collect();
    let start = long.len() - LOG_END;
    let last = format!("bytes={start}-{}", long.len() - 1);
    assert_eq!(ranges, ["bytes=0-65535", &last]);
}

#[tokio::test]
async fn a_server_that_knows_no_ranges_is_read_to_the_end() {
    let (server, blobs) = linked().await;
    let long = long_log();
    let all = ResponseTemplate::new(200).set_body_bytes(long.clone());
    serve(&blobs, "GET", BLOB, all).await;
    let log = log_on(&server).await.unwrap();
    assert_eq!(log, end(&long[long.len() - LOG_END..]));
}

#[tokio::test]
async fn an_endless_log_whose_server_knows_no_ranges_is_missing() {
    let (server, blobs) = linked().await;
    let all = ResponseTemplate::new(200).set_body_bytes(vec![b'x'; 17 << 20]);
    serve(&blobs, "GET", BLOB, all).await;
    assert_eq!(log_on(&server).await.unwrap(), JobLog::Missing);
}

#[tokio::test]
async fn an_empty_log_is_read() {
    let (server, blobs) = linked().await;
    serve(&blobs, "GET", BLOB, ResponseTemplate::new(416)).await;
    assert_eq!(log_on(&server).await.unwrap(), end(b""));
}

#[tokio::test]
async fn a_range_whose_whole_is_not_told_gives_no_end() {
    let (server, blobs) = linked().await;
    let part = ResponseTemplate::new(206)
        .insert_header("content-range", "bytes 0-3/*")
        .set_body_string("part");
    serve(&blobs, "GET", BLOB, part).await;
    assert_eq!(log_on(&server).await.unwrap(), JobLog::Missing);
}

#[tokio::test]
async fn a_log_that_has_expired_or_may_not_be_read_is_missing() {
    for (status, message) in [
        (404, "Not Found"),
        (410, "Server Error: logs have expired"),
        (403, "Resource not accessible by integration"),
    ] {
        let server = installed().await;
        serve(&server, "GET", LOGS_PATH, no(status, message)).await;
        assert_eq!(log_on(&server).await.unwrap(), JobLog::Missing, "{status}");
    }
    for status in [404, 410] {
        let (server, blobs) = linked().await;
        serve(&blobs, "GET", BLOB, ResponseTemplate::new(status)).await;
        assert_eq!(log_on(&server).await.unwrap(), JobLog::Missing, "{status}");
    }
}

#[tokio::test]
async fn an_outage_or_an_old_link_is_to_be_tried_again() {
    for status in [403, 500, 503] {
        let (server, blobs) = linked().await;
        serve(&blobs, "GET", BLOB, ResponseTemplate::new(status)).await;
        let error = log_on(&server).await.unwrap_err();
        assert_eq!(error.kind(), GitHubErrorKind::Unavailable);
        assert_eq!(
            error.to_string(),
            format!(
                "read the log of job 9 of acme/shop: the server that GitHub linked to answered {status}"
            )
        );
    }
    let server = installed().await;
    serve(&server, "GET", LOGS_PATH, no(503, "Unavailable")).await;
    let error = log_on(&server).await.unwrap_err();
    assert_eq!(error.kind(), GitHubErrorKind::Unavailable);
    let server = installed().await;
    serve(&server, "GET", LOGS_PATH, no(429, "slow down")).await;
    let error = log_on(&server).await.unwrap_err();
    assert!(matches!(error.kind(), GitHubErrorKind::RateLimited { .. }));
}

#[tokio::test]
async fn a_renamed_repositorys_redirect_is_followed_and_its_link_gets_no_token() {
    let (server, blobs) = (installed().await, MockServer::start().await);
    let moved = "/repositories/1/actions/jobs/9/logs";
    let to = format!("{}{moved}", server.uri());
    let renamed = no(301, "Moved Permanently").insert_header("location", to);
    serve(&server, "GET", LOGS_PATH, renamed).await;
    serve(
        &server,
        "GET",
        moved,
        link(&format!("{}{BLOB}", blobs.uri())),
    )
    .await;
    serve_blob(&blobs, Blob(b"here".to_vec())).await;
    assert_eq!(log_on(&server).await.unwrap(), end(b"here"));
    let asked = received(&blobs, "GET", BLOB).await;
    assert!(header(&asked[0], "authorization").is_empty());
}

#[tokio::test]
async fn a_link_to_githubs_own_address_gets_no_token_either() {
    let server = installed().await;
    serve(&server, "GET", LOGS_PATH, link(BLOB)).await;
    serve_blob(&server, Blob(b"here".to_vec())).await;
    assert_eq!(log_on(&server).await.unwrap(), end(b"here"));
    let asked = received(&server, "GET", BLOB).await;
    assert!(header(&asked[0], "authorization").is_empty());
}

#[tokio::test]
async fn a_link_that_is_no_web_address_is_not_followed() {
    for to in ["ftp://blobs.example/9.txt", "", "http://"] {
        let server = installed().await;
        serve(&server, "GET", LOGS_PATH, link(to)).await;
        let error = log_on(&server).await.unwrap_err();
        assert_eq!(error.kind(), GitHubErrorKind::Unexpected, "{to}");
    }
}

#[tokio::test]
async fn all_that_tells_of_a_failure_is_read() {
    let (server, blobs) = linked().await;
    serve_blob(&blobs, Blob(b"##[error]no".to_vec())).await;
    serve_steps(&server).await;
    let annotations = json!([
        { "path": ".github", "annotation_level": "failure", "message": "no" },
        { "path": "src/a.rs", "annotation_level": "warning", "message": "unused" },
    ]);
    let answer = ResponseTemplate::new(200).set_body_json(annotations);
    serve(
        &server,
        "GET",
        "/repos/acme/shop/check-runs/9/annotations",
        answer,
    )
    .await;
    let facts = facts_on(&server).await.unwrap();
    assert_eq!(facts.conclusion, Some(Conclusion::Failure));
    let steps: Vec<_> = facts.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(steps, ["Set up job", "Run make"]);
    assert_eq!(facts.steps[1].conclusion, Some(Conclusion::Failure));
    let annotations = facts.annotations.unwrap();
    assert_eq!(annotations[0].level, Some(AnnotationLevel::Failure));
    assert_eq!(annotations[1].path.as_deref(), Some("src/a.rs"));
    assert_eq!(facts.log, end(b"##[error]no"));
}

#[tokio::test]
async fn annotations_that_may_not_be_read_are_missing_and_a_job_that_is_gone_is_an_error() {
    let (server, blobs) = linked().await;
    serve_blob(&blobs, Blob(b"x".to_vec())).await;
    serve_steps(&server).await;
    let closed = no(403, "Resource not accessible by integration");
    serve(
        &server,
        "GET",
        "/repos/acme/shop/check-runs/9/annotations",
        closed,
    )
    .await;
    assert_eq!(facts_on(&server).await.unwrap().annotations, None);
    let server = installed().await;
    serve(
        &server,
        "GET",
        "/repos/acme/shop/actions/jobs/9",
        no(404, "Not Found"),
    )
    .await;
    let error = facts_on(&server).await.unwrap_err();
    assert_eq!(error.kind(), GitHubErrorKind::NotFound);
}

/// A GitHub that links to a blob store.
async fn linked() -> (MockServer, MockServer) {
    let (server, blobs) = (installed().await, MockServer::start().await);
    let to = format!("{}{BLOB}?sig=fake", blobs.uri());
    serve(&server, "GET", LOGS_PATH, link(&to)).await;
    (server, blobs)
}

fn link(to: &str) -> ResponseTemplate {
    ResponseTemplate::new(302).insert_header("location", to)
}

async fn serve_blob(server: &MockServer, blob: Blob) {
    let mock = Mock::given(method("GET")).and(path(BLOB));
    mock.respond_with(blob).mount(server).await;
}

async fn serve_steps(server: &MockServer) {
    let step = |name: &str, conclusion: &str| {
        json!({
            "name": name,
            "status": "completed",
            "conclusion": conclusion,
            "number": 1,
            "started_at": "2026-01-01T10:00:00Z",
            "completed_at": "2026-01-01T10:00:05Z",
        })
    };
    let job = json!({
        "id": 9,
        "conclusion": "failure",
        "steps": [step("Set up job", "success"), step("Run make", "failure")],
    });
    let answer = ResponseTemplate::new(200).set_body_json(job);
    serve(server, "GET", "/repos/acme/shop/actions/jobs/9", answer).await;
}

fn end(bytes: &[u8]) -> JobLog {
    JobLog::End(bytes.to_vec())
}

fn long_log() -> Vec<u8> {
    let lines = (0..30_000).map(|number| format!("line {number}\n"));
    lines.collect::<String>().into_bytes()
}

async fn log_on(server: &MockServer) -> Result<JobLog, GitHubError> {
    github(server).job_log(&repository(), JobId(9)).await
}

async fn facts_on(server: &MockServer) -> Result<FailureFacts, GitHubError> {
    github(server).failure_facts(&repository(), &job()).await
}

fn job() -> Job {
    let wire = json!({
        "id": 9,
        "run_id": 5,
        "name": "test",
        "status": "completed",
        "head_sha": "c0ffee",
        "check_run_url": "https://api.github.com/repos/acme/shop/check-runs/9",
    });
    let job = serde_json::from_value::<WireJob>(wire).unwrap().into_job();
    assert_eq!(job.check_run, Some(CheckRunId(9)));
    job
}
