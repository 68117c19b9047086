//! HTTP to GitHub: one request, one answer, a time limit.
//!
//! The client is put together here rather than taken from octocrab's defaults, which repeat every
//! request (mutations too) up to three times, log each 5xx as an error, and always send their own
//! User-Agent. Requests carry relative URIs: octocrab puts no Authorization on absolute ones, and
//! the base URI's path prefix is added below it.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use octocrab::models::InstallationId as OctocrabInstallationId;
use octocrab::service::middleware::base_uri::BaseUriLayer;
use octocrab::service::middleware::extra_headers::ExtraHeadersLayer;
use octocrab::{AuthState, OctoBody, Octocrab, OctocrabBuilder};
use reprise_model::ids::InstallationId;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{GitHubError, Rejection};
use crate::installation::Access;
use crate::job_log::Links;
use crate::limits::RateBudget;
use crate::settings::Settings;

/// What every request is sent as.
pub(crate) const USER_AGENT_NAME: &str = concat!("reprise/", env!("CARGO_PKG_VERSION"));

/// The connections, and the App's own credentials.
pub(crate) struct Transport {
    app: Octocrab,
    app_id: u64,
    base: Uri,
    links: Links,
    limit: Duration,
    rate: Mutex<RateBudget>,
}

/// A complete answer, whatever its status.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Transport {
    pub(crate) fn new(settings: &Settings) -> Result<Self, GitHubError> {
        let base = settings.base()?;
        let credentials = settings.app()?;
        Ok(Self {
            app: octocrab(&base, AuthState::App(credentials))?,
            app_id: settings.app_id,
            base,
            links: Links::new(connector()?),
            limit: settings.request_timeout,
            rate: Mutex::default(),
        })
    }

    pub(crate) fn app_id(&self) -> u64 {
        self.app_id
    }

    pub(crate) fn base(&self) -> &Uri {
        &self.base
    }

    /// The client for links that lead elsewhere.
    pub(crate) fn links(&self) -> &Links {
        &self.links
    }

    pub(crate) fn rate(&self) -> RateBudget {
        *self.rate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An octocrab that speaks for an installation. It caches the token that it asks for and renews
    /// it half a minute before its end, but a **clone has a cache of its own**.
    pub(crate) fn installation(&self, id: InstallationId) -> Result<Octocrab, GitHubError> {
        let id = OctocrabInstallationId(id.0);
        self.app
            .installation(id)
            .map_err(|error| from_octocrab("speak for an installation", error))
    }

    /// A GET as the App itself, authorised by a JWT.
    pub(crate) async fn get_as_app(
        &self,
        operation: &str,
        path: &str,
    ) -> Result<Answer, GitHubError> {
        let request = request(operation, Method::GET, path, None, OctoBody::empty())?;
        let answer = Box::pin(self.app.execute(request));
        self.complete(operation, answer).await
    }

    /// A POST without a body as the App itself. octocrab repeats nothing that the App asks for.
    pub(crate) async fn post_as_app(
        &self,
        operation: &str,
        path: &str,
    ) -> Result<Answer, GitHubError> {
        let request = request(operation, Method::POST, path, None, OctoBody::empty())?;
        let answer = self.app.execute(request);
        self.complete(operation, answer).await
    }

    /// A GET as an installation.
    pub(crate) async fn get(
        &self,
        operation: &str,
        path: &str,
        access: &Access,
    ) -> Result<Answer, GitHubError> {
        let body = OctoBody::empty();
        let request = request(operation, Method::GET, path, Some(&access.token), body)?;
        self.as_installation(operation, request, access).await
    }

    /// A POST as an installation. `send` hands the request straight to the connection; `execute`
    /// would repeat it after a 401.
    pub(crate) async fn post(
        &self,
        operation: &str,
        path: &str,
        access: &Access,
        body: &impl Serialize,
    ) -> Result<Answer, GitHubError> {
        let body = json(operation, body)?;
        let request = request(operation, Method::POST, path, Some(&access.token), body)?;
        self.as_installation(operation, request, access).await
    }

    /// A PATCH as an installation, sent once like a POST.
    pub(crate) async fn patch(
        &self,
        operation: &str,
        path: &str,
        access: &Access,
        body: &impl Serialize,
    ) -> Result<Answer, GitHubError> {
        let body = json(operation, body)?;
        let request = request(operation, Method::PATCH, path, Some(&access.token), body)?;
        self.as_installation(operation, request, access).await
    }

    /// A DELETE as an installation.
    pub(crate) async fn delete(
        &self,
        operation: &str,
        path: &str,
        access: &Access,
    ) -> Result<Answer, GitHubError> {
        let body = OctoBody::empty();
        let request = request(operation, Method::DELETE, path, Some(&access.token), body)?;
        self.as_installation(operation, request, access).await
    }

    /// Waits for `future` as long as one call may take.
    pub(crate) async fn within_limit<T>(
        &self,
        operation: &str,
        future: impl Future<Output = Result<T, GitHubError>>,
    ) -> Result<T, GitHubError> {
        match tokio::time::timeout(self.limit, future).await {
            Ok(result) => result,
            Err(_) => Err(GitHubError::TimedOut {
                operation: operation.to_owned(),
                limit: self.limit,
            }),
        }
    }

    /// Where a redirect leads, when it stays with this GitHub: a token goes nowhere else.
    pub(crate) fn redirect(&self, answer: &Answer) -> Option<String> {
        if !answer.status.is_redirection() {
            return None;
        }
        let target: Uri = answer.headers.get(LOCATION)?.to_str().ok()?.parse().ok()?;
        let relative = target.authority().is_none();
        let ours =
            target.authority() == self.base.authority() && target.scheme() == self.base.scheme();
        let path = target.path_and_query()?;
        (relative || ours).then(|| path.as_str().to_owned())
    }

    async fn as_installation(
        &self,
        operation: &str,
        request: Request<OctoBody>,
        access: &Access,
    ) -> Result<Answer, GitHubError> {
        let answer = Box::pin(self.app.send(request));
        let answer = self.complete(operation, answer).await?;
        if let Some(seen) = RateBudget::from_headers(&answer.headers) {
            access.told(seen);
            *self.rate.lock().unwrap_or_else(PoisonError::into_inner) = seen;
        }
        Ok(answer)
    }

    /// Its callers put the response in a box: it is large, every caller's future would be larger by
    /// it, and without optimisation a thread's stack was too small for a sweep that asks GitHub.
    async fn complete<B>(
        &self,
        operation: &str,
        response: impl Future<Output = octocrab::Result<http::Response<B>>>,
    ) -> Result<Answer, GitHubError>
    where
        B: BodyExt,
        octocrab::Error: From<B::Error>,
    {
        let answer = async {
            let (head, body) = response.await?.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok((head, body))
        };
        let answer = async {
            answer
                .await
                .map_err(|error: octocrab::Error| from_octocrab(operation, error))
        };
        let (head, body) = self.within_limit(operation, answer).await?;
        tracing::debug!(
            http.status = head.status.as_u16(),
            operation,
            "GitHub answered"
        );
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body: body.to_vec(),
        })
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("app_id", &self.app_id)
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

