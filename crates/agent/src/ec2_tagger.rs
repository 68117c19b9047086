//! CreateTags through EC2's Query API: one signed form. What an answer means is decided in
//! `ec2_answer`.

use std::path::Path;

use crate::ec2_answer::read_answer;
use crate::endpoint::Endpoint;
use crate::signed::{CallFailure, SignedCall, SignedClient};
use crate::tagger::{TagFailure, TagRequest, Tagger};
use crate::tls::TlsError;

const HEADERS: &[(&str, &str)] = &[(
    "content-type",
    "application/x-www-form-urlencoded; charset=utf-8",
)];

/// Tags through EC2's API.
#[derive(Debug, Clone)]
pub struct Ec2Tagger {
    endpoint: Option<Endpoint>,
    client: SignedClient,
}

impl Ec2Tagger {
    /// Tags at `endpoint`, or else at the one of the instance's region; the authorities of TLS are those of the
    /// file, if there is one.
    pub fn new(endpoint: Option<Endpoint>, ca_bundle: Option<&Path>) -> Self {
        let client = SignedClient::new(ca_bundle);
        Self { endpoint, client }
    }

    /// Whether EC2 could prove itself now. Where it could not, each attempt to tag looks again.
    pub fn ready(&self) -> Result<(), TlsError> {
        self.client.client().map(|_| ())
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
        let url = self.url(request.instance.region.as_str());
        let answer = self.client.post(call(&url, request)?).await;
        let (status, body) = answer.map_err(no_answer)?;
        read_answer(status, &body)
    }
}

fn call<'a>(url: &'a str, request: &'a TagRequest) -> Result<SignedCall<'a>, TagFailure> {
    Ok(SignedCall {
        url,
        service: "ec2",
        region: request.instance.region.as_str(),
        headers: HEADERS,
        body: form(request)?,
        credentials: &request.credentials,
        signed_at: request.signed_at,
    })
}

fn form(request: &TagRequest) -> Result<String, TagFailure> {
    serde_urlencoded::to_string([
        ("Action", "CreateTags"),
        ("Version", "2016-11-15"),
        ("ResourceId.1", request.instance.id.as_str()),
        ("Tag.1.Key", &request.key),
        ("Tag.1.Value", &request.value),
    ])
    .map_err(|error| unsendable(error.to_string()))
}

fn no_answer(failure: CallFailure) -> TagFailure {
    match failure {
        CallFailure::Unsendable(why) => unsendable(why),
        CallFailure::Transport(why) => TagFailure::Transport(why),
    }
}

fn unsendable(message: String) -> TagFailure {
    TagFailure::Refused {
        code: "not sent".to_owned(),
        message,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use reprise_model::ids::{AccountId, Region};
    use reprise_model::instance::Instance;

    use super::*;
    use crate::credentials::RoleCredentials;
    use crate::signed;

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
        let request = request();
        let call = call(&url, &request).expect("a call");
        let signed = signed::request(call).expect("a request");
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
        let tagger = Ec2Tagger::new(None, None);
        let (url, request) = (tagger.url("eu-west-1"), request());
        let call = call(&url, &request).expect("a call");
        let shown = format!("{call:?}");
        let signed = signed::request(call).expect("a request");
        let shown = format!("{shown} {tagger:?} {signed:?} {request:?}");
        assert!(!shown.contains("not-a-real"), "{shown}");
        assert!(!shown.contains("Signature="), "{shown}");
    }

    #[test]
    fn without_an_endpoint_the_regions_own_is_used() {
        let tagger = Ec2Tagger::new(None, None);
        assert_eq!(
            tagger.url("eu-west-1"),
            "https://ec2.eu-west-1.amazonaws.com/"
        );
        let endpoint = "http://127.0.0.1:4566".parse().ok();
        let tagger = Ec2Tagger::new(endpoint, None);
        assert_eq!(tagger.url("eu-west-1"), "http://127.0.0.1:4566/");
    }
}
