//! Where a service is reached: scheme, host, port and perhaps a path before every path.

use std::fmt;
use std::str::FromStr;

use http::Uri;
use serde::Deserialize;

/// A base URL, valid and without a trailing slash.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Endpoint(String);

/// Why a text is not an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an endpoint ({why}); write it as http://169.254.169.254")]
pub struct InvalidEndpoint {
    text: String,
    why: &'static str,
}

impl Endpoint {
    /// The metadata service's address on every instance.
    pub fn metadata_default() -> Self {
        Self("http://169.254.169.254".to_owned())
    }

    /// EC2 in a region.
    pub fn ec2(region: &str) -> Self {
        Self::of_service("ec2", region)
    }

    /// DynamoDB in a region.
    pub fn dynamodb(region: &str) -> Self {
        Self::of_service("dynamodb", region)
    }

    fn of_service(service: &str, region: &str) -> Self {
        let domain = match region.starts_with("cn-") {
            true => "amazonaws.com.cn",
            false => "amazonaws.com",
        };
        Self(format!("https://{service}.{region}.{domain}"))
    }

    /// The URL of `path`, which begins with a slash.
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// Whether requests to it go in plain text.
    pub fn is_plain_http(&self) -> bool {
        self.0.starts_with("http:")
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        match fault(text) {
            Some(why) => Err(InvalidEndpoint {
                text: text.to_owned(),
                why,
            }),
            None => Ok(Self(text.trim_end_matches('/').to_owned())),
        }
    }
}

impl TryFrom<String> for Endpoint {
    type Error = InvalidEndpoint;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

fn fault(text: &str) -> Option<&'static str> {
    let Ok(uri) = text.parse::<Uri>() else {
        return Some("it is not a URL");
    };
    let authority = uri.authority().map_or("", |a| a.as_str());
    match uri.scheme_str() {
        Some("http" | "https") => (),
        Some(_) | None => return Some("it begins with neither http:// nor https://"),
    }
    if uri.host().is_none_or(str::is_empty) {
        return Some("it names no host");
    }
    if authority.contains('@') {
        return Some("it carries a user name");
    }
    if uri.query().is_some() || text.contains('#') {
        return Some("it carries a query or fragment");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_put_behind_the_endpoints_own() {
        let url = |base: &str| base.parse::<Endpoint>().expect("valid").join("/latest");
        assert_eq!(url("http://127.0.0.1:1/"), "http://127.0.0.1:1/latest");
        assert_eq!(
            url("http://localhost/imds/i-1"),
            "http://localhost/imds/i-1/latest"
        );
    }

    #[test]
    fn what_is_no_endpoint_is_refused_with_its_fault() {
        for (text, why) in [
            ("", "not a URL"),
            ("169.254.169.254", "neither http"),
            ("ftp://host", "neither http"),
            ("/latest", "neither http"),
            ("http://me:pw@host", "user name"),
            ("http://host/?a=b", "query"),
        ] {
            let error = text.parse::<Endpoint>().expect_err(text).to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn ec2_is_found_by_region_and_partition() {
        assert_eq!(
            Endpoint::ec2("eu-west-1").to_string(),
            "https://ec2.eu-west-1.amazonaws.com"
        );
        assert_eq!(
            Endpoint::ec2("cn-north-1").to_string(),
            "https://ec2.cn-north-1.amazonaws.com.cn"
        );
    }
}
