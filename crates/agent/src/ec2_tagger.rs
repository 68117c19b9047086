//! CreateTags through EC2's Query API: one signed form over TLS.
//!
//! Not the SDK's EC2 client, because this one call would cost minutes of compilation and twice the
//! memory. What an answer means is decided in `ec2_answer`.

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::ec2_answer::read_answer;
use crate::endpoint::Endpoint;
use crate::http_body;
use crate::tagger::{TagFailure, TagRequest, Tagger};

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// Tags through EC2's API.
#[derive(Debug, Clone)]
pub struct Ec2Tagger {
    endpoint: Option<Endpoint>,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Ec2Tagger {
    /// Tags at `endpoint`, or else at the one of the instance's region.
    ///
    /// The TLS provider is named, because a program that links a second one beside it (as the
    /// command line does) has no default.
    pub fn new(endpoint: Option<Endpoint>) -> Result<Self, rustls::Error> {
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())?
            .https_or_http()
            .enable_http1()
            .build();
        // Attempts are rare: an idle connection would only have died by the next one.
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build(connector);
        Ok(Self { endpoint, client })
    }

    fn url(&self, region: &str) -> String {
        match &self.endpoint {
            Some(endpoint) => endpoint.join("/"),
            None => Endpoint::ec2(region).join("/"),
        }
    }
}

impl Tagger for Ec2Tagger {
    async fn tag(&self, request: &TagRequest) -> Result<(), TagFailure> {
        let signed = signed_request(&self.url(request.instance.region.as_str()), request)?;
        let response = self
            .client
            .request(signed)
            .await
            .map_err(|error| TagFailure::Transport(http_body::chain(&error)))?;
        let status = response.status().as_u16();
        let body = http_body::read(response.into_body())
            .await
            .map_err(TagFailure::Transport)?;
        read_answer(status, &body)
    }
}

fn signed_request(url: &str, request: &TagRequest) -> Result<Request<Full<Bytes>>, TagFailure> {
    let body = form(request)?;
    let headers = signature(url, &body, request)?;
    let mut http = Request::builder()
        .method(Method::POST)
        .uri(url)
        .header(CONTENT_TYPE, FORM)
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| unsendable(&error))?;
    for (name, value) in headers {
        http.headers_mut().insert(name, value);
    }
    Ok(http)
}

fn form(request: &TagRequest) -> Result<String, TagFailure> {
    serde_urlencoded::to_string([
        ("Action", "CreateTags"),
        ("Version", "2016-11-15"),
        ("ResourceId.1", request.instance.id.as_str()),
        ("Tag.1.Key", &request.key),
        ("Tag.1.Value", &request.value),
    ])
    .map_err(|error| unsendable(&error))
}

/// The headers that sign the form: authorization, date and session token.
fn signature(
    url: &str,
    body: &str,
    request: &TagRequest,
) -> Result<Vec<(HeaderName, HeaderValue)>, TagFailure> {
    let held = &request.credentials;
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
        .region(request.instance.region.as_str())
        .name("ec2")
        .time(request.signed_at)
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| unsendable(&error))?
        .into();
    let headers = [("content-type", FORM)].into_iter();
    let signable = SignableRequest::new("POST", url, headers, SignableBody::Bytes(body.as_bytes()))
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

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), TagFailure> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| unsendable(&error))?;
    let mut value = HeaderValue::from_str(value).map_err(|error| unsendable(&error))?;
    value.set_sensitive(true);
    Ok((name, value))
}

fn unsendable(error: &dyn std::error::Error) -> TagFailure {
    TagFailure::Refused {
        code: "not sent".to_owned(),
        message: http_body::chain(error),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use reprise_model::ids::{AccountId, Region};
    use reprise_model::instance::Instance;

    use super::*;
    use crate::credentials::RoleCredentials;

    fn request() -> TagRequest {
        TagRequest {
            instance: Instance {
                account: AccountId::new("123456789012"),
                region: Region::new("eu-west-1"),
                id: "i-0123456789abcdef0".parse().expect("an id"),
            },
            credentials: RoleCredentials {
                access_key_id: "ASIAEXAMPLE".to_owned(),
                secret_access_key: "not-a-real-secret".to_owned(),
                session_token: "not-a-real-token".to_owned(),
                expires_at: SystemTime::UNIX_EPOCH,
            },
            signed_at: SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600),
            key: "runs-on-workflow-job-interrupted".to_owned(),
            value: "true".to_owned(),
        }
    }

    #[test]
    fn the_form_is_ec2s_query_api() {
        assert_eq!(
            form(&request()).expect("a form"),
            "Action=CreateTags&Version=2016-11-15&ResourceId.1=i-0123456789abcdef0\
             &Tag.1.Key=runs-on-workflow-job-interrupted&Tag.1.Value=true"
        );
    }

    #[test]
    fn a_request_is_signed_for_ec2_in_its_region_at_the_true_time() {
        let url = Endpoint::ec2("eu-west-1").join("/");
        let signed = signed_request(&url, &request()).expect("a request");
        let text = |name: &str| signed.headers()[name].to_str().expect("text");
        let authorization = text("authorization");
        assert!(
            authorization.starts_with(
                "AWS4-HMAC-SHA256 Credential=ASIAEXAMPLE/20260101/eu-west-1/ec2/aws4_request, "
            ),
            "{authorization}"
        );
        assert!(
            authorization
                .contains("SignedHeaders=content-type;host;x-amz-date;x-amz-security-token,"),
            "{authorization}"
        );
        assert_eq!(text("x-amz-date"), "20260101T000000Z");
        assert_eq!(text("x-amz-security-token"), "not-a-real-token");
    }

    #[test]
    fn neither_tagger_nor_request_shows_a_secret() {
        let tagger = Ec2Tagger::new(None).expect("a tagger");
        let signed = signed_request(&tagger.url("eu-west-1"), &request()).expect("a request");
        let shown = format!("{tagger:?} {signed:?} {:?}", request());
        assert!(!shown.contains("not-a-real"), "{shown}");
        assert!(!shown.contains("Signature="), "{shown}");
    }

    #[test]
    fn without_an_endpoint_the_regions_own_is_used() {
        let tagger = Ec2Tagger::new(None).expect("a tagger");
        assert_eq!(
            tagger.url("eu-west-1"),
            "https://ec2.eu-west-1.amazonaws.com/"
        );
        let endpoint = "http://127.0.0.1:4566".parse().ok();
        let tagger = Ec2Tagger::new(endpoint).expect("a tagger");
        assert_eq!(tagger.url("eu-west-1"), "http://127.0.0.1:4566/");
    }
}
