//! An instance's surroundings on loopback: the metadata service and EC2's API, each as strict
//! about its protocol as the real one.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::{get, post, put};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reprise_model::runner_config;
use tokio::sync::watch;

const TOKEN: &str = "imds-session-secret";
/// What the runner starts with, in its row of the table.
pub(crate) const JIT_CONFIG: &str = "c2VjcmV0LWppdC1jb25maWctc2VjcmV0";
/// All that must never be shown.
pub(crate) const SECRETS: &[&str] = &["secret", "ASIAEXAMPLE", JIT_CONFIG];
const THROTTLED: &str = "<Response><Errors><Error><Code>RequestLimitExceeded</Code>\
    <Message>Request limit exceeded.</Message></Error></Errors></Response>";

/// What both services share.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<Inner>>,
    polls: Arc<watch::Sender<u64>>,
    tags: Arc<watch::Sender<Vec<TagCall>>>,
}

#[derive(Default)]
struct Inner {
    notice: Option<String>,
    throttle: u32,
}

/// One CreateTags as it came.
#[derive(Debug, Clone)]
pub(crate) struct TagCall {
    pub(crate) headers: HeaderMap,
    pub(crate) form: BTreeMap<String, String>,
}

impl Surroundings {
    /// Serves on a free port.
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let surroundings = Self {
            address: listener.local_addr().expect("an address"),
            state: Arc::default(),
            polls: Arc::new(watch::Sender::new(0)),
            tags: Arc::new(watch::Sender::new(Vec::new())),
        };
        let router = Router::new()
            .route("/latest/api/token", put(token))
            .route("/latest/{*path}", get(metadata))
            .route("/", post(ec2))
            .with_state(surroundings.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        surroundings
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on there is a notice, ending at `time`.
    pub(crate) fn give_notice(&self, time: &str) {
        let body = format!(r#"{{"action":"terminate","time":"{time}"}}"#);
        self.inner().notice = Some(body);
    }

    /// The next `calls` of EC2's API are throttled.
    pub(crate) fn throttle(&self, calls: u32) {
        self.inner().throttle = calls;
    }

    /// Waits until there were so many polls.
    pub(crate) async fn polled(&self, times: u64) {
        let mut polls = self.polls.subscribe();
        polls.wait_for(|n| *n >= times).await.expect("open");
    }

    /// Waits until there were so many calls of CreateTags, and shows them.
    pub(crate) async fn tag_calls(&self, times: usize) -> Vec<TagCall> {
        let mut tags = self.tags.subscribe();
        let calls = tags.wait_for(|calls| calls.len() >= times).await;
        calls.expect("open").clone()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.state.lock().expect("not poisoned")
    }
}

async fn token(headers: HeaderMap) -> (StatusCode, &'static str) {
    let ttl = headers.get("x-aws-ec2-metadata-token-ttl-seconds");
    let ttl: Option<u32> = ttl.and_then(|v| v.to_str().ok()?.parse().ok());
    match ttl {
        Some(1..=21_600) => (StatusCode::OK, TOKEN),
        Some(_) | None => (StatusCode::BAD_REQUEST, ""),
    }
}

async fn metadata(
    State(surroundings): State<Surroundings>,
    headers: HeaderMap,
    uri: Uri,
) -> (StatusCode, String) {
    let token = headers.get("x-aws-ec2-metadata-token");
    if token.is_none_or(|token| token != TOKEN) {
        return (StatusCode::UNAUTHORIZED, String::new());
    }
    let found = match uri.path() {
        "/latest/meta-data/spot/instance-action" => {
            surroundings.polls.send_modify(|polls| *polls += 1);
            surroundings.inner().notice.clone()
        }
        "/latest/dynamic/instance-identity/document" => Some(
            r#"{"accountId":"123456789012","region":"eu-west-1",
                "instanceId":"i-0123456789abcdef0"}"#
                .to_owned(),
        ),
        "/latest/meta-data/iam/security-credentials/" => Some("runner-role".to_owned()),
        "/latest/meta-data/iam/security-credentials/runner-role" => Some(
            r#"{"Code":"Success","AccessKeyId":"ASIAEXAMPLE","SecretAccessKey":"key-secret",
                "Token":"role-token-secret","Expiration":"2999-01-01T00:00:00Z"}"#
                .to_owned(),
        ),
        _ => None,
    };
    match found {
        Some(body) => (StatusCode::OK, body),
        None => (StatusCode::NOT_FOUND, String::new()),
    }
}

async fn ec2(
    State(surroundings): State<Surroundings>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    if headers.contains_key("x-amz-target") {
        return (StatusCode::OK, row());
    }
    let form = serde_urlencoded::from_bytes(&body).expect("a form");
    surroundings
        .tags
        .send_modify(|calls| calls.push(TagCall { headers, form }));
    let mut inner = surroundings.inner();
    match inner.throttle.checked_sub(1) {
        Some(left) => {
            inner.throttle = left;
            (StatusCode::SERVICE_UNAVAILABLE, THROTTLED.to_owned())
        }
        None => (
            StatusCode::OK,
            "<CreateTagsResponse><return>true</return></CreateTagsResponse>".to_owned(),
        ),
    }
}

/// DynamoDB's answer: the instance's row.
fn row() -> String {
    let packed = STANDARD.encode(runner_config::pack(JIT_CONFIG));
    serde_json::json!({ "Item": { "config": { "B": packed }, "runner": { "S": "one" } } })
        .to_string()
}
