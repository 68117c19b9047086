//! One POST over TLS: no redirects, no repeats, and no more of an answer than may be read.

use std::error::Error;

use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use reprise_model::advice::{LONGEST_ANSWER, NoAnswer, too_long};

use crate::AskError;

const JSON: &str = "application/json";

/// Sends questions.
#[derive(Debug)]
pub(crate) struct Client(HyperClient<HttpsConnector<HttpConnector>, Full<Bytes>>);

/// What came back with 200.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Client {
    /// Plain HTTP is left to the configuration, which allows it to this machine alone. The TLS provider is
    /// named, because a program that links a second one beside it has no default.
    pub(crate) fn new() -> Result<Self, AskError> {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(provider)?
            .https_or_http()
            .enable_http1()
            .build();
        // Questions are rare: an idle connection would only have died by the next one, and a request on a
        // dead one may have arrived.
        let client = HyperClient::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build(connector);
        Ok(Self(client))
    }

    pub(crate) async fn post(&self, request: Request<Full<Bytes>>) -> Result<Heard, NoAnswer> {
        let response = self.0.request(request).await;
        let (head, body) = response.map_err(|error| unreachable(&error))?.into_parts();
        if head.status != StatusCode::OK {
            return Err(NoAnswer::BadStatus {
                status: head.status.as_u16(),
            });
        }
        let read = Limited::new(body, LONGEST_ANSWER).collect().await;
        let body = read.map_err(|error| match error.downcast_ref::<LengthLimitError>() {
            Some(_) => too_long(),
            None => unreachable(error.as_ref()),
        })?;
        Ok(Heard {
            headers: head.headers,
            body: body.to_bytes(),
        })
    }
}

/// A question with the headers that sign it.
pub(crate) fn request(
    url: &Uri,
    signed: Vec<(String, String)>,
    body: Vec<u8>,
) -> Result<Request<Full<Bytes>>, NoAnswer> {
    let mut request = Request::new(Full::new(Bytes::from(body)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = url.clone();
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    headers.insert(ACCEPT, HeaderValue::from_static(JSON));
    headers.insert(USER_AGENT, HeaderValue::from_static("reprise"));
    for (name, value) in signed {
        let name = HeaderName::try_from(name).map_err(|error| unreachable(&error))?;
        let mut value = HeaderValue::try_from(value).map_err(|error| unreachable(&error))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(request)
}

/// An error with what caused it: hyper's own words say only what was being done.
pub(crate) fn unreachable(error: &(dyn Error + 'static)) -> NoAnswer {
    let (mut words, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        words.push_str(": ");
        words.push_str(&error.to_string());
        cause = error.source();
    }
    NoAnswer::unreachable(&words)
}
