//! The operator's API: what `reprise explain` and `reprise retries` ask, as docs/operator.md says.
//!
//! It is served on an address of its own and only to who has the token. What it answers is
//! [`crate::operator`]'s.

use std::sync::Arc;

use axum::extract::{Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use reprise_engine::run::NotPossible;
use reprise_model::ids::{JobId, Repository, RunId};
use reprise_model::view::{Problem, RetryFilter, RetryList, Subject};
use reprise_store::StoreError;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use tracing::{info, warn};

use crate::clock::Clock;
use crate::context::Controller;
use crate::logging::chain;
use crate::operator::{Operator, Trouble, Wish};
use crate::ports::Ports;

/// The routes, for who has the token.
pub fn routes<P: Ports>(controller: Arc<Controller<P>>, token: SecretString) -> Router {
    Router::new()
        .route("/api/v1/retries", get(list::<P>))
        .route("/api/v1/runs/{owner}/{name}/{run}", get(explain::<P>))
        .route(
            "/api/v1/runs/{owner}/{name}/{run}/requeue",
            post(requeue::<P>),
        )
        .route(
            "/api/v1/runs/{owner}/{name}/{run}/dismiss",
            post(dismiss::<P>),
        )
        .fallback(async || Refused::new(StatusCode::NOT_FOUND, NO_SUCH_PLACE))
        .with_state(controller)
        .layer(from_fn_with_state(Arc::new(token), only_with_token))
}

const NO_SUCH_PLACE: &str =
    "there is no such place here; docs/operator.md names those that there are";

const NO_TOKEN: &str = "the request has no token; send the header Authorization: Bearer TOKEN, with \
                        what api.token_file of the controller's configuration holds";

const WRONG_TOKEN: &str = "the token is not the controller's; it is what api.token_file of its \
                           configuration holds";

/// What follows the resource in an address.
type Parameters = Query<Vec<(String, String)>>;

/// A run's address.
type RunPath = Path<(String, String, String)>;

async fn only_with_token(
    State(token): State<Arc<SecretString>>,
    request: Request,
    next: Next,
) -> Response {
    let header = request.headers().get(header::AUTHORIZATION);
    let given = header.and_then(|header| header.to_str().ok());
    match given.and_then(|header| header.strip_prefix("Bearer ")) {
        None => Refused::new(StatusCode::UNAUTHORIZED, NO_TOKEN).into_response(),
        Some(given) if is_same(&token, given) => next.run(request).await,
        Some(_) => {
            warn!("somebody asked the operator's API with a wrong token");
            Refused::new(StatusCode::UNAUTHORIZED, WRONG_TOKEN).into_response()
        }
    }
}

/// It takes the same time wherever the difference is: what is compared is a digest that nobody who does
/// not have the token can know.
fn is_same(token: &SecretString, given: &str) -> bool {
    let keyed = |text: &[u8]| {
        Hmac::<Sha256>::new_from_slice(token.expose_secret().as_bytes())
            .map(|mac| mac.chain_update(text))
            .ok()
    };
    let right = keyed(token.expose_secret().as_bytes());
    let digest = right.map(|mac| mac.finalize().into_bytes());
    match (keyed(given.as_bytes()), digest) {
        (Some(mac), Some(digest)) => mac.verify_slice(&digest).is_ok(),
        (_, _) => false,
    }
}

async fn list<P: Ports>(
    State(controller): State<Arc<Controller<P>>>,
    Query(parameters): Parameters,
) -> Result<Response, Refused> {
    let now = controller.clock.now();
    let filter = filter(&parameters, now)?;
    let found = operator(&controller).list(&filter, now).await?;
    Ok(Json(found).into_response())
}

async fn explain<P: Ports>(
    State(controller): State<Arc<Controller<P>>>,
    path: RunPath,
    Query(parameters): Parameters,
) -> Result<Response, Refused> {
    let subject = subject(path, &parameters)?;
    let now = controller.clock.now();
    let told = operator(&controller).explain(&subject, now).await?;
    Ok(Json(told).into_response())
}

async fn requeue<P: Ports>(
    State(controller): State<Arc<Controller<P>>>,
    path: RunPath,
    Query(parameters): Parameters,
) -> Result<Response, Refused> {
    wish(&controller, Wish::Requeue, path, &parameters).await
}

async fn dismiss<P: Ports>(
    State(controller): State<Arc<Controller<P>>>,
    path: RunPath,
    Query(parameters): Parameters,
) -> Result<Response, Refused> {
    wish(&controller, Wish::Dismiss, path, &parameters).await
}

async fn wish<P: Ports>(
    controller: &Controller<P>,
    wish: Wish,
    path: RunPath,
    parameters: &[(String, String)],
) -> Result<Response, Refused> {
    let subject = subject(path, parameters)?;
    let now = controller.clock.now();
    let retries = operator(controller).wish(wish, &subject, now).await?;
    controller.due.notify_one();
    for job in &retries {
        info!(
            target: "reprise::decision",
            decision = match wish {
                Wish::Requeue => "requeued",
                Wish::Dismiss => "dismissed",
            },
            reason = "operator",
            repository = %job.repository,
            run.id = %job.run,
            job.id = %job.job,
            job.name,
            "an operator decided about a job"
        );
    }
    let list = RetryList {
        retries,
        ..RetryList::default()
    };
    Ok(Json(list).into_response())
}

fn operator<P: Ports>(controller: &Controller<P>) -> Operator<'_, P::Store> {
    Operator::new(&controller.store, Some(&controller.settings))
}

