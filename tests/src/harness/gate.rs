//! A gate in front of a server: it counts what passes, can be shut, and can bring a server that
//! runs by the wall's clock into the story's time.
//!
//! It changes no answer and knows one field alone, SQS's `VisibilityTimeout`: what a controller
//! means in seconds of the story is written in those of the wall.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Nothing that passes comes near it.
const LARGEST: usize = 4 * 1024 * 1024;

/// A request that was answered.
#[derive(Debug, Clone)]
pub struct Passed {
    /// `X-Amz-Target`, as `AmazonSQS.ReceiveMessage`, else the method and the path.
    pub what: String,
    /// What was asked, where it is JSON.
    pub asked: Value,
    /// What was answered, where it is JSON.
    pub answered: Value,
    /// The status.
    pub status: StatusCode,
}

/// A gate; gone when it is dropped.
#[derive(Debug)]
pub struct Gate {
    url: String,
    inside: Arc<Inside>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Inside {
    upstream: OnceLock<String>,
    /// Seconds of the story in one of the wall's.
    speed: f64,
    client: Client<HttpConnector, Full<axum::body::Bytes>>,
    passed: Mutex<Vec<Passed>>,
    shut: watch::Sender<bool>,
    knocks: AtomicU64,
}

impl Gate {
    /// A gate that leads nowhere yet, for a server whose clock is the story's own.
    pub async fn build() -> Result<Arc<Self>> {
        Self::into_story(1.0).await
    }

    /// A gate that leads nowhere yet, for a server that runs by the wall's clock.
    pub async fn into_story(speed: f64) -> Result<Arc<Self>> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("no port is free")?;
        let url = format!("http://{}", listener.local_addr()?);
        let inside = Arc::new(Inside {
            upstream: OnceLock::new(),
            speed,
            client: Client::builder(TokioExecutor::new()).build_http(),
            passed: Mutex::default(),
            shut: watch::Sender::new(false),
            knocks: AtomicU64::new(0),
        });
        let router = Router::new().fallback(pass).with_state(Arc::clone(&inside));
        let task = tokio::spawn(async move {
            // It ends with the task alone.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Arc::new(Self { url, inside, task }))
    }

    /// Puts it in front of a server, whose address becomes that of the gate.
    pub fn stand_before(&self, url: &mut String) {
        let upstream = std::mem::replace(url, self.url.clone());
        // The first server stays: a gate is built for one.
        let _ = self.inside.upstream.set(upstream);
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on no request passes, and none is answered.
    pub fn shut(&self) {
        self.inside.shut.send_replace(true);
    }

    /// Lets everybody pass who has waited.
    pub fn open(&self) {
        self.inside.shut.send_replace(false);
    }

    /// How many requests found it shut.
    pub fn knocks(&self) -> u64 {
        self.inside.knocks.load(Ordering::Relaxed)
    }

    /// Everything that has passed.
    pub fn passed(&self) -> Vec<Passed> {
        self.inside.lock().clone()
    }

    /// How many requests of a kind have passed.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for passed in self.inside.lock().iter() {
            *counts.entry(passed.what.clone()).or_default() += 1;
        }
        counts
    }

    /// Forgets what has passed.
    pub fn forget(&self) {
        self.inside.lock().clear();
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Inside {
    fn lock(&self) -> MutexGuard<'_, Vec<Passed>> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn forward(&self, request: Request) -> Result<Response> {
        let (mut head, body) = request.into_parts();
        let body = to_bytes(body, LARGEST).await?;
        let mut asked: Value = serde_json::from_slice(&body).unwrap_or_default();
        let what = what(&head);
        let body = if rescale(&mut asked, self.speed) {
            asked.to_string().into()
        } else {
            body
        };
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let upstream = self.upstream.get().context("the gate leads nowhere")?;
        head.uri = format!("{upstream}{path}").parse::<Uri>()?;
        // Both are set anew for the way on.
        head.headers.remove(header::HOST);
        head.headers.remove(header::CONTENT_LENGTH);
        let answer = self
            .client
            .request(Request::from_parts(head, Full::new(body)))
            .await?;
        let (head, body) = answer.into_parts();
        let body = body.collect().await?.to_bytes();
        self.lock().push(Passed {
            what,
            asked,
            answered: serde_json::from_slice(&body).unwrap_or_default(),
            status: head.status,
        });
        Ok(Response::from_parts(head, Body::from(body)))
    }
}

async fn pass(State(inside): State<Arc<Inside>>, request: Request) -> Response {
    let mut shut = inside.shut.subscribe();
    if *shut.borrow() {
        inside.knocks.fetch_add(1, Ordering::Relaxed);
    }
    // The sender stands in `inside`, so it is there as long as this waits.
    let _ = shut.wait_for(|shut| !shut).await;
    match inside.forward(request).await {
        Ok(answer) => answer,
        Err(error) => {
            eprintln!("nothing passes to {:?}: {error:#}", inside.upstream.get());
            StatusCode::BAD_GATEWAY.into_response()
        }
    }
}

fn what(head: &http::request::Parts) -> String {
    let target = head.headers.get("x-amz-target");
    match target.and_then(|target| target.to_str().ok()) {
        Some(target) => target.to_owned(),
        None => format!("{} {}", head.method, head.uri.path()),
    }
}

/// Seconds of the story become whole ones of the wall, and none becomes zero that was not. Whether
/// anything was changed.
fn rescale(asked: &mut Value, speed: f64) -> bool {
    let mut changed = false;
    if let Some(seconds) = asked["VisibilityTimeout"].as_f64() {
        asked["VisibilityTimeout"] = Value::from((seconds / speed).ceil() as u64);
        changed = true;
    }
    if let Some(entries) = asked.get_mut("Entries").and_then(Value::as_array_mut) {
        for entry in entries {
            changed |= rescale(entry, speed);
        }
    }
    changed
}