impl Answer {
    /// The body of a success.
    pub(crate) fn parse<T: DeserializeOwned>(&self, operation: &str) -> Result<T, GitHubError> {
        if !self.status.is_success() {
            return Err(GitHubError::Rejected {
                operation: operation.to_owned(),
                rejection: self.rejection(),
            });
        }
        serde_json::from_slice(&self.body).map_err(|error| GitHubError::Unparsable {
            operation: operation.to_owned(),
            problem: error.to_string(),
        })
    }

    pub(crate) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn rejection(&self) -> Rejection {
        Rejection::from_answer(self.status, &self.headers, &self.body)
    }
}

/// Sorts octocrab's errors. The words of those that quote an answer stay behind: the only answers
/// that octocrab reads for us are those with tokens.
pub(crate) fn from_octocrab(operation: &str, error: octocrab::Error) -> GitHubError {
    let operation = operation.to_owned();
    if let octocrab::Error::GitHub { source, .. } = error {
        let headers = source.headers.unwrap_or_default();
        let rejection = Rejection::new(source.status_code, &headers, Some(source.message));
        return GitHubError::Rejected {
            operation,
            rejection,
        };
    }
    if let octocrab::Error::Service { source, .. } = error {
        return GitHubError::Broken { operation, source };
    }
    if let octocrab::Error::Hyper { source, .. } = error {
        let source = Box::new(source);
        return GitHubError::Broken { operation, source };
    }
    GitHubError::Unparsable {
        operation,
        problem: "it is not what GitHub's documentation describes".to_owned(),
    }
}

