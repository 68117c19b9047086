//! The `Authorization` header of a signed AWS request: who calls, and with which signature.
//!
//! Every request must carry one. The signature itself is only checked where the secret is known,
//! which is so for the credentials that this world gave to an instance itself.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What the header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signer {
    pub(crate) access_key: String,
    pub(crate) region: String,
    pub(crate) service: String,
    date: String,
    signed_headers: String,
    signature: String,
}

/// Why a request counts as unsigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsigned {
    /// There is no `Authorization` header.
    Missing,
    /// The header is not an AWS4 signature.
    Malformed,
}

/// Reads the header.
pub(crate) fn signer(request: &http::Request<Vec<u8>>) -> Result<Signer, Unsigned> {
    let header = request
        .headers()
        .get(http::header::AUTHORIZATION)
        .ok_or(Unsigned::Missing)?;
    header
        .to_str()
        .ok()
        .and_then(parse)
        .filter(|signer| signer.signed_headers.split(';').any(|name| name == "host"))
        .ok_or(Unsigned::Malformed)
}

/// When a request says that it was signed.
pub(crate) fn signing_time(request: &http::Request<Vec<u8>>) -> Option<Timestamp> {
    let text = header(request, "x-amz-date");
    let written = DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    Some(written.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

fn parse(header: &str) -> Option<Signer> {
    let fields = header.strip_prefix(ALGORITHM)?;
    let field = |name: &str| {
        fields
            .split(',')
            .find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
    };
    let scope: Vec<&str> = field("Credential")?.split('/').collect();
    let [access_key, date, region, service, "aws4_request"] = scope[..] else {
        return None;
    };
    let signature = field("Signature")?;
    (hex::decode(signature).ok()?.len() == 32).then(|| Signer {
        access_key: access_key.to_owned(),
        region: region.to_owned(),
        service: service.to_owned(),
        date: date.to_owned(),
        signed_headers: field("SignedHeaders").unwrap_or_default().to_owned(),
        signature: signature.to_owned(),
    })
}

impl Signer {
    /// Whether the holder of `secret` signed exactly this request.
    pub(crate) fn is_signed_with(&self, secret: &str, request: &http::Request<Vec<u8>>) -> bool {
        self.signature_by(secret, request) == self.signature
    }

    fn signature_by(&self, secret: &str, request: &http::Request<Vec<u8>>) -> String {
        let amz_date = header(request, "x-amz-date");
        let scope = format!(
            "{}/{}/{}/aws4_request",
            self.date, self.region, self.service
        );
        let canonical = hex::encode(Sha256::digest(self.canonical_request(request)));
        let to_sign = format!("{ALGORITHM}\n{amz_date}\n{scope}\n{canonical}");
        let day = mac(format!("AWS4{secret}").as_bytes(), &self.date);
        let key = [&self.region, &self.service, "aws4_request"]
            .iter()
            .fold(day, |key, part| mac(&key, part));
        hex::encode(mac(&key, &to_sign))
    }

    fn canonical_request(&self, request: &http::Request<Vec<u8>>) -> String {
        let headers: String = self
            .signed_headers
            .split(';')
            .map(|name| format!("{name}:{}\n", header(request, name)))
            .collect();
        let query = request.uri().query().unwrap_or_default();
        let body = hex::encode(Sha256::digest(request.body()));
        format!(
            "{}\n{}\n{query}\n{headers}\n{}\n{body}",
            request.method(),
            request.uri().path(),
            self.signed_headers
        )
    }
}

fn header(request: &http::Request<Vec<u8>>, name: &str) -> String {
    let values: Vec<String> = request
        .headers()
        .get_all(name)
        .iter()
        .map(|value| {
            let text = String::from_utf8_lossy(value.as_bytes());
            text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
        })
        .collect();
    values.join(",")
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    // An HMAC key may have any length, so this never fails; an empty answer matches no signature.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return Vec::new();
    };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Signs a request as an SDK does, for tests of the wire.
#[cfg(test)]
pub(crate) fn sign(
    request: &mut http::Request<Vec<u8>>,
    access_key: &str,
    secret: &str,
    service: &str,
) {
    let headers = request.headers_mut();
    headers.insert("host", http::HeaderValue::from_static("127.0.0.1"));
    headers.insert(
        "x-amz-date",
        http::HeaderValue::from_static("20260101T000000Z"),
    );
    let header = |signature: &str| {
        format!(
            "{ALGORITHM} Credential={access_key}/20260101/eu-west-1/{service}/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature={signature}"
        )
    };
    let unsigned = parse(&header(&"0".repeat(64))).expect("a whole header");
    let signed = header(&unsigned.signature_by(secret, request));
    let value = http::HeaderValue::from_str(&signed).expect("plain text");
    request
        .headers_mut()
        .insert(http::header::AUTHORIZATION, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    // The `get-vanilla` case of AWS's own Signature Version 4 test suite.
    fn vanilla() -> http::Request<Vec<u8>> {
        http::Request::get("/")
            .header("host", "example.amazonaws.com")
            .header("x-amz-date", "20150830T123600Z")
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 \
                 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                 SignedHeaders=host;x-amz-date, \
                 Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            )
            .body(Vec::new())
            .expect("valid")
    }

    #[test]
    fn the_published_example_signature_is_right() {
        let signer = signer(&vanilla()).expect("signed");
        assert_eq!(signer.access_key, "AKIDEXAMPLE");
        assert!(signer.is_signed_with("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", &vanilla()));
    }

    #[test]
    fn a_request_tells_when_it_was_signed() {
        let signed_at = signing_time(&vanilla()).expect("a time");
        assert_eq!(signed_at.to_string(), "2015-08-30T12:36:00Z");
    }

    #[test]
    fn a_changed_body_or_another_secret_breaks_the_signature() {
        let mut changed = vanilla();
        changed.body_mut().push(b'x');
        let signer = signer(&changed).expect("signed");
        assert!(!signer.is_signed_with("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", &changed));
        assert!(!signer.is_signed_with("another", &vanilla()));
    }

    #[test]
    fn a_request_without_a_signature_is_told_apart_from_one_with_a_broken_one() {
        let mut request = vanilla();
        let broken = http::HeaderValue::from_static("Bearer x");
        request.headers_mut().insert("authorization", broken);
        assert_eq!(signer(&request), Err(Unsigned::Malformed));
        request.headers_mut().remove("authorization");
        assert_eq!(signer(&request), Err(Unsigned::Missing));
    }
}
