//! The metadata service over HTTP.
//!
//! One connection a question: the real service closes each, and a connection that is never kept
//! can neither go stale nor leak. Exchange and connection are driven in the caller's own future, so
//! that a question that is dropped at its deadline takes its socket with it.

use http::header::{CONNECTION, DATE, HOST, HeaderMap, HeaderValue};
use http::{Method, Request, Uri};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use tokio::net::TcpStream;

use crate::endpoint::Endpoint;
use crate::http_body;
use crate::metadata::{Answer, Metadata, MetadataError, SessionToken};

const TOKEN_PATH: &str = "/latest/api/token";
const TOKEN_HEADER: &str = "x-aws-ec2-metadata-token";
const TTL_HEADER: &str = "x-aws-ec2-metadata-token-ttl-seconds";

/// Asks the service at an endpoint.
#[derive(Debug, Clone)]
pub struct HttpMetadata {
    endpoint: Endpoint,
}

impl HttpMetadata {
    /// Asks the service at `endpoint`, in plain HTTP.
    pub fn new(endpoint: Endpoint) -> Self {
        Self { endpoint }
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        header: (&'static str, &str),
    ) -> Result<Answer, MetadataError> {
        let (uri, request) = self.request(method, path, header)?;
        let stream = TcpStream::connect(address(&uri))
            .await
            .map_err(|error| transport(&error))?;
        exchange(stream, request).await
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        (name, value): (&'static str, &str),
    ) -> Result<(Uri, Request<Empty<Bytes>>), MetadataError> {
        let uri: Uri = self
            .endpoint
            .join(path)
            .parse()
            .map_err(|error| transport(&error))?;
        let mut value = HeaderValue::from_str(value).map_err(|error| transport(&error))?;
        value.set_sensitive(true);
        let authority = uri.authority().map_or("", |a| a.as_str());
        let target = uri.path_and_query().map_or("/", |p| p.as_str());
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header(HOST, authority)
            .header(CONNECTION, "close")
            .header(name, value)
            .body(Empty::new())
            .map_err(|error| transport(&error))?;
        Ok((uri, request))
    }
}

impl Metadata for HttpMetadata {
    async fn token(&self, ttl_seconds: u32) -> Result<SessionToken, MetadataError> {
        let ttl = ttl_seconds.to_string();
        let answer = self
            .ask(Method::PUT, TOKEN_PATH, (TTL_HEADER, &ttl))
            .await?;
        if answer.status != 200 {
            return Err(MetadataError::from_status(answer.status));
        }
        match String::from_utf8(answer.body) {
            Ok(token) if !token.trim().is_empty() => Ok(SessionToken::new(token.trim())),
            Ok(_) | Err(_) => Err(MetadataError::Transport(
                "the session token is empty or not text".to_owned(),
            )),
        }
    }

    async fn get(&self, path: &str, token: &SessionToken) -> Result<Answer, MetadataError> {
        self.ask(Method::GET, path, (TOKEN_HEADER, token.expose()))
            .await
    }
}

async fn exchange(
    stream: TcpStream,
    request: Request<Empty<Bytes>>,
) -> Result<Answer, MetadataError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| transport(&error))?;
    let exchange = async move {
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| transport(&error))?;
        let status = response.status().as_u16();
        let date = date(response.headers());
        let body = http_body::read(response.into_body())
            .await
            .map_err(MetadataError::Transport)?;
        Ok(Answer { status, body, date })
    };
    // The connection's own end says nothing that the exchange has not said already.
    let (answer, _) = tokio::join!(exchange, connection);
    answer
}

/// The time of day at which an answer was written.
fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get(DATE)?.to_str().ok()?;
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

/// Host and port to connect to; an IPv6 address stands in brackets, as the resolver wants it.
fn address(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default();
    format!("{host}:{}", uri.port_u16().unwrap_or(80))
}

fn transport(error: &dyn std::error::Error) -> MetadataError {
    MetadataError::Transport(http_body::chain(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_an_answer_is_read_as_http_writes_it() {
        let of = |text: &'static str| {
            let headers = HeaderMap::from_iter([(DATE, HeaderValue::from_static(text))]);
            date(&headers).map(|date| date.to_string())
        };
        let written = of("Thu, 01 Jan 2026 00:00:05 GMT");
        assert_eq!(written.as_deref(), Some("2026-01-01T00:00:05Z"));
        assert_eq!(of("soon"), None);
        assert_eq!(date(&HeaderMap::new()), None);
    }

    #[test]
    fn the_port_is_the_endpoints_or_that_of_http() {
        let of = |text: &'static str| address(&Uri::from_static(text));
        assert_eq!(of("http://169.254.169.254/latest"), "169.254.169.254:80");
        assert_eq!(of("http://127.0.0.1:8080/x"), "127.0.0.1:8080");
        assert_eq!(of("http://[fd00:ec2::254]/x"), "[fd00:ec2::254]:80");
    }
}