fn octocrab(base: &Uri, credentials: AuthState) -> Result<Octocrab, GitHubError> {
    // octocrab starts a task, and panics where there is nothing to run it.
    if tokio::runtime::Handle::try_current().is_err() {
        return Err(settings_problem("a tokio runtime must be running"));
    }
    // hyper takes another connection for a request when the one it had from the pool turns out to
    // be closed before the first byte was written. That repeats nothing, so it stays on.
    let client = Client::builder(TokioExecutor::new()).build::<_, OctoBody>(connector()?);
    let Ok(octocrab) = OctocrabBuilder::new_empty()
        .with_service(client)
        .with_layer(&ExtraHeadersLayer::new(Arc::new(headers())))
        .with_layer(&BaseUriLayer::new(base.clone()))
        .with_auth(credentials)
        .build();
    Ok(octocrab)
}

fn connector() -> Result<HttpsConnector<HttpConnector>, GitHubError> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let connector = HttpsConnectorBuilder::new()
        .with_provider_and_webpki_roots(provider)
        .map_err(settings_problem)?;
    Ok(connector.https_or_http().enable_http1().build())
}

fn settings_problem(problem: impl fmt::Display) -> GitHubError {
    GitHubError::Settings {
        problem: problem.to_string(),
    }
}

/// What every request carries, those that octocrab makes by itself included.
fn headers() -> Vec<(HeaderName, HeaderValue)> {
    vec![
        (USER_AGENT, HeaderValue::from_static(USER_AGENT_NAME)),
        (
            ACCEPT,
            HeaderValue::from_static("application/vnd.github+json"),
        ),
        (
            HeaderName::from_static("x-github-api-version"),
            HeaderValue::from_static("2022-11-28"),
        ),
    ]
}

fn json(operation: &str, body: &impl Serialize) -> Result<OctoBody, GitHubError> {
    let body = serde_json::to_string(body).map_err(|error| GitHubError::Unparsable {
        operation: operation.to_owned(),
        problem: error.to_string(),
    })?;
    Ok(OctoBody::from(body))
}

fn request(
    operation: &str,
    method: Method,
    path: &str,
    token: Option<&SecretString>,
    body: OctoBody,
) -> Result<Request<OctoBody>, GitHubError> {
    let unsendable = |_| GitHubError::Unparsable {
        operation: operation.to_owned(),
        problem: "it gave a path or a token that cannot be sent back".to_owned(),
    };
    let mut builder = Request::builder().method(&method).uri(path);
    if method == Method::POST || method == Method::PATCH {
        builder = builder.header(CONTENT_TYPE, "application/json");
    }
    if let Some(token) = token {
        let text = format!("Bearer {}", token.expose_secret());
        let mut value = HeaderValue::try_from(text).map_err(|error| unsendable(error.into()))?;
        value.set_sensitive(true);
        builder = builder.header(AUTHORIZATION, value);
    }
    builder.body(body).map_err(unsendable)
}
