//! `/metrics`, `/healthz` and `/readyz`.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use reprise_store::Store;

use crate::context::Controller;
use crate::logging::chain;
use crate::ports::{GitHub, Ports};

/// The content type of the text format that Prometheus scrapes.
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The routes.
pub fn routes<P: Ports>(controller: Arc<Controller<P>>) -> Router {
    Router::new()
        .route("/metrics", get(metrics::<P>))
        .route("/healthz", get(healthz::<P>))
        .route("/readyz", get(readyz::<P>))
        .with_state(controller)
}

async fn metrics<P: Ports>(State(controller): State<Arc<Controller<P>>>) -> Response {
    if let Some(remaining) = controller.github.rate_remaining() {
        controller.metrics.rate_remaining(remaining);
    }
    controller.show_ec2_pace();
    controller.show_github_pace();
    match controller.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, PROMETHEUS_TEXT)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// Alive: a restart would not help as long as this says so.
async fn healthz<P: Ports>(
    State(controller): State<Arc<Controller<P>>>,
) -> (StatusCode, &'static str) {
    if controller.is_healthy() {
        (StatusCode::OK, "ok\n")
    } else {
        (
            StatusCode::INTERNAL_SERVER_ERROR,
            "a loop has ended; see the log\n",
        )
    }
}

/// Ready: no end has begun, the store answers, and so did each queue when it was last asked.
async fn readyz<P: Ports>(State(controller): State<Arc<Controller<P>>>) -> (StatusCode, String) {
    let unready = |why: String| (StatusCode::SERVICE_UNAVAILABLE, why);
    if controller.draining.has_begun() {
        return unready("draining\n".to_owned());
    }
    if let Err(error) = controller.store.due(controller.now(), 0).await {
        return unready(format!("{}\n", chain(&error)));
    }
    match controller.health.waits_for().as_slice() {
        [] => (StatusCode::OK, "ok\n".to_owned()),
        silent => unready(format!("no answer from: {}\n", silent.join(", "))),
    }
}
