//! The controller's API, as the command line asks it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use http::header::AUTHORIZATION;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use reprise_controller::operator::Wish;
use reprise_model::view::{Explanation, Problem, RetryList, RetryView, Subject};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;

use super::Asked;

/// The variable that holds the token itself.
const TOKEN: &str = "REPRISE_OPERATOR_TOKEN";

/// The controller reads up to a thousand records for one answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A thousand runs with some jobs each are a few megabytes.
const MOST_BYTES: usize = 64 << 20;

/// Who asks the API.
pub(super) struct Client {
    http: hyper_util::client::legacy::Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    url: String,
    token: SecretString,
}

impl Client {
    pub(super) fn new(url: &str, token_file: Option<&Path>) -> Result<Self> {
        is_safe(url)?;
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
            .context("failed to set up TLS")?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self {
            http: hyper_util::client::legacy::Client::builder(TokioExecutor::new())
                .build(connector),
            url: url.trim_end_matches('/').to_owned(),
            token: token(token_file)?,
        })
    }

    pub(super) async fn list(&self, asked: &Asked) -> Result<RetryList> {
        let mut parameters: Vec<(&str, String)> = Vec::new();
        parameters.extend(
            asked
                .states
                .iter()
                .map(|state| ("state", state.to_string())),
        );
        let repository = asked.repository.as_ref().map(ToString::to_string);
        parameters.extend(repository.map(|one| ("repository", one)));
        parameters.extend(asked.since.map(|since| ("since", format!("{since:#}"))));
        let query = serde_urlencoded::to_string(parameters).context("failed to write a query")?;
        self.ask(Method::GET, &format!("/api/v1/retries?{query}"))
            .await
    }

    pub(super) async fn explain(&self, subject: &Subject) -> Result<Explanation> {
        self.ask(Method::GET, &path(subject, "")).await
    }

    pub(super) async fn wish(&self, wish: Wish, subject: &Subject) -> Result<Vec<RetryView>> {
        let what = match wish {
            Wish::Requeue => "/requeue",
            Wish::Dismiss => "/dismiss",
        };
        let list: RetryList = self.ask(Method::POST, &path(subject, what)).await?;
        Ok(list.retries)
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str) -> Result<T> {
        let url = format!("{}{path}", self.url);
        let answer = tokio::time::timeout(PATIENCE, self.answer(method, &url)).await;
        let (status, body) =
            answer.map_err(|_| anyhow!("{} did not answer in time", self.url))??;
        if status.is_success() {
            return serde_json::from_slice(&body).with_context(|| {
                format!("failed to read the answer of {}: is it the API?", self.url)
            });
        }
        match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => bail!(problem.error),
            Err(_) => bail!(
                "{} answered {status} and is no API of this controller; see --api and api.listen",
                self.url
            ),
        }
    }

    async fn answer(&self, method: Method, url: &str) -> Result<(StatusCode, Bytes)> {
        let request = Request::builder()
            .method(method)
            .uri(url)
            .header(
                AUTHORIZATION,
                format!("Bearer {}", self.token.expose_secret()),
            )
            .body(Empty::new())
            .context("failed to write the request")?;
        let answer = self.http.request(request).await.with_context(|| {
            format!(
                "failed to ask the controller at {}; see that it runs and has an api.token, or name \
                 its ledger by --config or --ledger",
                self.url
            )
        })?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MOST_BYTES).collect().await;
        let body = body.map_err(|error| anyhow!("failed to read the answer: {error}"))?;
        Ok((status, body.to_bytes()))
    }
}

fn path(subject: &Subject, what: &str) -> String {
    let query = subject
        .job
        .map_or_else(String::new, |job| format!("?job={job}"));
    format!(
        "/api/v1/runs/{}/{}{what}{query}",
        subject.repository, subject.run
    )
}

/// The token travels with each question: in the clear only to this machine itself.
pub(super) fn is_safe(url: &str) -> Result<()> {
    let uri: Uri = url
        .parse()
        .ok()
        .with_context(|| format!("--api {url:?} is no URL; write http://127.0.0.1:9465"))?;
    let host = uri.host().unwrap_or_default();
    let is_own = ["localhost", "[::1]"].contains(&host) || host.starts_with("127.");
    match uri.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if is_own => Ok(()),
        Some("http") => bail!(
            "the token would travel to {host} for everybody to read; use https, or forward the port \
             (ssh -L 9465:127.0.0.1:9465 {host}) and ask http://127.0.0.1:9465"
        ),
        Some(_) | None => bail!("--api {url:?} is no URL; write http://127.0.0.1:9465"),
    }
}

fn token(file: Option<&Path>) -> Result<SecretString> {
    let text = match file {
        Some(file) => std::fs::read_to_string(file).with_context(|| {
            format!("failed to read the token in {}; see --token-file", file.display())
        })?,
        None => std::env::var(TOKEN).map_err(|_| {
            anyhow!(
                "the API wants a token: name the file that holds it by --token-file, or set {TOKEN}; \
                 or ask the ledger itself, by --config or --ledger"
            )
        })?,
    };
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        bail!("the token is empty, or holds what no header can; it is what api.token_file holds");
    }
    Ok(SecretString::from(token))
}
