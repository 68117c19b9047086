//! Signed calls of AWS over TLS: one POST, one answer.
//!
//! Not the SDKs' clients, because two calls would cost minutes of compilation and twice the memory.
//! What an answer means is decided where the call is made.
//!
//! AWS refuses what was signed more than five minutes away from its own time. A machine's time of day
//! may be wrong by more than that (a job with `sudo` can set it), so a refusal's `Date` corrects the
//! time of the calls that follow.
//!
//! Authorities that cannot be read make calls fail, and nothing else: they are read again by the next call.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use http::header::{DATE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use jiff::fmt::rfc2822;

use crate::credentials::RoleCredentials;
use crate::http_body;
use crate::tls::{self, TlsError};

/// How far the two times of day must be apart for AWS's to count: well within what it tolerates, and
/// far more than an answer takes.
const WRONG_BY_SECONDS: i64 = 120;

type HttpsClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Sends signed calls.
#[derive(Debug, Clone)]
pub(crate) struct SignedClient {
    ca_bundle: Option<PathBuf>,
    client: Arc<OnceLock<HttpsClient>>,
    /// How many seconds AWS's time is ahead of the machine's.
    ahead: Arc<AtomicI64>,
}

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
    /// Trusts the authorities of the file, or else those that are built in.
    pub(crate) fn new(ca_bundle: Option<&Path>) -> Self {
        Self {
            ca_bundle: ca_bundle.map(Path::to_owned),
            client: Arc::default(),
            ahead: Arc::default(),
        }
    }

    /// Reads the authorities, if they have not been read yet.
    pub(crate) fn client(&self) -> Result<&HttpsClient, TlsError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls::config(self.ca_bundle.as_deref())?)
            .https_or_http()
            .enable_http1()
            .build();
        // Calls are rare: an idle connection would only have died by the next one.
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build(connector);
        Ok(self.client.get_or_init(|| client))
    }

    /// The status and the body of the answer.
    pub(crate) async fn post(
        &self,
        mut call: SignedCall<'_>,
    ) -> Result<(u16, Vec<u8>), CallFailure> {
        let client = self.client();
        let client = client.map_err(|error| CallFailure::Transport(error.to_string()))?;
        let machine_time = call.signed_at;
        call.signed_at = moved(machine_time, self.ahead.load(Ordering::Relaxed));
        let response = client.request(request(call)?).await;
        let response =
            response.map_err(|error| CallFailure::Transport(http_body::chain(&error)))?;
        let status = response.status().as_u16();
        if response.status().is_client_error() {
            let ahead = ahead_of(machine_time, response.headers());
            self.ahead.store(ahead, Ordering::Relaxed);
        }
        let body = http_body::read(response.into_body()).await;
        Ok((status, body.map_err(CallFailure::Transport)?))
    }
}

/// How many seconds the time of an answer is ahead of the machine's; none where they agree, or where
/// the answer has no time.
fn ahead_of(machine_time: SystemTime, headers: &HeaderMap) -> i64 {
    let date = headers.get(DATE).and_then(|date| date.to_str().ok());
    let date = date.and_then(|text| rfc2822::DateTimeParser::new().parse_timestamp(text).ok());
    let machine_time = Timestamp::try_from(machine_time).ok();
    let ahead = date.zip(machine_time);
    ahead
        .map(|(date, machine_time)| date.as_second() - machine_time.as_second())
        .filter(|ahead| ahead.abs() > WRONG_BY_SECONDS)
        .unwrap_or_default()
}

fn moved(time: SystemTime, seconds: i64) -> SystemTime {
    let by = Duration::from_secs(seconds.unsigned_abs());
    let moved = match seconds < 0 {
        true => time.checked_sub(by),
        false => time.checked_add(by),
    };
    moved.unwrap_or(time)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusals_time_counts_where_the_machines_is_far_away() {
        let ahead = |machine: &str, date: &'static str| {
            let machine_time: Timestamp = machine.parse().expect("a time");
            let headers = HeaderMap::from_iter([(DATE, HeaderValue::from_static(date))]);
            ahead_of(machine_time.into(), &headers)
        };
        let date = "Thu, 01 Jan 2026 12:00:00 GMT";
        assert_eq!(ahead("2026-01-01T11:00:00Z", date), 3600);
        assert_eq!(ahead("2026-01-01T13:00:00Z", date), -3600);
        assert_eq!(ahead("2026-01-01T11:58:30Z", date), 0);
        assert_eq!(ahead("2026-01-01T11:00:00Z", "noon"), 0);
        assert_eq!(ahead_of(SystemTime::UNIX_EPOCH, &HeaderMap::new()), 0);
    }

    #[test]
    fn a_time_is_moved_both_ways_and_never_out_of_its_range() {
        let hour = Duration::from_secs(3600);
        let day = SystemTime::UNIX_EPOCH + hour * 24;
        assert_eq!(moved(day, 3600), day + hour);
        assert_eq!(moved(day, -3600), day - hour);
        assert_eq!(moved(day, i64::MAX), day);
    }
}
