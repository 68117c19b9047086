//! Signed calls of AWS over TLS: one POST, one answer.
//!
//! Not the SDKs' clients, because two calls would cost minutes of compilation and twice the memory.
//! What an answer means is decided where the call is made.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use http::header::{HeaderName, HeaderValue};
use http::{Method, Request};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::credentials::RoleCredentials;
use crate::http_body;

/// Sends signed calls.
#[derive(Debug, Clone)]
pub(crate) struct SignedClient(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

/// One call.
#[derive(Debug)]
pub(crate) struct SignedCall<'a> {
    /// Where to.
    pub(crate) url: &'a str,
    /// The service's name in signatures.
    pub(crate) service: &'static str,
    /// The region's.
    pub(crate) region: &'a str,
    /// Headers, which are signed too.
    pub(crate) headers: &'a [(&'static str, &'a str)],
    /// The body.
    pub(crate) body: String,
    /// Who calls.
    pub(crate) credentials: &'a RoleCredentials,
    /// The true time of day.
    pub(crate) signed_at: SystemTime,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CallFailure {
    /// The call cannot be put together.
    Unsendable(String),
    /// Refused, reset, no name, no TLS.
    Transport(String),
}

impl SignedClient {
    /// The TLS provider is named, because a program that links a second one beside it (as the
    /// command line does) has no default.
    pub(crate) fn new() -> Result<Self, rustls::Error> {
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())?
            .https_or_http()
            .enable_http1()
            .build();
        // Calls are rare: an idle connection would only have died by the next one.
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build(connector);
        Ok(Self(client))
    }

    /// The status and the body of the answer.
    pub(crate) async fn post(&self, call: SignedCall<'_>) -> Result<(u16, Vec<u8>), CallFailure> {
        let request = request(call)?;
        let response = self.0.request(request).await;
        let response =
            response.map_err(|error| CallFailure::Transport(http_body::chain(&error)))?;
        let status = response.status().as_u16();
        let body = http_body::read(response.into_body()).await;
        Ok((status, body.map_err(CallFailure::Transport)?))
    }
}

/// The call as a signed request.
pub(crate) fn request(call: SignedCall<'_>) -> Result<Request<Full<Bytes>>, CallFailure> {
    let signed = signature(&call)?;
    let mut request = Request::builder().method(Method::POST).uri(call.url);
    for (name, value) in call.headers {
        request = request.header(*name, *value);
    }
    let mut request = request
        .body(Full::new(Bytes::from(call.body)))
        .map_err(|error| unsendable(&error))?;
    request.headers_mut().extend(signed);
    Ok(request)
}

/// The headers that sign a call: authorization, date and session token.
fn signature(call: &SignedCall<'_>) -> Result<Vec<(HeaderName, HeaderValue)>, CallFailure> {
    let held = call.credentials;
    let identity = Credentials::new(
        &held.access_key_id,
        &held.secret_access_key,
        Some(held.session_token.clone()),
        Some(held.expires_at),
        "instance-metadata",
    )
    .into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(call.region)
        .name(call.service)
        .time(call.signed_at)
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| unsendable(&error))?
        .into();
    let headers = call.headers.iter().copied();
    let body = SignableBody::Bytes(call.body.as_bytes());
    let signable = SignableRequest::new("POST", call.url, headers, body)
        .map_err(|error| unsendable(&error))?;
    let (instructions, _) = sign(signable, &parameters)
        .map_err(|error| unsendable(&error))?
        .into_parts();
    // Not by the crate's own `apply`, which panics on a value that is no header value.
    instructions
        .headers()
        .map(|(name, value)| header(name, value))
        .collect()
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), CallFailure> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| unsendable(&error))?;
    let mut value = HeaderValue::from_str(value).map_err(|error| unsendable(&error))?;
    value.set_sensitive(true);
    Ok((name, value))
}

fn unsendable(error: &dyn std::error::Error) -> CallFailure {
    CallFailure::Unsendable(http_body::chain(error))
}
