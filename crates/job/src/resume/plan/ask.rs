//! Whether something is there, asked by HEAD.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use futures_util::{StreamExt, stream};
use http::header::{ACCEPT, AUTHORIZATION, HeaderName, LOCATION, USER_AGENT, WWW_AUTHENTICATE};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jiff::SignedDuration;
use reprise_resume::elsewhere::{self, Headers, Reply};
use reprise_resume::{Address, Answer};

use super::words::one_line;

/// Addresses that are asked at once.
const AT_ONCE: usize = 16;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long to wait before each further try, where a server says that it cannot just now.
const PAUSES: [SignedDuration; 2] = [SignedDuration::from_secs(1), SignedDuration::from_secs(4)];

/// The most places that one address may send us to, tokens among them.
const MOST_STEPS: usize = 6;

/// The largest answer with a token that is read.
const MOST_BYTES: usize = 1 << 20;

/// Of an image for several platforms, registries say 404 to those who do not take an index.
const TYPES: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
                     application/vnd.docker.distribution.manifest.list.v2+json, \
                     application/vnd.docker.distribution.manifest.v2+json, */*";

/// Who asks.
pub(super) struct Asker<P> {
    http: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    pause: P,
}

impl<P: AsyncFn(SignedDuration)> Asker<P> {
    /// One that waits in the way given.
    pub(super) fn new(pause: P) -> Result<Self> {
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
            .context("failed to set up TLS")?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self {
            http: Client::builder(TokioExecutor::new()).build(connector),
            pause,
        })
    }

    /// Asks each address once, in any order.
    pub(super) async fn all(&self, addresses: BTreeSet<Address>) -> BTreeMap<Address, Answer> {
        let ask = async |address: Address| {
            let answer = self.one(&address).await;
            (address, answer)
        };
        let answers = stream::iter(addresses).map(ask).buffer_unordered(AT_ONCE);
        answers.collect().await
    }

    async fn one(&self, address: &Address) -> Answer {
        let mut pauses = PAUSES.into_iter();
        loop {
            let why = match self.follow(address).await {
                Ok(answer) => return answer,
                Err(why) => why,
            };
            match pauses.next() {
                Some(pause) => (self.pause)(pause).await,
                None => return Answer::None(one_line(&why)),
            }
        }
    }

    /// Follows it to where the answer is; why not, where another try may help.
    async fn follow(&self, address: &Address) -> Result<Answer, String> {
        let mut at = address.clone();
        let mut token: Option<String> = None;
        for _ in 0..MOST_STEPS {
            let (status, headers) = self.head(&at, token.as_deref()).await?;
            let header = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
            let headers = Headers {
                location: header(LOCATION),
                challenge: header(WWW_AUTHENTICATE).filter(|_| token.is_none()),
            };
            match elsewhere::read(&at, status.as_u16(), headers) {
                Reply::Is(answer) => return Ok(answer),
                Reply::Later(why) => return Err(why),
                // The token was for whoever sends us on.
                Reply::At(next) => (at, token) = (next, None),
                Reply::WantsToken(from) => token = Some(self.token(&from).await?),
            }
        }
        Ok(Answer::None(format!(
            "it led on more than {MOST_STEPS} times"
        )))
    }

    async fn head(
        &self,
        address: &Address,
        token: Option<&str>,
    ) -> Result<(StatusCode, HeaderMap), String> {
        let (status, headers, _) = self.ask(Method::HEAD, address, token).await?;
        Ok((status, headers))
    }

    async fn token(&self, from: &Address) -> Result<String, String> {
        let (status, _, body) = self.ask(Method::GET, from, None).await?;
        let token = elsewhere::token(&body).filter(|_| status.is_success());
        token
            .ok_or_else(|| format!("{from} answered {status} and gave no token without a password"))
    }

    async fn ask(
        &self,
        method: Method,
        address: &Address,
        token: Option<&str>,
    ) -> Result<(StatusCode, HeaderMap, Bytes), String> {
        let asked = tokio::time::timeout(PATIENCE, self.exchange(method, address, token)).await;
        let asked = asked.unwrap_or_else(|_| Err(anyhow!("no answer within {PATIENCE:?}")));
        asked.map_err(|error| format!("{error:#}"))
    }

    async fn exchange(
        &self,
        method: Method,
        address: &Address,
        token: Option<&str>,
    ) -> Result<(StatusCode, HeaderMap, Bytes)> {
        let mut request = Request::builder()
            .method(method)
            .uri(address.as_str())
            .header(ACCEPT, TYPES)
            .header(USER_AGENT, concat!("reprise/", env!("CARGO_PKG_VERSION")));
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let answer = self.http.request(request.body(Empty::new())?).await?;
        let (parts, body) = answer.into_parts();
        let body = Limited::new(body, MOST_BYTES).collect().await;
        let body = body.map_err(|error| anyhow!("failed to read the answer: {error}"))?;
        Ok((parts.status, parts.headers, body.to_bytes()))
    }
}
