//! The operator's API, over a real connection.

use std::net::SocketAddr;
use std::sync::Arc;

use jiff::SignedDuration;
use reprise_controller::api::routes;
use reprise_engine::job::Grounds;
use reprise_engine::run::await_job;
use reprise_model::evidence::{Evidence, EvidenceSource};
use reprise_model::job::{Conclusion, Job};
use reprise_model::ledger::{RunEntry, RunKey, TrackedState, Why};
use reprise_model::policy::RetryPolicy;
use reprise_model::reason::SettleReason;
use reprise_store::{Change, Expect, Store};
use secrecy::SecretString;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::fakes::house::{House, Running};
use crate::fakes::samples::{HOST, RUN, ended, instance, queued, repository, running, secs};

const TOKEN: &str = "fake-token-0123456789";

const RUN_PATH: &str = "/api/v1/runs/acme/shop/900";

async fn serve(controller: &Running) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let routes = routes(
        Arc::clone(&controller.controller),
        SecretString::from(TOKEN),
    );
    tokio::spawn(async move { axum::serve(listener, routes).await });
    address
}

/// The status of an answer and its JSON.
async fn ask(address: SocketAddr, what: &str, token: Option<&str>) -> (u16, Value) {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    let token = token.map_or_else(String::new, |token| {
        format!("Authorization: Bearer {token}\r\n")
    });
    let request = format!(
        "{what} HTTP/1.1\r\nHost: localhost\r\n{token}Content-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.expect("sends");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answers");
    let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok());
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    let body = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
    (status.expect("a status"), body)
}

async fn asked(address: SocketAddr, what: &str) -> (u16, Value) {
    ask(address, what, Some(TOKEN)).await
}

/// A run whose only job came back and failed again.
async fn tombstone(house: &House) {
    let now = house.now();
    let job: Job = ended(
        running(queued(1, "build"), HOST, now),
        Conclusion::Failure,
        now,
    );
    let key = RunKey {
        repository: repository(),
        run_id: RUN,
    };
    let tag = Evidence {
        source: EvidenceSource::Tag,
        first_seen_at: now,
    };
    let grounds = Grounds {
        why: Why::Interrupted,
        policy: RetryPolicy::USUAL,
        instance: Some(instance(HOST)),
        evidence: vec![tag],
        told: None,
        advice: None,
        pause: SignedDuration::ZERO,
    };
    let mut entry: RunEntry = await_job(None, key, &job, grounds, now);
    entry.due = None;
    for job in entry.jobs.values_mut() {
        let reason = SettleReason::FailedAgain;
        job.state = TrackedState::Settled { reason, at: now };
    }
    let change = Change::PutRun {
        entry,
        expect: Expect::Absent,
        expires_at: now + secs(1_000_000),
    };
    house.store.commit(vec![change]).await.expect("commits");
}

#[tokio::test]
async fn nobody_is_answered_without_the_token() {
    let house = House::new();
    let controller = house.start();
    let address = serve(&controller).await;
    for (token, words) in [
        (None, "send the header Authorization: Bearer TOKEN"),
        (Some("wrong"), "the token is not the controller's"),
        (Some(""), "Authorization"),
    ] {
        for what in [
            "GET /api/v1/retries",
            "POST /api/v1/runs/acme/shop/900/requeue",
            "GET /",
        ] {
            let (status, answer) = ask(address, what, token).await;
            assert_eq!(status, 401, "{what}: {answer}");
            let error = answer["error"].as_str().unwrap_or_default();
            assert!(error.contains(words) || error.contains("token"), "{answer}");
            assert!(!error.contains(TOKEN), "{answer}");
        }
    }
    controller.crash().await;
}

#[tokio::test]
async fn who_has_the_token_is_told_and_obeyed() {
    let house = House::new();
    tombstone(&house).await;
    let controller = house.start();
    let address = serve(&controller).await;
    let (status, list) = asked(address, "GET /api/v1/retries?state=exhausted&since=2h").await;
    assert_eq!(
        (status, list["retries"][0]["state"].as_str()),
        (200, Some("exhausted"))
    );
    assert_eq!(list["retries"][0]["reason"], "failed-again");
    let (status, told) = asked(address, &format!("GET {RUN_PATH}?job=1")).await;
    assert_eq!(
        (status, told["summary"].as_str()),
        (200, Some("1 job is in the ledger: 1 exhausted"))
    );
    let (status, done) = asked(address, &format!("POST {RUN_PATH}/dismiss")).await;
    assert_eq!(
        (status, done["retries"][0]["dismissed"].as_bool()),
        (200, Some(true))
    );
    let (_, list) = asked(address, "GET /api/v1/retries").await;
    assert_eq!(list["retries"], serde_json::json!([]));
    let (status, done) = asked(address, &format!("POST {RUN_PATH}/requeue?job=1")).await;
    assert_eq!(
        (status, done["retries"][0]["state"].as_str()),
        (200, Some("due"))
    );
    controller.crash().await;
}

#[tokio::test]
async fn what_cannot_be_answered_says_what_is_wrong_and_what_to_do() {
    let house = House::new();
    tombstone(&house).await;
    let controller = house.start();
    let address = serve(&controller).await;
    for (what, status, words) in [
        ("GET /api/v1/retries?state=lost", 400, "known are awaiting"),
        (
            "GET /api/v1/retries?since=yesterday",
            400,
            "write how long ago",
        ),
        ("GET /api/v1/runs/acme/shop/latest", 400, "no id"),
        ("GET /api/v1/runs/acme/shop/900?jobs=1", 400, "known: job"),
        (
            "GET /api/v1/runs/acme/shop/901",
            404,
            "no webhook of run acme/shop/901 has arrived",
        ),
        (
            "GET /api/v1/runs/other/shop/901",
            403,
            "github.repositories",
        ),
        (
            "POST /api/v1/runs/other/shop/901/requeue",
            403,
            "github.repositories",
        ),
        (
            "POST /api/v1/runs/acme/shop/900/requeue?job=7",
            404,
            "it has 1 (build)",
        ),
        ("GET /api/v1/nothing", 404, "docs/operator.md"),
    ] {
        let (answered, answer) = asked(address, what).await;
        let error = answer["error"].as_str().unwrap_or_default();
        assert_eq!(answered, status, "{what}: {answer}");
        assert!(error.contains(words), "{what}: {answer}");
    }
    controller.controller.due.notify_one();
    house.store.fail_commits(true);
    let (status, answer) = asked(address, &format!("POST {RUN_PATH}/dismiss")).await;
    assert_eq!(status, 503, "{answer}");
    assert!(
        answer["error"]
            .as_str()
            .unwrap_or_default()
            .contains("the store fails"),
        "{answer}"
    );
    controller.crash().await;
}
