//! The crate against a GitHub of canned answers, over real HTTP on loopback.

mod active;
mod app;
mod auth;
mod checks;
mod deliveries;
mod failures;
mod reads;
mod reruns;
mod rival;
mod runners;

use std::time::Duration;

use reprise_model::ids::{Repository, RunId};
use secrecy::SecretString;
use serde_json::{Value, json};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::{GitHub, Settings};

const FAKE_KEY: &str = include_str!("../../tests/data/fake-app-key.pem");
const FAKE_TOKEN: &str = "ghs_fakefakefakefakefakefakefakefakefake";
const FAR: &str = "2099-01-01T00:00:00Z";
const RUN: RunId = RunId(5);
const TOKEN_PATH: &str = "/app/installations/7/access_tokens";

fn repository() -> Repository {
    "acme/shop".parse().unwrap()
}

fn settings(base_uri: &str) -> Settings {
    Settings {
        base_uri: base_uri.to_owned(),
        app_id: 42,
        private_key_pem: SecretString::from(FAKE_KEY),
        request_timeout: Duration::from_secs(20),
    }
}

fn github(server: &MockServer) -> GitHub {
    GitHub::connect(settings(&server.uri())).unwrap()
}

/// A GitHub where the App is installed on `acme/shop`.
async fn installed() -> MockServer {
    let server = MockServer::start().await;
    serve_installation(&server, "").await;
    server
}

async fn serve_installation(server: &MockServer, prefix: &str) {
    let found = ResponseTemplate::new(200).set_body_json(json!({ "id": 7 }));
    let lookup = format!("{prefix}/repos/acme/shop/installation");
    serve(server, "GET", &lookup, found).await;
    let token = token_answer(FAKE_TOKEN, FAR);
    serve(server, "POST", &format!("{prefix}{TOKEN_PATH}"), token).await;
}

fn token_answer(token: &str, expires_at: &str) -> ResponseTemplate {
    ResponseTemplate::new(201).set_body_json(json!({
        "token": token,
        "expires_at": expires_at,
        "permissions": { "actions": "write", "checks": "read" },
        "repository_selection": "all",
    }))
}

async fn serve(server: &MockServer, verb: &str, at: &str, answer: ResponseTemplate) {
    let mock = Mock::given(method(verb)).and(path(at.to_owned()));
    mock.respond_with(answer).mount(server).await;
}

fn run_json() -> Value {
    json!({
        "id": 5,
        "run_attempt": 2,
        "status": "completed",
        "conclusion": "failure",
        "workflow_id": 3,
        "name": "ci",
        "path": ".github/workflows/ci.yml",
        "event": "push",
        "head_sha": "c0ffee",
        "head_branch": "main",
        "created_at": "2026-01-01T10:00:00Z",
        "run_started_at": "2026-01-01T11:00:00Z",
    })
}

async fn serve_run(server: &MockServer, run: Value) {
    let answer = ResponseTemplate::new(200).set_body_json(run);
    serve(server, "GET", "/repos/acme/shop/actions/runs/5", answer).await;
}

/// GitHub's form of a no.
fn no(status: u16, message: &str) -> ResponseTemplate {
    let body = json!({
        "message": message,
        "documentation_url": "https://docs.github.com/rest",
        "status": status.to_string(),
    });
    ResponseTemplate::new(status).set_body_json(body)
}

async fn received(server: &MockServer, verb: &str, at: &str) -> Vec<Request> {
    let requests = server.received_requests().await.unwrap();
    let wanted = |request: &Request| request.method.as_str() == verb && request.url.path() == at;
    requests.into_iter().filter(wanted).collect()
}

/// The values of a header; more than one is a mistake too.
fn header<'a>(request: &'a Request, name: &str) -> Vec<&'a str> {
    let values = request.headers.get_all(name).iter();
    values.map(|value| value.to_str().unwrap()).collect()
}
