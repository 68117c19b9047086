//! Requests to services of AWS that no SDK here speaks: a handful, asked by people's own commands.
//!
//! An SDK crate a service would cost minutes of every build for two calls; the signature is AWS's own crate
//! all the same. Nothing is repeated, and no redirect is followed.

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use reprise_model::ids::Region;
use serde_json::Value;

use crate::connect;
use crate::error::{CallError, chain};

/// How long a call may take: each answers within a second.
const PATIENCE: Duration = Duration::from_secs(20);

/// More than any answer that is read here has.
const LONGEST_ANSWER: usize = 1024 * 1024;

/// A service in a region.
#[derive(Debug)]
pub(crate) struct Service {
    name: &'static str,
    region: Region,
    base: String,
    credentials: Option<SharedCredentialsProvider>,
    client: HyperClient<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// What is asked.
pub(crate) struct Asked<'a> {
    /// What is being done, for an error.
    pub(crate) operation: &'a str,
    pub(crate) method: Method,
    /// From the service's root on.
    pub(crate) path: &'a str,
    /// `X-Amz-Target`, where the protocol has it.
    pub(crate) target: Option<&'static str>,
    pub(crate) body: Option<&'a Value>,
}

impl Service {
    /// Prepares it; nobody is asked yet. Where it is, the usual variables may say.
    pub(crate) async fn connect(
        name: &'static str,
        region: &Region,
        role_arn: Option<&str>,
    ) -> Result<Self, CallError> {
        let config = connect::in_region(&connect::base(region).await, region, role_arn).await;
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(provider)
            .map_err(|error| unsent("prepare TLS", &error))?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self {
            name,
            region: region.clone(),
            base: address(name, region, &config),
            credentials: config.credentials_provider(),
            client: HyperClient::builder(TokioExecutor::new()).build(connector),
        })
    }

    /// Asks once.
    pub(crate) async fn ask(&self, asked: Asked<'_>) -> Result<Value, CallError> {
        let operation = format!("{} in {}", asked.operation, self.region);
        let request = self.request(&operation, &asked).await?;
        let answer = tokio::time::timeout(PATIENCE, self.sent(&operation, request)).await;
        answer.unwrap_or_else(|_| Err(CallError::unanswered(operation)))
    }

    async fn sent(
        &self,
        operation: &str,
        request: Request<Full<Bytes>>,
    ) -> Result<Value, CallError> {
        let answer = self.client.request(request).await;
        let (head, body) = answer
            .map_err(|error| CallError::unclear(operation, chain(&error)))?
            .into_parts();
        let body = Limited::new(body, LONGEST_ANSWER).collect().await;
        let body = body.map_err(|error| CallError::unclear(operation, chain(error.as_ref())))?;
        let body: Option<Value> = serde_json::from_slice(&body.to_bytes()).ok();
        if head.status.is_success() {
            let words = "the answer is no JSON".to_owned();
            return body.ok_or_else(|| CallError::unclear(operation, words));
        }
        let named = head.headers.get("x-amzn-errortype");
        let named = named.and_then(|value| value.to_str().ok());
        Err(refusal(
            operation,
            head.status.as_u16(),
            named,
            body.as_ref(),
        ))
    }

    async fn request(
        &self,
        operation: &str,
        asked: &Asked<'_>,
    ) -> Result<Request<Full<Bytes>>, CallError> {
        let url = format!("{}{}", self.base, asked.path);
        let body = asked.body.map(Value::to_string).unwrap_or_default();
        let kind = match asked.target {
            Some(_) => "application/x-amz-json-1.1",
            None => "application/json",
        };
        let mut headers = vec![(CONTENT_TYPE.as_str(), kind), (ACCEPT.as_str(), kind)];
        headers.extend(asked.target.map(|target| ("x-amz-target", target)));
        let signed = self
            .signature(operation, &asked.method, &url, &headers, body.as_bytes())
            .await?;
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = asked.method.clone();
        *request.uri_mut() = url.parse().map_err(|error| unsent(operation, &error))?;
        let plain = headers
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned(), false));
        let signed = signed
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone(), true));
        for (name, value, is_secret) in plain.chain(signed) {
            let name = HeaderName::try_from(name).map_err(|error| unsent(operation, &error))?;
            let mut value =
                HeaderValue::try_from(value).map_err(|error| unsent(operation, &error))?;
            value.set_sensitive(is_secret);
            request.headers_mut().insert(name, value);
        }
        Ok(request)
    }

    async fn signature(
        &self,
        operation: &str,
        method: &Method,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Vec<(String, String)>, CallError> {
        let Some(provider) = &self.credentials else {
            return Err(CallError::refused(
                operation,
                "there are no AWS credentials".to_owned(),
            ));
        };
        let credentials = provider.provide_credentials().await;
        let identity = credentials
            .map_err(|error| unsent(operation, &error))?
            .into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region.as_str())
            .name(self.name)
            .time(now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|error| unsent(operation, &error))?
            .into();
        let signable = SignableRequest::new(
            method.as_str(),
            url,
            headers.iter().copied(),
            SignableBody::Bytes(body),
        )
        .map_err(|error| unsent(operation, &error))?;
        let (instructions, _) = sign(signable, &parameters)
            .map_err(|error| unsent(operation, &error))?
            .into_parts();
        let headers = instructions.headers();
        Ok(headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect())
    }
}

