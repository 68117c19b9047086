//! Endpoints that answer, and those that do everything else, on this machine.

use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::post;
use reprise_model::advice::{AskedJob, AskedRun, LONGEST_ANSWER, VERSION};
use reprise_model::ids::{JobId, RunAttempt, RunId, Sha};
use reprise_model::instance::Capacity;
use reprise_model::job::Conclusion;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const SECRET: &str = "a-fake-secret-of-some-length";

/// Python's: `hmac.new(b"Jefe", b'1800000000.{"version":1}', "sha256").hexdigest()`.
const KNOWN: &str = "eb47967656cdd3b0ecc0538520b87d771eedc33a8fe0ee0b087c511023e41f29";

#[tokio::test]
async fn an_endpoint_answers_whether_on_what_and_why() {
    let yes = r#"{"retry": true, "capacity": "spot", "reason": "known flake", "more": []}"#;
    let answer = asked(answering(StatusCode::OK, yes).await).await;
    assert_eq!(
        answer,
        Ok(Answer {
            retry: true,
            capacity: Some(Capacity::Spot),
            reason: Some("known flake".to_owned()),
        })
    );
    let no = answering(StatusCode::OK, r#"{"retry": false}"#).await;
    assert!(!asked(no).await.expect("an answer").retry);
}

#[tokio::test]
async fn what_is_no_answer_is_told_as_what_it_is() {
    let long = format!(
        r#"{{"retry": true, "x": "{}"}}"#,
        "y".repeat(LONGEST_ANSWER)
    );
    for (status, body, word) in [
        (
            StatusCode::INTERNAL_SERVER_ERROR,
            r#"{"retry": true}"#,
            "bad-status",
        ),
        (StatusCode::ACCEPTED, r#"{"retry": true}"#, "bad-status"),
        (StatusCode::OK, "<html>", "bad-answer"),
        (StatusCode::OK, r#"{"retry": "true"}"#, "bad-answer"),
        (StatusCode::OK, long.as_str(), "bad-answer"),
    ] {
        let why = asked(answering(status, body).await).await.expect_err(word);
        assert_eq!(why.as_str(), word, "{why}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = answering(StatusCode::OK, r#"{"retry": true}"#).await;
    let answer = (StatusCode::TEMPORARY_REDIRECT, [("location", elsewhere)]);
    let router = Router::new().route("/ask", post(async move || answer.into_response()));
    let why = asked(serving(router).await).await.expect_err("no answer");
    assert_eq!(why, NoAnswer::BadStatus { status: 307 });
}

#[tokio::test]
async fn an_endpoint_that_hangs_or_drips_is_given_up_when_its_time_is_over() {
    let hangs = by_hand(async |mut stream: TcpStream| {
        let _ = stream.read(&mut [0; 4_096]).await;
        std::future::pending::<()>().await;
    });
    let drips = by_hand(async |mut stream: TcpStream| {
        let _ = stream.read(&mut [0; 4_096]).await;
        let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n";
        let _ = stream.write_all(head).await;
        while stream.write_all(b" ").await.is_ok() {
            let (mut reader, _) = stream.split();
            let wait = tokio::time::timeout(Duration::from_millis(20), reader.read_u8());
            let _ = wait.await;
        }
    });
    for address in [hangs.await, drips.await] {
        assert_eq!(asked(address).await, Err(NoAnswer::TimedOut));
    }
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_or_hangs_up_cannot_be_reached() {
    let hangs_up = by_hand(async |stream: TcpStream| drop(stream)).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let gone = format!("http://{}/ask", listener.local_addr().expect("known"));
    drop(listener);
    for address in [hangs_up, gone] {
        let why = asked(address).await.expect_err("nobody is there");
        assert_eq!(why.as_str(), "unreachable", "{why}");
    }
}

#[tokio::test]
async fn an_endpoint_that_there_is_not_is_not_asked() {
    let asker = Asker::connect([]).await.expect("connected");
    let answer = asker.ask(&question(), now()).await;
    assert_eq!(answer, Err(NoAnswer::NotAllowed));
}

#[tokio::test]
async fn a_question_is_json_that_its_signature_fits() {
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let answer = post(async move |headers: HeaderMap, body: String| {
        let _ = told.send((headers, body));
        r#"{"retry": false}"#
    });
    let address = serving(Router::new().route("/ask", answer)).await;
    asked(address).await.expect("an answer");
    let (headers, body) = heard.recv().await.expect("it was asked");
    let read: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(read["version"], 1);
    assert_eq!(read["job"]["conclusion"], "failure");
    assert_eq!(headers[TIMESTAMP], "1800000000");
    let signed = by_definition(&format!("1800000000.{body}"));
    assert_eq!(headers[SIGNATURE], format!("sha256={signed}").as_str());
}

#[test]
fn a_signature_is_what_others_make_of_the_time_a_dot_and_the_body() {
    let at = Timestamp::from_second(1_800_000_000).expect("a time");
    let headers = signed(&SecretString::from("Jefe"), at, b"{\"version\":1}");
    assert_eq!(
        headers,
        [
            (TIMESTAMP.to_owned(), "1800000000".to_owned()),
            (SIGNATURE.to_owned(), format!("sha256={KNOWN}")),
        ]
    );
}

/// HMAC-SHA256 as the RFC defines it, over plain hashes.
fn by_definition(text: &str) -> String {
    use sha2::{Digest, Sha256};
    let mut key = [0_u8; 64];
    key[..SECRET.len()].copy_from_slice(SECRET.as_bytes());
    let inner = Sha256::new()
        .chain_update(key.map(|byte| byte ^ 0x36))
        .chain_update(text)
        .finalize();
    let outer = Sha256::new()
        .chain_update(key.map(|byte| byte ^ 0x5c))
        .chain_update(inner)
        .finalize();
    hex::encode(outer)
}

async fn asked(url: String) -> Result<Answer, NoAnswer> {
    let secret = SecretString::from(SECRET);
    let name = "judge".parse().expect("a name");
    let asker = Asker::connect([(name, Settings::Url { url, secret })]).await;
    let asker = Asker {
        limit: Duration::from_millis(500),
        ..asker.expect("connected")
    };
    asker.ask(&question(), now()).await
}

async fn answering(status: StatusCode, body: &str) -> String {
    let body = body.to_owned();
    let answer = post(async move || (status, body.clone()));
    serving(Router::new().route("/ask", answer)).await
}

async fn serving(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let address = listener.local_addr().expect("known");
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/ask")
}

/// A server below HTTP, for one connection.
async fn by_hand<F: Future<Output = ()> + Send + 'static>(
    serve: impl FnOnce(TcpStream) -> F + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let address = listener.local_addr().expect("known");
    tokio::spawn(async move {
        if let Ok((stream, _)) = listener.accept().await {
            serve(stream).await;
        }
    });
    format!("http://{address}/ask")
}

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).expect("a time")
}

fn question() -> Question {
    Question {
        version: VERSION,
        endpoint: "judge".parse().expect("a name"),
        repository: "acme/shop".parse().expect("a repository"),
        workflow: Some("ci".to_owned()),
        run: AskedRun {
            id: RunId(900),
            attempt: RunAttempt::FIRST,
            url: "https://github.com/acme/shop/actions/runs/900".to_owned(),
            head_sha: Sha::new("0123abc"),
            head_branch: Some("main".to_owned()),
        },
        job: AskedJob {
            id: JobId(1),
            name: "test (1)".to_owned(),
            url: "https://github.com/acme/shop/actions/runs/900/job/1".to_owned(),
            labels: vec!["runs-on=900/retry=ask:judge".to_owned()],
            conclusion: Some(Conclusion::Failure),
            failed_step: None,
            started_at: None,
            completed_at: None,
        },
        interrupted: false,
        evidence: Vec::new(),
        failure: None,
        capacity: None,
        attempts: 1,
        most_attempts: 6,
    }
}
