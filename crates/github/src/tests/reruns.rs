//! What each answer to a re-run means, and that it is asked for once.

use std::time::Duration;

use jiff::SignedDuration;
use reprise_model::ids::JobId;
use reprise_model::ledger::{RerunAnswer, RerunTarget};
use reprise_model::reason::{Refusal, RefusalKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use wiremock::{MockServer, ResponseTemplate};

use super::*;
use crate::RerunReply;

const JOB: RerunTarget = RerunTarget::Job(JobId(11));
const JOB_PATH: &str = "/repos/acme/shop/actions/jobs/11/rerun";
const FAILED_PATH: &str = "/repos/acme/shop/actions/runs/5/rerun-failed-jobs";

#[tokio::test]
async fn a_201_is_accepted() {
    for (target, at) in [(JOB, JOB_PATH), (RerunTarget::FailedJobs, FAILED_PATH)] {
        let server = installed().await;
        let created = ResponseTemplate::new(201).set_body_json(json!({}));
        serve(&server, "POST", at, created).await;
        let reply = github(&server).rerun(&repository(), RUN, target).await;
        assert_eq!(reply.answer, RerunAnswer::Accepted);
        let posts = received(&server, "POST", at).await;
        assert_eq!(posts.len(), 1);
        assert_eq!(posts[0].body, b"{}");
        assert_eq!(header(&posts[0], "content-type"), ["application/json"]);
        let token = format!("Bearer {FAKE_TOKEN}");
        assert_eq!(header(&posts[0], "authorization"), [token]);
    }
}

#[tokio::test]
async fn a_run_that_is_active_may_be_asked_for_later() {
    for message in [
        "The workflow run containing this job is already running",
        "This workflow is already running",
        "THIS WORKFLOW IS ALREADY RUNNING.",
    ] {
        let reply = reply_to(no(403, message)).await;
        assert_eq!(reply.answer, RerunAnswer::NotNow, "{message}");
        assert_eq!(reply.retry_after, None);
        assert_eq!(reply.detail, format!("GitHub answered 403: {message}"));
    }
}

#[tokio::test]
async fn a_job_of_an_earlier_attempt_is_no_refusal_of_its_run() {
    let message = "Only jobs from the current attempt can be re-run";
    let reply = reply_to(no(403, message)).await;
    assert_eq!(reply.answer, RerunAnswer::NotNow);
}

#[tokio::test]
async fn final_refusals_keep_githubs_own_words() {
    for (status, message, kind) in [
        (
            403,
            "Unable to retry this workflow run because it was created over a month ago",
            RefusalKind::TooOld,
        ),
        (
            403,
            "This workflow run cannot be retried",
            RefusalKind::NotRetryable,
        ),
        (
            403,
            "This workflow is Disabled and cannot be run",
            RefusalKind::WorkflowDisabled,
        ),
        (
            403,
            "Resource not accessible by integration",
            RefusalKind::MissingPermission,
        ),
        (
            403,
            "The moon is in the wrong quarter",
            RefusalKind::Unknown,
        ),
        (422, "Validation Failed", RefusalKind::Unknown),
        (404, "Not Found", RefusalKind::NotFound),
        (307, "Moved Permanently", RefusalKind::NotFound),
    ] {
        let reply = reply_to(no(status, message)).await;
        let message = message.to_owned();
        let refusal = RerunAnswer::Refused(Refusal { kind, message });
        assert_eq!(reply.answer, refusal);
        assert_eq!(reply.retry_after, None);
    }
}

#[tokio::test]
async fn a_rate_limit_goes_before_the_words_and_says_how_long() {
    let spent = no(403, "This workflow run cannot be retried")
        .insert_header("x-ratelimit-remaining", "0")
        .insert_header("x-ratelimit-reset", "784111877")
        .insert_header("date", "Sun, 06 Nov 1994 08:49:37 GMT");
    for (answer, seconds) in [
        (no(403, "No").insert_header("retry-after", "17"), 17),
        (no(429, "No").insert_header("retry-after", "18"), 18),
        (spent, 101),
        (no(403, "You have exceeded a secondary rate limit."), 60),
        (no(403, "API rate limit exceeded for installation"), 60),
        (ResponseTemplate::new(429), 60),
    ] {
        let reply = reply_to(answer).await;
        assert_eq!(reply.answer, RerunAnswer::NotNow);
        let wait = SignedDuration::from_secs(seconds);
        assert_eq!(reply.retry_after, Some(wait));
    }
}

#[tokio::test]
async fn a_server_error_is_unclear_and_posted_once() {
    for answer in [
        no(500, "Server Error"),
        ResponseTemplate::new(502),
        no(503, "Unavailable"),
    ] {
        let reply = reply_to(answer).await;
        assert_eq!(reply.answer, RerunAnswer::Unclear);
    }
}

#[tokio::test]
async fn an_answer_in_nobodys_words_is_unclear() {
    let page = "<html>this request was blocked; it cannot be retried</html>";
    for answer in [
        ResponseTemplate::new(403).set_body_string(page),
        ResponseTemplate::new(200),
        ResponseTemplate::new(204),
    ] {
        let reply = reply_to(answer).await;
        assert_eq!(reply.answer, RerunAnswer::Unclear);
    }
}

#[tokio::test]
async fn a_rejected_token_is_not_now_and_not_posted_again() {
    let reply = reply_to(no(401, "Bad credentials")).await;
    assert_eq!(reply.answer, RerunAnswer::NotNow);
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_unclear_and_posted_once() {
    let server = installed().await;
    let slow = ResponseTemplate::new(201).set_delay(Duration::from_secs(600));
    serve(&server, "POST", JOB_PATH, slow).await;
    let impatient = Settings {
        request_timeout: Duration::from_secs(1),
        ..settings(&server.uri())
    };
    let github = GitHub::connect(impatient).unwrap();
    let reply = github.rerun(&repository(), RUN, JOB).await;
    assert_eq!(reply.answer, RerunAnswer::Unclear);
    assert!(reply.detail.ends_with("within 1s"), "{}", reply.detail);
    assert_eq!(received(&server, "POST", JOB_PATH).await.len(), 1);
}

#[tokio::test]
async fn a_connection_that_breaks_after_the_post_is_unclear_and_not_posted_again() {
    let (uri, mut seen) = hanging_up_on_reruns().await;
    let github = GitHub::connect(settings(&uri)).unwrap();
    let reply = github.rerun(&repository(), RUN, JOB).await;
    assert_eq!(reply.answer, RerunAnswer::Unclear, "{}", reply.detail);
    let mut posts = 0;
    while let Ok(line) = seen.try_recv() {
        posts += usize::from(line.starts_with(&format!("POST {JOB_PATH} ")));
    }
    assert_eq!(posts, 1);
}

#[tokio::test]
async fn without_a_token_nothing_is_posted_and_nothing_is_unclear() {
    let server = MockServer::start().await;
    serve(
        &server,
        "GET",
        "/repos/acme/shop/installation",
        no(500, "Oh"),
    )
    .await;
    let reply = github(&server).rerun(&repository(), RUN, JOB).await;
    assert_eq!(reply.answer, RerunAnswer::NotNow);
    assert!(received(&server, "POST", JOB_PATH).await.is_empty());
}

#[tokio::test]
async fn an_app_that_is_not_installed_is_a_missing_permission() {
    let server = MockServer::start().await;
    let missing = no(404, "Not Found");
    serve(&server, "GET", "/repos/acme/shop/installation", missing).await;
    let reply = github(&server).rerun(&repository(), RUN, JOB).await;
    let RerunAnswer::Refused(refusal) = reply.answer else {
        panic!("{reply:?}");
    };
    assert_eq!(refusal.kind, RefusalKind::MissingPermission);
    assert!(refusal.message.contains("not installed"), "{refusal}");
}

/// The reply to one re-run that GitHub answers so. Whatever it is, it was asked for once.
async fn reply_to(answer: ResponseTemplate) -> RerunReply {
    let server = installed().await;
    serve(&server, "POST", JOB_PATH, answer).await;
    let reply = github(&server).rerun(&repository(), RUN, JOB).await;
    assert_eq!(received(&server, "POST", JOB_PATH).await.len(), 1);
    reply
}

/// A GitHub that hangs up instead of answering a re-run; it tells the first line of each request.
async fn hanging_up_on_reruns() -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    let (tell, seen) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer_or_hang_up(stream, tell.clone()));
        }
    });
    (uri, seen)
}

async fn answer_or_hang_up(mut stream: TcpStream, tell: mpsc::UnboundedSender<String>) {
    loop {
        let mut request = vec![0; 16 * 1024];
        let length = stream.read(&mut request).await.unwrap_or(0);
        let request = String::from_utf8_lossy(&request[..length]).into_owned();
        let Some(line) = request.lines().next().map(str::to_owned) else {
            return;
        };
        let body = match line.as_str() {
            line if line.contains("/installation ") => json!({ "id": 7 }),
            line if line.contains("/access_tokens ") => {
                json!({ "token": FAKE_TOKEN, "expires_at": FAR, "permissions": {} })
            }
            _ => {
                tell.send(line).unwrap();
                return;
            }
        };
        let body = body.to_string();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        let answer = head + &body;
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}
