//! Requests of clients become calls of the world.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use jiff::Timestamp;
use reprise_model::ids::InstanceId;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::shared::Shared;
use super::until;
use super::wire::Answers;
use crate::world::{AwsReply, is_for_sqs};

/// No request of a client of ours comes near it.
const LARGEST_BODY: usize = 4 * 1024 * 1024;

/// How long a client that is in the middle of a request may hold up the end of the service, in real
/// time.
const GRACE: Duration = Duration::from_millis(200);

/// Serves until told to stop; the port is free when this returns.
pub(super) async fn serve(listener: TcpListener, router: Router, stopped: watch::Receiver<bool>) {
    let served = axum::serve(listener, router).with_graceful_shutdown(until(stopped.clone()));
    tokio::select! {
        served = served => {
            if let Err(error) = served {
                tracing::error!(%error, "the simulated world is no longer served");
            }
        }
        () = grace_after(stopped) => {}
    }
}

async fn grace_after(stopped: watch::Receiver<bool>) {
    until(stopped).await;
    // Nothing is waited for but the time itself, so it always runs out.
    let _ = tokio::time::timeout(GRACE, std::future::pending::<()>()).await;
}

/// EC2, SQS and the runner table.
pub(super) fn aws(shared: Arc<Shared>) -> Router {
    Router::new().fallback(answer_aws).with_state(shared)
}

/// GitHub.
pub(super) fn github(shared: Arc<Shared>) -> Router {
    Router::new().fallback(answer_github).with_state(shared)
}

/// The metadata service of an instance.
pub(super) fn imds(shared: Arc<Shared>, id: InstanceId) -> Answers {
    Arc::new(move |request| {
        shared.with(|world, now| {
            let faults = &world.imds_mut(&id).faults;
            let (hangs, delivery) = (faults.hang, faults.delivery);
            // Silent as long as the host is up; the client's patience is its own.
            (!hangs).then(|| (delivery, world.handle_imds(now, &id, request)))
        })
    })
}

async fn answer_aws(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let request = match whole(request).await {
        Ok(request) => request,
        Err(refusal) => return refusal,
    };
    let clock = shared.clock();
    let mut changed = shared.changed();
    let mut asked_at: Option<Timestamp> = None;
    loop {
        changed.borrow_and_update();
        let (now, reply) =
            shared.with(|world, now| (now, world.handle_aws(now, asked_at, &request)));
        let until_then = match reply {
            AwsReply::Ready(answer) => {
                shared.touched_by(&request);
                return sent(answer);
            }
            AwsReply::WaitUntil(at) => at,
        };
        asked_at.get_or_insert(now);
        tokio::select! {
            () = clock.sleep_until(until_then) => {}
            // An error means that the server is gone; then the next branch ends this.
            _ = changed.changed() => {}
            () = until(shared.stopped()) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        }
    }
}

async fn answer_github(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    match whole(request).await {
        Ok(request) => sent(shared.with(|world, now| world.handle_github(now, &request))),
        Err(refusal) => refusal,
    }
}

impl Shared {
    /// Wakes long polls when a request may have put a message into a queue or shown it again.
    fn touched_by(&self, request: &http::Request<Vec<u8>>) {
        let target = request.headers().get("x-amz-target");
        let receives = target.is_some_and(|target| target.as_bytes().ends_with(b".ReceiveMessage"));
        if is_for_sqs(request) && !receives {
            self.touch();
        }
    }
}

async fn whole(request: Request) -> Result<http::Request<Vec<u8>>, Response> {
    let (head, body) = request.into_parts();
    match to_bytes(body, LARGEST_BODY).await {
        Ok(body) => Ok(http::Request::from_parts(head, body.to_vec())),
        Err(_) => Err(StatusCode::PAYLOAD_TOO_LARGE.into_response()),
    }
}

fn sent(answer: http::Response<Vec<u8>>) -> Response {
    answer.map(Body::from)
}
