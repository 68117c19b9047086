//! `/metrics`, `/healthz` and `/readyz`.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

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

impl<P: Ports> Controller<P> {
    /// Has the metrics show how things stand at this moment.
    pub async fn show_standing(&self) {
        if let Some(remaining) = self.github.rate_remaining() {
            self.metrics.rate_remaining(remaining);
        }
        self.show_ec2_pace();
        self.show_github_pace();
        self.show_queue_ages();
        self.show_overdue();
        self.metrics.ready(self.readiness().await.is_ok());
    }
}

async fn metrics<P: Ports>(State(controller): State<Arc<Controller<P>>>) -> Response {
    controller.show_standing().await;
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

async fn readyz<P: Ports>(State(controller): State<Arc<Controller<P>>>) -> (StatusCode, String) {
    match controller.readiness().await {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(why) => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("{}\n", chain(&why)),
        ),
    }
}
