//! `/metrics`, `/healthz` and `/readyz`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use reprise_store::Store;

use crate::context::Controller;
use crate::ports::{GitHub, Ports};

/// Whether each part of the controller has shown that it works.
#[derive(Debug, Default)]
pub struct Health {
    ended: AtomicBool,
}

impl Health {
    /// A loop that must never end has ended.
    pub fn loop_ended(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

/// The routes.
pub fn routes<P: Ports>(controller: Arc<Controller<P>>, health: Arc<Health>) -> Router {
    Router::new()
        .route("/metrics", get(metrics::<P>))
        .route("/healthz", get(healthz::<P>))
        .route("/readyz", get(readyz::<P>))
        .with_state(Shared { controller, health })
}

struct Shared<P: Ports> {
    controller: Arc<Controller<P>>,
    health: Arc<Health>,
}

impl<P: Ports> Clone for Shared<P> {
    fn clone(&self) -> Self {
        Self { controller: Arc::clone(&self.controller), health: Arc::clone(&self.health) }
    }
}

async fn metrics<P: Ports>(State(shared): State<Shared<P>>) -> Result<Vec<u8>, (StatusCode, String)> {
    if let Some(remaining) = shared.controller.github.rate_remaining() {
        shared.controller.metrics.rate_remaining(remaining);
    }
    shared
        .controller
        .metrics
        .text()
        .map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

/// Alive: a restart would not help as long as this says so.
async fn healthz<P: Ports>(State(shared): State<Shared<P>>) -> (StatusCode, &'static str) {
    if shared.health.ended.load(Ordering::Relaxed) && !shared.controller.draining.has_begun() {
        (StatusCode::INTERNAL_SERVER_ERROR, "a loop has ended; see the log\n")
    } else {
        (StatusCode::OK, "ok\n")
    }
}

/// Ready: the store answers and no end has begun.
async fn readyz<P: Ports>(State(shared): State<Shared<P>>) -> (StatusCode, String) {
    if shared.controller.draining.has_begun() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n".to_owned());
    }
    match shared.controller.store.next_due(shared.controller.now()).await {
        Ok(_) => (StatusCode::OK, "ok\n".to_owned()),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
    }
}