/// Signatures hold by the wall's clock, whatever clock a program goes by.
#[expect(
    clippy::disallowed_methods,
    reason = "a signature says when it was made"
)]
fn now() -> SystemTime {
    SystemTime::from(Timestamp::now())
}

/// Where a service is: what `AWS_ENDPOINT_URL_<SERVICE>` or `AWS_ENDPOINT_URL` says, or AWS's own address.
fn address(name: &str, region: &Region, config: &SdkConfig) -> String {
    let own = std::env::var(format!("AWS_ENDPOINT_URL_{}", name.to_uppercase())).ok();
    let named = own.or_else(|| config.endpoint_url().map(str::to_owned));
    let base = named.unwrap_or_else(|| usual_address(name, region));
    base.trim_end_matches('/').to_owned()
}

fn usual_address(name: &str, region: &Region) -> String {
    let suffix = if region.as_str().starts_with("cn-") {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    };
    format!("https://{name}.{region}.{suffix}")
}

/// The code stands in a header or in the body, sometimes behind a namespace, sometimes before an address.
fn refusal(operation: &str, status: u16, named: Option<&str>, body: Option<&Value>) -> CallError {
    let text = |key: &str| body?.get(key)?.as_str();
    let code = named.or_else(|| text("__type")).or_else(|| text("code"));
    let code = code.map(|code| {
        let code = code.split(':').next().unwrap_or(code);
        code.rsplit('#').next().unwrap_or(code)
    });
    let words = text("message").or_else(|| text("Message"));
    CallError::of_answer(operation, code, words, status)
}

fn unsent(operation: &str, error: &(dyn std::error::Error + 'static)) -> CallError {
    CallError::refused(operation, chain(error))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::FailureKind;

    #[test]
    fn a_service_is_at_its_regions_address() {
        let at = |region: &str| usual_address("fis", &Region::new(region.to_owned()));
        assert_eq!(at("eu-west-1"), "https://fis.eu-west-1.amazonaws.com");
        assert_eq!(at("cn-north-1"), "https://fis.cn-north-1.amazonaws.com.cn");
    }

    #[test]
    fn a_refusal_is_read_wherever_its_code_stands() {
        let by_header = refusal(
            "ask",
            404,
            Some("ResourceNotFoundException:http://internal.amazon.com/"),
            Some(&json!({ "message": "no template" })),
        );
        assert_eq!(by_header.code.as_deref(), Some("ResourceNotFoundException"));
        assert_eq!(by_header.kind, FailureKind::Refused);
        assert!(by_header.to_string().contains("no template"), "{by_header}");
        let body = json!({ "__type": "com.amazonaws.events#ThrottlingException" });
        let by_body = refusal("ask", 400, None, Some(&body));
        assert_eq!(by_body.kind, FailureKind::Throttled);
        let silent = refusal("ask", 502, None, None);
        assert_eq!((silent.kind, silent.code), (FailureKind::Unclear, None));
    }
}