fn subject(
    Path((owner, name, run)): RunPath,
    parameters: &[(String, String)],
) -> Result<Subject, Refused> {
    let mut job = None;
    for (key, value) in parameters {
        match key.as_str() {
            "job" => job = Some(number(value, "job")?),
            other => return Err(unknown_parameter(other, "job")),
        }
    }
    Ok(Subject {
        repository: repository(&format!("{owner}/{name}"))?,
        run: RunId(number(&run, "the run")?),
        job: job.map(JobId),
    })
}

/// States may be named several times.
fn filter(parameters: &[(String, String)], now: Timestamp) -> Result<RetryFilter, Refused> {
    let mut filter = RetryFilter::default();
    for (key, value) in parameters {
        match key.as_str() {
            "state" => filter.states.push(value.parse().map_err(Refused::bad)?),
            "repository" => filter.repository = Some(repository(value)?),
            "since" => filter.since = Some(since(value, now)?),
            other => return Err(unknown_parameter(other, "state, repository and since")),
        }
    }
    Ok(filter)
}

fn repository(text: &str) -> Result<Repository, Refused> {
    text.parse().map_err(Refused::bad)
}

fn number(text: &str, what: &str) -> Result<u64, Refused> {
    let number = text.parse();
    number.map_err(|_| {
        Refused::bad(format!(
            "{what} is {text:?}, which is no id; it is a number"
        ))
    })
}

/// A time, or how long ago.
fn since(text: &str, now: Timestamp) -> Result<Timestamp, Refused> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let ago: SignedDuration = text.parse().map_err(|_| {
        Refused::bad(format!(
            "since is {text:?}; write how long ago, as 2h, or a time, as 2026-03-01T10:00:00Z"
        ))
    })?;
    Ok(now.checked_sub(ago).unwrap_or(Timestamp::MIN))
}

fn unknown_parameter(name: &str, known: &str) -> Refused {
    Refused::bad(format!(
        "there is no parameter {name:?} here; known: {known}"
    ))
}

/// An answer that says what is wrong, and what to do.
#[derive(Debug)]
struct Refused {
    status: StatusCode,
    error: String,
}

impl Refused {
    fn new(status: StatusCode, error: impl ToString) -> Self {
        Self {
            status,
            error: error.to_string(),
        }
    }

    fn bad(error: impl ToString) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let problem = Problem { error: self.error };
        (self.status, Json(problem)).into_response()
    }
}

impl From<Trouble> for Refused {
    fn from(trouble: Trouble) -> Self {
        let status = match &trouble {
            Trouble::NotServed(_) => StatusCode::FORBIDDEN,
            Trouble::UnknownRun(_) | Trouble::UnknownJob { .. } => StatusCode::NOT_FOUND,
            Trouble::NotPossible {
                why: NotPossible::Unknown,
                ..
            } => StatusCode::NOT_FOUND,
            Trouble::NoneExhausted(_) | Trouble::NotPossible { .. } => StatusCode::CONFLICT,
            Trouble::Store(StoreError::Conflict { .. }) => StatusCode::CONFLICT,
            Trouble::Store(
                StoreError::NewerRecord { .. }
                | StoreError::Damaged { .. }
                | StoreError::Backend { .. },
            ) => StatusCode::SERVICE_UNAVAILABLE,
        };
        if status == StatusCode::SERVICE_UNAVAILABLE {
            warn!(error = %chain(&trouble), "the ledger failed an operator");
        }
        Self::new(status, chain(&trouble))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-03-01T12:00:00Z".parse().expect("a time")
    }

    fn given(parameters: &[(&str, &str)]) -> Result<RetryFilter, Refused> {
        let owned: Vec<(String, String)> = parameters
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        filter(&owned, now())
    }

    #[test]
    fn a_token_is_the_same_or_it_is_not() {
        let token = SecretString::from("fake-token-0123456789");
        assert!(is_same(&token, "fake-token-0123456789"));
        for wrong in [
            "",
            "fake-token-012345678",
            "fake-token-0123456789 ",
            "Fake-token-0123456789",
        ] {
            assert!(!is_same(&token, wrong), "{wrong:?}");
        }
    }

    #[test]
    fn a_list_may_be_narrowed_by_state_repository_and_age() {
        let told = given(&[
            ("state", "exhausted"),
            ("state", "due"),
            ("repository", "acme/shop"),
            ("since", "2h"),
        ]);
        let told = told.expect("good");
        assert_eq!(told.states.len(), 2);
        assert_eq!(told.since, "2026-03-01T10:00:00Z".parse().ok());
        let at = given(&[("since", "2026-02-01T00:00:00Z")]).expect("good");
        assert_eq!(at.since, "2026-02-01T00:00:00Z".parse().ok());
    }

    #[test]
    fn what_is_no_filter_is_told_with_what_would_be_one() {
        for (parameter, words) in [
            (("state", "lost"), "known are awaiting"),
            (("repository", "shop"), "shop"),
            (("since", "yesterday"), "as 2h"),
            (("repo", "acme/shop"), "known: state, repository and since"),
        ] {
            let refused = given(&[parameter]).expect_err("bad");
            assert_eq!(refused.status, StatusCode::BAD_REQUEST);
            assert!(refused.error.contains(words), "{}", refused.error);
        }
    }
}
